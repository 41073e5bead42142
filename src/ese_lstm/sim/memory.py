"""How an external memory answers what it is asked to read: one rule for the cycle model and for
every memory that a testbench puts behind the hardware."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

from ..contract.memory import MemoryTiming

NEVER = repeat(False)


class Beat(NamedTuple):
    """A beat that the memory offers. place: its number, from that of its burst's first beat on."""

    place: int
    identifier: int
    last: bool


@dataclass
class _Burst:
    due: int
    place: int
    beats: int
    identifier: int


class Reads:
    """Beats of the bursts asked for, in order, no earlier and no faster than ``timing`` says, which
    may be changed while nothing is under way."""

    def __init__(self, timing: MemoryTiming, beat_bits: int) -> None:
        self.timing = timing
        self._beat = beat_bits
        self._credit = beat_bits
        self._bursts: deque[_Burst] = deque()
        self.offered: Beat | None = None

    @property
    def under_way(self) -> bool:
        """Not every beat asked for was taken."""
        return bool(self._bursts) or self.offered is not None

    def ask(self, cycle: int, place: int, beats: int, identifier: int = 0) -> None:
        """A burst is asked for in this cycle."""
        self._bursts.append(_Burst(cycle + self.timing.latency, place, beats, identifier))

    def offer(self, cycle: int, pause: Iterator[bool] = NEVER) -> Beat | None:
        """What is offered in this cycle: a beat stays until :meth:`take`. pause: whether the memory
        does nothing where it could offer one."""
        rate = min(self.timing.bits_per_cycle, self._beat)
        self._credit = min(self._credit + rate, self._beat + rate - 1)
        if self.offered is None and self._bursts and self._credit >= self._beat:
            burst = self._bursts[0]
            if burst.due <= cycle and not self.timing.refreshing(cycle) and not next(pause):
                self._credit -= self._beat
                self.offered = Beat(burst.place, burst.identifier, burst.beats == 1)
                burst.place += 1
                burst.beats -= 1
                if not burst.beats:
                    self._bursts.popleft()
        return self.offered

    def take(self) -> None:
        """The offered beat is taken."""
        self.offered = None
