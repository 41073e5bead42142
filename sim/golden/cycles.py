"""The cycle model: when every column, entry and row happens, exactly as in the hardware.

Times are in clock cycles from the first issued column, with input frames always there and output
always taken. The rules, with the latencies of :mod:`contract.timing`:

- The broadcaster issues at most one column a cycle, in program order, frames back to back, once
  (bank) the tile two before has drained, (dependency) the result it reads is visible, and (queue)
  every lane has fired its last entry of the column ``queue_depth`` before.
- A lane fires one entry a cycle, a column's first at the earliest BROADCAST after its issue.
- A tile's epilogue issues one row a cycle, after its last entry and after the epilogue before it;
  gate o of an LSTM cell trails its other gates by O_SKEW cells.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...contract import timing
from ...contract.config import EngineConfig
from ...contract.errors import EseError
from ...contract.program import Epilogue, Program, Segment
from .decode import DecodedModel


@dataclass(frozen=True)
class Stalls:
    """Cycles in which the broadcaster issued no column. Of several causes, a cycle counts for
    bank before dependency before queue, as the hardware's counters do."""

    bank: int
    dependency: int
    queue: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.bank + self.dependency + self.queue


@dataclass(frozen=True)
class FrameCycles:
    """Events of one frame; stalls are those before each of its columns."""

    first_issue: int
    last_issue: int
    last_fire: int
    last_visible: int
    """The frame's last result can be read as a column."""
    stalls: Stalls


@dataclass(frozen=True)
class CycleReport:
    """Cycles of a run, and of one frame in the steady state (the run's last frames)."""

    frames: tuple[FrameCycles, ...]
    lanes: int
    columns: int
    weights: int
    """Entries of a frame that carry a weight, all lanes."""
    nulls: int
    fillers: int
    cycles_per_frame: int
    """From one frame's last visible result to the next one's, for the last two frames."""
    settled: bool
    """The frame before took as long (always false for fewer than three frames)."""

    @property
    def entries(self) -> int:
        """Entries of a frame, nulls and fillers included."""
        return self.weights + self.nulls + self.fillers

    @property
    def ideal_cycles(self) -> int:
        """Cycles of a frame if no lane ever waited and every entry carried a weight."""
        return -(-self.weights // self.lanes)

    @property
    def utilisation(self) -> float:
        """Share of the multipliers' cycles in which they multiply a weight."""
        return self.weights / (self.lanes * self.cycles_per_frame)

    @property
    def starved_slots(self) -> int:
        """Lane cycles of a steady frame in which the lane fires nothing."""
        return self.lanes * self.cycles_per_frame - self.entries

    @property
    def stalls(self) -> Stalls:
        """The broadcaster's stalls in the last frame."""
        return self.frames[-1].stalls


def simulate_model(decoded: DecodedModel, frames: int = 5) -> CycleReport:
    """:func:`simulate_cycles` for a decoded image."""
    return simulate_cycles(decoded.config, decoded.counts, decoded.program, frames,
                           nulls=decoded.null_entries, fillers=decoded.filler_entries)


def simulate_cycles(config: EngineConfig, counts: Sequence[NDArray[np.int64]], program: Program,
                    frames: int, *, nulls: int = 0, fillers: int = 0) -> CycleReport:
    """Run ``frames`` frames of a program.

    counts: entries of each tile's columns in each lane, (lanes, columns) per tile, each at least
    1. frames: at least 2. nulls, fillers: how many of a frame's entries carry no weight.
    Raises EseError on wrong shapes, or if a column waits for a result of its own tile or later.
    """
    if frames < 2:
        raise EseError(f"frames: must be at least 2, got {frames}")
    shapes = [(config.lanes, sum(segment.length for segment in segments))
              for segments, _ in program.tiles()]
    if [part.shape for part in counts] != shapes:
        raise EseError(f"counts: must have the shapes {shapes}, got "
                       f"{[part.shape for part in counts]}")
    if any((part < 1).any() for part in counts):
        raise EseError("counts: must be at least 1 entry in every column of every lane, got 0")
    engine = _Engine(config, counts, program)
    done = tuple(engine.run_frame() for _ in range(frames))
    periods = [b.last_visible - a.last_visible for a, b in itertools.pairwise(done)]
    entries = sum(int(part.sum()) for part in counts)
    return CycleReport(frames=done, lanes=config.lanes,
                       columns=sum(columns for _, columns in shapes),
                       weights=entries - nulls - fillers, nulls=nulls, fillers=fillers,
                       cycles_per_frame=periods[-1],
                       settled=len(periods) > 1 and periods[-2] == periods[-1])


class _Engine:
    """Times so far: when lanes are free, columns left the queues, rows were issued."""

    def __init__(self, config: EngineConfig, counts: Sequence[NDArray[np.int64]],
                 program: Program) -> None:
        self._depth = config.queue_depth
        self._results = program.results
        self._tiles = [
            (_waits(segments), epilogue, np.ascontiguousarray(part.T))
            for (segments, epilogue), part in zip(program.tiles(), counts, strict=True)]
        self._lanes_last = np.full(config.lanes, -1, dtype=np.int64)
        self._issued = -1
        self._left = [-1] * self._depth
        """Cycle of each column's last entry; ``queue_depth`` columns before the first are there."""
        self._row_issues: list[int] = []
        """Of each result since the start (of gate o, for a cell)."""
        self._tile_ends = [-timing.BANK_FREE - timing.EPILOGUE_GAP] * 2
        self._frame = 0

    def run_frame(self) -> FrameCycles:
        """Issue the next frame's columns and finish its tiles."""
        stalls = [0, 0, 0]
        first = None
        for waits, epilogue, counts in self._tiles:
            start = self._run_columns(waits, counts, stalls)
            first = start if first is None else first
            self._finish_tile(epilogue)
        self._frame += 1
        assert first is not None
        return FrameCycles(first, self._issued, int(self._lanes_last.max()),
                           self._row_issues[-1] + timing.VISIBLE, Stalls(*stalls))

    def _run_columns(self, waits: list[int | None], counts: NDArray[np.int64],
                     stalls: list[int]) -> int:
        """Issue one tile's columns; returns the first one's cycle."""
        bank = self._tile_ends[-2] + timing.BANK_FREE
        offset = self._frame * self._results
        lanes_last, left, depth = self._lanes_last, self._left, self._depth
        first = -1
        for wait, entries in zip(waits, counts, strict=True):
            earliest = self._issued + 1
            dependency = 0
            if wait is not None and wait + offset > 0:
                if wait + offset > len(self._row_issues):
                    raise EseError(f"segments: a column must not wait for result {wait} of its "
                                   f"frame before an earlier tile has written it")
                dependency = self._row_issues[wait + offset - 1] + timing.VISIBLE
            at = max(earliest, bank)
            stalls[0] += at - earliest
            after = max(at, dependency)
            stalls[1] += after - at
            issue = max(after, left[-depth] + 1)
            stalls[2] += issue - after
            self._issued = issue
            first = issue if first < 0 else first
            np.maximum(lanes_last + 1, issue + timing.BROADCAST, out=lanes_last)
            lanes_last += entries
            lanes_last -= 1
            left.append(int(lanes_last.max()))
            bank = 0
        del left[:-depth]
        return first

    def _finish_tile(self, epilogue: Epilogue) -> None:
        """Issue one tile's rows."""
        start = max(int(self._lanes_last.max()) + timing.MAC + timing.EPILOGUE_START,
                    self._tile_ends[-1] + timing.EPILOGUE_GAP)
        if epilogue.lstm:
            per_cell = timing.ISSUES_PER_CELL
            start += per_cell * timing.O_SKEW + per_cell - 1
            issues = range(start, start + per_cell * epilogue.count, per_cell)
        else:
            issues = range(start, start + epilogue.count)
        self._row_issues += issues
        self._tile_ends = [self._tile_ends[-1], issues[-1]]


def _waits(segments: Sequence[Segment]) -> list[int | None]:
    """For each column the sequence number in the frame that it waits for, if any."""
    return [segment.need + column if segment.wait else None
            for segment in segments for column in range(segment.length)]
