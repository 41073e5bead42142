"""External memory of the simulated device: an AXI4 slave with a fixed latency, one beat a cycle.

What bandwidth and refresh do to the engine shows :mod:`.memory_model`.
"""

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

from ...contract.memory import MemoryTiming
from ...contract.shell import PAGE_BYTES
from ..memory import Beat, Reads
from .axi import Ports
from .bench import Bench

LATENCY = 30
"""Cycles from a read's address to its first data, and from a write's last data to its answer."""


@dataclass
class _Burst:
    address: int
    beats: int
    identifier: int
    due: int = 0


class AxiMemory(Ports):
    """The memory behind ``<name>_…``, a part of ``bench``; pages appear when touched, filled with
    noise.

    Bursts are INCR, as wide as the port; bytes whose strobe is low keep their value.
    """

    def __init__(self, bench: Bench, name: str, rng: random.Random) -> None:
        super().__init__(
            bench.dut, name, "awid", "awaddr", "awlen", "awvalid", "awready", "wdata", "wstrb",
            "wlast", "wvalid", "wready", "bid", "bresp", "bvalid", "bready", "arid", "araddr",
            "arlen", "arvalid", "arready", "rid", "rdata", "rresp", "rlast", "rvalid", "rready")
        self._bench = bench
        self._size = len(self._ports["wstrb"])
        self._rng = rng
        self._pages: dict[int, bytearray] = {}
        self._reads = Reads(MemoryTiming(8 * self._size, LATENCY), 8 * self._size)
        self._writes: deque[_Burst] = deque()
        self._words: deque[tuple[int, int]] = deque()
        self._answers: deque[_Burst] = deque()
        self._shown: Beat | None = None
        self._answering = self._held = False
        self._set(awready=1, wready=1, arready=1, bvalid=0, bresp=0, rvalid=0, rresp=0)

    @property
    def starters(self) -> list[Any]:
        """Signals whose rise starts something."""
        return [self._ports[name] for name in ("awvalid", "wvalid", "arvalid", "rready")]

    @property
    def busy(self) -> bool:
        """Something is under way that does not wait for the engine to take a beat."""
        return bool(self._writes or self._words or self._answers
                    or (self._reads.under_way and not self._held))

    def drive(self) -> None:
        """Offer what is due."""
        beat, shown = self._reads.offer(self._bench.cycles), self._shown
        if beat is not shown:
            self._shown = beat
            self._set(rvalid=int(beat is not None))
            if beat is not None:
                data = self._read(beat.place * self._size)
                self._set(rdata=int.from_bytes(data, "little"), rid=beat.identifier,
                          rlast=int(beat.last))
        if not self._answering and self._answers and self._answers[0].due <= self._bench.cycles:
            self._set(bid=self._answers[0].identifier, bvalid=1)
            self._answering = True
        elif not self._answering:
            self._set(bvalid=0)

    def sample(self) -> bool:
        """Whether anything moves."""
        now, moved = self._bench.cycles, False
        if self._get("arvalid"):
            moved = True
            self._reads.ask(now, self._get("araddr") // self._size, self._get("arlen") + 1,
                            self._get("arid"))
        if self._get("awvalid"):
            moved = True
            self._writes.append(_Burst(self._get("awaddr"), self._get("awlen") + 1,
                                       self._get("awid")))
        if self._get("wvalid"):
            moved = True
            self._words.append((self._get("wdata"), self._get("wstrb")))
        if self._words and self._writes:
            self._write(self._writes[0], *self._words.popleft())
        offered = self._reads.offered is not None
        self._held = offered and not self._get("rready")
        if offered and not self._held:
            moved = True
            self._reads.take()
        if self._answering and self._get("bready"):
            moved, self._answering = True, False
            self._answers.popleft()
        return moved

    def _write(self, burst: _Burst, word: int, strobes: int) -> None:
        page, first = self._place(burst.address)
        for number, byte in enumerate(word.to_bytes(self._size, "little")):
            if strobes >> number & 1:
                page[first + number] = byte
        burst.address += self._size
        burst.beats -= 1
        if not burst.beats:
            burst.due = self._bench.cycles + LATENCY
            self._answers.append(self._writes.popleft())

    def _read(self, address: int) -> bytes:
        page, first = self._place(address)
        return bytes(page[first:first + self._size])

    def _place(self, address: int) -> tuple[bytearray, int]:
        number, first = divmod(address, PAGE_BYTES)
        if number not in self._pages:
            self._pages[number] = bytearray(self._rng.randbytes(PAGE_BYTES))
        return self._pages[number], first
