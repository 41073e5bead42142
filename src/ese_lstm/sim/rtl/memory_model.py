"""A DDR memory behind the AXI4 read channels: latency, refresh gaps, limited bandwidth."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from ...contract.image import Image
from ...contract.memory import MemoryTiming
from ...contract.shell import PAGE_BYTES, ShellConfig
from ..memory import Reads
from .bench import Pattern

BASE = 3 * PAGE_BYTES // 4
"""Where the rows lie: not at the start of a page, so that bursts have to be cut."""


def memory_job(image: Image, shell: ShellConfig, timings: Sequence[MemoryTiming]
               ) -> dict[str, Any]:
    """What :class:`MemoryModel` needs, for :func:`verilator.run`: one timing a run."""
    return {"memory_timings": np.array([astuple(timing) for timing in timings], np.int64),
            "memory_content": np.frombuffer(image.memory, np.uint8), "memory_rows": image.rows,
            "memory_bytes": shell.memory_bytes,
            "memory_address_bits": shell.memory_address_bits, "burst_beats": shell.burst_beats}


class MemoryModel:
    """Answers bursts in order with the bytes from ``BASE`` on; the rest of the memory is noise.

    Counts cycles from the rise of ``rows_enable`` on. Raises AssertionError for a burst that leaves
    its page, is too long, or changes before it is taken, and for addresses without rows.
    """

    def __init__(self, dut: Any, values: Mapping[str, Any], pause: Pattern,
                 rng: random.Random) -> None:
        self._dut, self._pause, self._rng = dut, pause, rng
        self.timings = [MemoryTiming(*(int(value) for value in row))
                        for row in values["memory_timings"]]
        self._size = int(values["memory_bytes"])
        self._address_bits = int(values["memory_address_bits"])
        self._burst_beats = int(values["burst_beats"])
        content = values["memory_content"].tobytes()
        content += rng.randbytes(-len(content) % self._size)
        self._beats = [content[k:k + self._size] for k in range(0, len(content), self._size)]
        self.reads = Reads(self.timings[0], 8 * self._size)
        self._offered = self._ready = False
        self._waiting: int | None = None
        self.cycle = 0
        dut.base.value = BASE
        dut.count.value = int(values["memory_rows"])
        dut.r__valid.value = 0
        dut.ar__ready.value = 0

    def drive(self) -> None:
        """Be ready for a request, or pause; offer what is due."""
        ready = not next(self._pause)
        if ready != self._ready:
            self._dut.ar__ready.value = int(ready)
            self._ready = ready
        offered, beat = self._offered, self.reads.offer(self.cycle, self._pause)
        if beat is not None and not offered:
            data = int.from_bytes(self._beats[beat.place], "little")
            self._dut.r__payload.value = data | int(beat.last) << (8 * self._size + 2)
        self._offered = beat is not None
        self._dut.r__valid.value = int(self._offered)

    def sample(self) -> bool:
        """Whether a beat is taken."""
        taken = self._offered and bool(int(self._dut.r__ready.value))
        if taken:
            self.reads.take()
            self._offered = False
        if int(self._dut.ar__valid.value):
            request = int(self._dut.ar__payload.value)
            assert self._waiting in (None, request), "a request must stay until it is taken"
            self._waiting = None if self._ready else request
            if self._ready:
                self._ask(request)
        else:
            assert self._waiting is None, "a request must stay until it is taken"
        busy = self.reads.under_way or int(self._dut.rows_enable.value)
        self.cycle = self.cycle + 1 if busy else 0
        return taken

    def _ask(self, request: int) -> None:
        address = request & ((1 << self._address_bits) - 1)
        beats = (request >> self._address_bits) + 1
        end = address + beats * self._size
        assert address // PAGE_BYTES == (end - 1) // PAGE_BYTES, "a burst must stay in its page"
        assert beats <= self._burst_beats and address % self._size == 0
        first = (address - BASE) // self._size
        assert first >= 0 and first + beats <= len(self._beats), "only rows may be read"
        self.reads.ask(self.cycle, first, beats)
