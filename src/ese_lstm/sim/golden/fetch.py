"""Cycle model of the weight fetch: memory, AXI4 read master and gearbox, one cycle at a time.

Counts like ``hw/memory``, by its own code: a request every third cycle while fewer than
``outstanding`` bursts are under way, bursts cut at ``burst_beats``, at the round's end and at
4-KiB boundaries; beats in order, by the memory's bandwidth; rows through a buffer of 32 lines and
the gearbox's pipeline.
"""

from collections import deque

from ...contract.config import EngineConfig
from ...contract.layout import row_layout
from ...contract.memory import MemoryTiming
from ...contract.shell import PAGE_BYTES, ShellConfig
from ...contract.timing import FETCH_SETUP, LINES, REQUEST, WORD_BITS


class Memory:
    """Beats of the bursts asked for, in order."""

    def __init__(self, timing: MemoryTiming, beat_bits: int) -> None:
        self._timing = timing
        self._beat = beat_bits
        self._credit = beat_bits
        self._bursts: deque[list[int]] = deque()
        """Earliest cycle of the first beat, beats left."""
        self.offers = False
        self.last = False

    def ask(self, cycle: int, beats: int) -> None:
        """A burst is asked for in this cycle."""
        self._bursts.append([cycle + self._timing.latency, beats])

    def begin(self, cycle: int) -> None:
        """Offer a beat in this cycle, if there is one; an offered beat stays."""
        rate = min(self._timing.bits_per_cycle, self._beat)
        self._credit = min(self._credit + rate, self._beat + rate - 1)
        if self.offers or not self._bursts or self._credit < self._beat:
            return
        if self._bursts[0][0] > cycle or self._timing.refreshing(cycle):
            return
        self._credit -= self._beat
        self._bursts[0][1] -= 1
        self.offers, self.last = True, self._bursts[0][1] == 0
        if self.last:
            self._bursts.popleft()

    def take(self) -> None:
        """The offered beat is taken."""
        self.offers = False


class Fetch:
    """Rows in order, round after round. base: byte address of the first row."""

    def __init__(self, config: EngineConfig, shell: ShellConfig, timing: MemoryTiming, rows: int,
                 base: int = 0) -> None:
        self._shell = shell
        self.memory = Memory(timing, shell.memory_bits)
        self._words = row_layout(config).words32
        self._beat_words = shell.memory_bits // WORD_BITS
        banks = 1
        while banks < max(self._words, self._beat_words):
            banks *= 2
        self._capacity = LINES * banks
        self._rows, self._base = rows, base
        self._beats = -(-rows * self._words // self._beat_words)
        self._start = self._words.bit_length() + FETCH_SETUP + REQUEST - 2
        self._phase = 0
        self._address, self._remaining, self._length = base, self._beats, 0
        self._outstanding, self._room_ahead = 0, True
        self._level, self._room = 0, True
        self._left = rows
        turn_stages = ((banks - 1).bit_length() + 1) // 2
        self._pipeline = [False] * (1 + turn_stages)
        self.beats = 0
        """Beats taken."""

    @property
    def round_bits(self) -> int:
        """Bits of a round, in whole beats."""
        return self._beats * self._shell.memory_bits

    @property
    def offers(self) -> bool:
        """A row is valid at the engine."""
        return self._pipeline[-1]

    def step(self, cycle: int, ready: bool) -> None:
        """One cycle; ready: the engine takes the row that is offered."""
        asked = self._ask(cycle)
        self.memory.begin(cycle)
        write = self.memory.offers and self._room
        done = write and self.memory.last
        if write:
            self.memory.take()
            self.beats += 1
        self._outstanding += asked - done
        self._room_ahead = self._outstanding != self._shell.outstanding

        pipeline = self._pipeline
        free = ready
        advance = [False] * len(pipeline)
        for stage in reversed(range(len(pipeline))):
            free = not pipeline[stage] or free
            advance[stage] = free
        read = advance[0] and self._level >= self._words
        for stage in reversed(range(len(pipeline))):
            if advance[stage]:
                pipeline[stage] = pipeline[stage - 1] if stage else read
        if write:
            self._level += self._beat_words
        if read:
            self._level -= self._words
            self._left -= 1
            if self._left == 0:
                self._left = self._rows
                self._level -= -self._rows * self._words % self._beat_words
        self._room = self._level <= self._capacity - self._beat_words

    def _ask(self, cycle: int) -> bool:
        """The read master's three steps a burst: limit, length, request."""
        if cycle < self._start:
            return False
        shell = self._shell
        if self._phase == 0:
            self._phase = 1
        elif self._phase == 1:
            to_page = (PAGE_BYTES - self._address % PAGE_BYTES) // shell.memory_bytes
            self._length = min(shell.burst_beats, self._remaining, to_page)
            self._phase = 2 if self._room_ahead else 1
        else:
            self.memory.ask(cycle, self._length)
            self._phase = 0
            self._address += self._length * shell.memory_bytes
            self._remaining -= self._length
            if not self._remaining:
                self._address, self._remaining = self._base, self._beats
            return True
        return False
