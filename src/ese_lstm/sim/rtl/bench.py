"""Parts of cocotb testbenches: one coroutine drives and samples a whole design every cycle.

Inputs change after the rising edge and outputs are sampled at the falling edge, so a sample shows
what the next rising edge acts on. Wide values are Python integers.
"""

import os
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from numpy.typing import NDArray

from .verilator import JOB_VARIABLE, PROGRESS_VARIABLE, RESULT_VARIABLE, save_arrays

CLOCK_PERIOD_NS = 10

Pattern = Iterator[bool]


def never() -> Pattern:
    """No pause at all."""
    while True:
        yield False


def randomly(rate: float, rng: random.Random) -> Pattern:
    """Pause in a share ``rate`` of the cycles, independently."""
    while True:
        yield rng.random() < rate


def in_bursts(rng: random.Random, *, mean_on: float = 8, mean_off: float = 8) -> Pattern:
    """Work and pause in turns of geometrically distributed length (means in cycles)."""
    while True:
        for paused, mean in ((False, mean_on), (True, mean_off)):
            yield paused
            while rng.random() > 1 / mean:
                yield paused


PATTERNS: dict[str, Callable[[random.Random], Pattern]] = {
    "none": lambda rng: never(),
    "rare": lambda rng: randomly(0.1, rng),
    "half": lambda rng: randomly(0.5, rng),
    "often": lambda rng: randomly(0.9, rng),
    "bursts": in_bursts,
}
"""Idle and back-pressure patterns by name."""


class Part(Protocol):
    """What a bench moves in every cycle."""

    def drive(self) -> None:
        """After a rising edge: set inputs of the design."""

    def sample(self) -> bool:
        """At a falling edge: whether anything moves at the coming rising edge."""


class Source:
    """Offers ``words`` one after another by ``valid`` and ``ready``.

    A word once offered stays until it is taken; pauses fall between words. A subclass puts a word
    on its signals.
    """

    def __init__(self, valid: Any, ready: Any, pause: Pattern) -> None:
        self.ready = ready
        self.words: deque[Any] = deque()
        self.taken = 0
        self._valid, self._pause = valid, pause
        self._offered = self._valid_now = False
        self._valid.value = 0

    @property
    def done(self) -> bool:
        """Every word was taken."""
        return not self.words

    def drive(self) -> None:
        """Offer the next word or pause."""
        if self._offered:
            return
        self._offered = bool(self.words) and not next(self._pause)
        self._put(self.words[0] if self._offered else None)
        self._show()

    def sample(self) -> bool:
        """Whether a word is taken."""
        if not self._offered or not int(self.ready.value):
            return False
        self.words.popleft()
        self.taken += 1
        self._offered = False
        return True

    def _show(self) -> None:
        if self._offered != self._valid_now:
            self._valid.value = int(self._offered)
            self._valid_now = self._offered

    def _put(self, word: Any) -> None:
        """Set the payload to this word; None: nothing is offered."""
        raise NotImplementedError


class StreamSource(Source):
    """Source of ``<name>__payload/valid/ready``. While idle the payload is noise, as a receiver
    must not look at it."""

    def __init__(self, dut: Any, name: str, words: Iterable[int], *, pause: Pattern,
                 rng: random.Random) -> None:
        super().__init__(getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__ready"), pause)
        self._payload = getattr(dut, f"{name}__payload")
        self._rng, self._bits = rng, len(self._payload)
        self.words.extend(words)

    def _put(self, word: int | None) -> None:
        self._payload.value = self._rng.getrandbits(self._bits) if word is None else word


class Sink:
    """Takes words by ``valid`` and ``ready``, with pauses, while it ``wants`` any."""

    def __init__(self, valid: Any, ready: Any, pause: Pattern) -> None:
        self.valid = valid
        self._ready, self._pause = ready, pause
        self._ready_now = False
        self._ready.value = 0

    @property
    def wants(self) -> bool:
        """A word would be taken."""
        return True

    def drive(self) -> None:
        """Be ready or pause."""
        ready = self.wants and not next(self._pause)
        if ready != self._ready_now:
            self._ready.value = int(ready)
            self._ready_now = ready


class StreamSink(Sink):
    """Takes words from ``<name>__payload/valid/ready`` into ``words``.

    Raises AssertionError if a payload changes or ``valid`` falls before the word was taken.
    """

    def __init__(self, dut: Any, name: str, *, pause: Pattern) -> None:
        super().__init__(getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__ready"), pause)
        self._payload = getattr(dut, f"{name}__payload")
        self.name = name
        self.words: list[int] = []
        self._waiting: int | None = None

    def sample(self) -> bool:
        """Whether a word is taken."""
        if not int(self.valid.value):
            assert self._waiting is None, f"{self.name}: valid fell before the word was taken"
            return False
        word = int(self._payload.value)
        assert self._waiting in (None, word), f"{self.name}: payload changed before it was taken"
        if not self._ready_now:
            self._waiting = word
            return False
        self._waiting = None
        self.words.append(word)
        return True


class Bench:
    """Clock, reset and the cycle loop of a testbench.

    ``await bench.cycle()`` drives all ``parts`` after the rising edge and samples them at the
    falling edge, in their order; ``bench.cycles`` counts. Unit ports without streams are driven by
    the caller before the call and read after it.
    """

    def __init__(self, dut: Any, parts: Sequence[Part] = ()) -> None:
        self.dut = dut
        self.parts = parts
        self.cycles = 0
        self._rising, self._falling = RisingEdge(dut.clk), FallingEdge(dut.clk)

    async def reset(self, cycles: int = 2, **inputs: int) -> None:
        """Set these inputs, start the clock, and return after ``cycles`` rising edges in reset,
        when reset has just been released and inputs may change."""
        for name, value in inputs.items():
            getattr(self.dut, name).value = value
        self.dut.rst.value = 1
        Clock(self.dut.clk, CLOCK_PERIOD_NS, "ns").start(start_high=False)
        for _ in range(cycles):
            await self._rising
        self.dut.rst.value = 0

    async def start(self, **inputs: int) -> None:
        """:meth:`reset`, then wait for the falling edge."""
        await self.reset(**inputs)
        await self._falling

    async def rise(self) -> None:
        """Wait for the rising edge; then inputs may change."""
        await self._rising

    async def fall(self) -> None:
        """Wait for the falling edge; then outputs may be read."""
        await self._falling
        self.cycles += 1

    async def cycle(self) -> bool:
        """One clock cycle of all parts; whether anything moved."""
        await self._rising
        for part in self.parts:
            part.drive()
        await self.fall()
        return self.sample()

    def sample(self) -> bool:
        """At a falling edge: whether any part moves."""
        moved = [part.sample() for part in self.parts]
        return any(moved)


def job() -> dict[str, NDArray[Any]]:
    """What the caller gave to :func:`verilator.run`."""
    with np.load(os.environ[JOB_VARIABLE]) as archive:
        return {key: archive[key] for key in archive.files}


def finish(result: Mapping[str, Any]) -> None:
    """Hand arrays or numbers back to the caller of :func:`verilator.run`."""
    save_arrays(Path(os.environ[RESULT_VARIABLE]), result)


def report(fraction: float) -> None:
    """Tell the caller how much is done, 0 to 1."""
    Path(os.environ[PROGRESS_VARIABLE]).write_text(f"{fraction:.4f}")


def generator(job_seed: int | None = None) -> random.Random:
    """Seeded random numbers: of ``job_seed``, or of the seed that cocotb printed."""
    return random.Random(cocotb.RANDOM_SEED if job_seed is None else job_seed)
