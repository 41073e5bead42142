"""External memory of the simulated device: an AXI4 slave with a fixed latency, one beat a cycle.

For what bandwidth, refresh and latency do to the engine see :mod:`.memory_model`.
"""

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

from ...contract.shell import PAGE_BYTES

LATENCY = 30
"""Cycles from a read's address to its first data, and from a write's last data to its answer."""


@dataclass
class _Burst:
    address: int
    beats: int
    identifier: int
    due: int = 0


class AxiMemory:
    """The memory behind ``<name>_…``; pages appear when touched, filled with noise.

    Bursts are INCR, as wide as the port; bytes whose strobe is low keep their value.
    """

    def __init__(self, dut: Any, name: str, rng: random.Random) -> None:
        self._ports = {port: getattr(dut, f"{name}_{port}") for port in (
            "awid", "awaddr", "awlen", "awvalid", "awready", "wdata", "wstrb", "wlast", "wvalid",
            "wready", "bid", "bresp", "bvalid", "bready", "arid", "araddr", "arlen", "arvalid",
            "arready", "rid", "rdata", "rresp", "rlast", "rvalid", "rready")}
        self._size = len(self._ports["wstrb"])
        self._rng = rng
        self._pages: dict[int, bytearray] = {}
        self._reads: deque[_Burst] = deque()
        self._writes: deque[_Burst] = deque()
        self._words: deque[tuple[int, int]] = deque()
        self._answers: deque[_Burst] = deque()
        self._reading = self._answering = self._held = False
        self._cycle = 0
        self._set(awready=1, wready=1, arready=1, bvalid=0, bresp=0, rvalid=0, rresp=0)

    @property
    def starters(self) -> list[Any]:
        """Signals whose rise starts something."""
        return [self._ports[name] for name in ("awvalid", "wvalid", "arvalid", "rready")]

    @property
    def busy(self) -> bool:
        """Something is under way that does not wait for the engine to take a beat."""
        return bool(self._writes or self._words or self._answers
                    or (self._reads and not self._held))

    def drive(self) -> None:
        """After a rising edge."""
        if not self._reading and self._reads and self._reads[0].due <= self._cycle:
            burst = self._reads[0]
            self._set(rdata=int.from_bytes(self._read(burst.address), "little"),
                      rid=burst.identifier, rlast=int(burst.beats == 1), rvalid=1)
            self._reading = True
        elif not self._reading:
            self._set(rvalid=0)
        if not self._answering and self._answers and self._answers[0].due <= self._cycle:
            self._set(bid=self._answers[0].identifier, bvalid=1)
            self._answering = True
        elif not self._answering:
            self._set(bvalid=0)

    def sample(self, cycles: int = 1) -> bool:
        """At a falling edge, so many cycles after the one before: whether anything moves at the
        coming rising edge."""
        self._cycle += cycles
        moved = False
        for name, bursts in (("ar", self._reads), ("aw", self._writes)):
            if self._get(f"{name}valid"):
                moved = True
                bursts.append(_Burst(self._get(f"{name}addr"), self._get(f"{name}len") + 1,
                                     self._get(f"{name}id"), self._cycle + LATENCY))
        if self._get("wvalid"):
            moved = True
            self._words.append((self._get("wdata"), self._get("wstrb")))
        if self._words and self._writes:
            self._write(self._writes[0], *self._words.popleft())
        self._held = self._reading and not self._get("rready")
        if self._reading and not self._held:
            moved, self._reading = True, False
            burst = self._reads[0]
            burst.address += self._size
            burst.beats -= 1
            if not burst.beats:
                self._reads.popleft()
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
            burst.due = self._cycle + LATENCY
            self._answers.append(self._writes.popleft())

    def _read(self, address: int) -> bytes:
        page, first = self._place(address)
        return bytes(page[first:first + self._size])

    def _place(self, address: int) -> tuple[bytearray, int]:
        number, first = divmod(address, PAGE_BYTES)
        if number not in self._pages:
            self._pages[number] = bytearray(self._rng.randbytes(PAGE_BYTES))
        return self._pages[number], first

    def _get(self, port: str) -> int:
        return int(self._ports[port].value)

    def _set(self, **values: int) -> None:
        for port, value in values.items():
            self._ports[port].value = value
