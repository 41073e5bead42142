"""The cycle model: when every column, entry and row happens, exactly as in the hardware.

Times are in clock cycles from the first issued column, with input frames always there and output
always taken. The rules, with the latencies of :mod:`contract.timing`:

- The broadcaster issues at most one column a cycle, in program order, frames back to back, once
  (bank) the tile two before has drained, (dependency) the result it reads is visible, and (queue)
  every lane has fired its last entry of the column ``queue_depth`` before.
- A lane fires one entry a cycle, a column's first at the earliest BROADCAST after its issue.
- A tile's epilogue issues one row a cycle, after its last entry and after the epilogue before it;
  gate o of an LSTM cell trails its other gates by O_SKEW cells.

A lane cycle belongs to the segment of the entry that the lane fires in it or, if it fires none,
of the column that it waits for; so segments share out a frame's lane cycles without rest.
"""

import itertools
from collections.abc import Iterator, Sequence
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
class SegmentCycles:
    """What one segment took in one frame."""

    entries: int
    """Lane cycles in which a lane fired an entry of the segment."""
    starved: Stalls
    """Lane cycles in which a lane waited for a column of the segment, by what held the broadcaster
    back last."""
    stalls: Stalls

    @property
    def lane_cycles(self) -> int:
        """All lane cycles that belong to the segment."""
        return self.entries + self.starved.total


@dataclass(frozen=True)
class FrameCycles:
    """Events of one frame; stalls are those before each of its columns."""

    last_issue: int
    last_fire: int
    last_visible: int
    """The frame's last result can be read as a column."""
    stalls: Stalls
    segments: tuple[SegmentCycles, ...]
    """In the program's order."""


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

    @property
    def periods(self) -> list[int]:
        """From each frame's last visible result to the next one's."""
        return [b.last_visible - a.last_visible for a, b in itertools.pairwise(self.frames)]

    @property
    def cycles_per_frame(self) -> int:
        """The last of ``periods``."""
        return self.periods[-1]

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
    def stalls(self) -> Stalls:
        """The broadcaster's stalls in the last frame."""
        return self.frames[-1].stalls


def simulate_model(decoded: DecodedModel, frames: int = 5, *,
                   cycles_per_cell: int | None = None) -> CycleReport:
    """:func:`simulate_cycles` for a decoded image."""
    return simulate_cycles(decoded.config, decoded.counts, decoded.program, frames,
                           nulls=decoded.null_entries, fillers=decoded.filler_entries,
                           cycles_per_cell=cycles_per_cell)


def simulate_cycles(config: EngineConfig, counts: Sequence[NDArray[np.int64]], program: Program,
                    frames: int, *, nulls: int = 0, fillers: int = 0,
                    cycles_per_cell: int | None = None) -> CycleReport:
    """Run ``frames`` frames of a program.

    counts: entries of each tile's columns in each lane, (lanes, columns) per tile, each at least
    1. frames: at least 2. nulls, fillers: how many of a frame's entries carry no weight.
    cycles_per_cell: of the epilogue; other values than the hardware's say what another
    element-wise unit would give, its linear rows still one a cycle.
    Raises EseError on wrong shapes, or if a column waits for a result of its own tile or later.
    """
    if frames < 2:
        raise EseError(f"frames: must be at least 2, got {frames}")
    shapes = [(config.lanes, sum(segment.length for segment in segments))
              for segments, _ in program.tiles()]
    if cycles_per_cell is not None and cycles_per_cell < 1:
        raise EseError(f"cycles_per_cell: must be at least 1, got {cycles_per_cell}")
    if [part.shape for part in counts] != shapes:
        raise EseError(f"counts: must have the shapes {shapes}, got "
                       f"{[part.shape for part in counts]}")
    if any((part < 1).any() for part in counts):
        raise EseError("counts: must be at least 1 entry in every column of every lane, got 0")
    engine = _Engine(config, counts, program, cycles_per_cell)
    done = tuple(engine.run_frame() for _ in range(frames))
    entries = sum(int(part.sum()) for part in counts)
    return CycleReport(frames=done, lanes=config.lanes,
                       columns=sum(columns for _, columns in shapes),
                       weights=entries - nulls - fillers, nulls=nulls, fillers=fillers)


class _Engine:
    """Times so far: when lanes are free, columns left the queues, rows were issued."""

    def __init__(self, config: EngineConfig, counts: Sequence[NDArray[np.int64]],
                 program: Program, cycles_per_cell: int | None) -> None:
        self._per_cell = cycles_per_cell
        self._depth = config.queue_depth
        self._results = program.results
        self._tiles = [
            (list(_pieces(segments, np.ascontiguousarray(part.T))), epilogue)
            for (segments, epilogue), part in zip(program.tiles(), counts, strict=True)]
        self._lanes_last = np.full(config.lanes, -1, dtype=np.int64)
        self._issued = -1
        self._left = [-1] * self._depth
        """Cycle of each column's last entry; ``queue_depth`` columns before the first are there."""
        self._row_issues: list[int] = []
        """Of each result since the start (of gate o, for a cell)."""
        self._tile_ends = [-timing.BANK_FREE - timing.EPILOGUE_GAP] * 2
        self._frame = 0
        self._cause = 0
        """What held the broadcaster back last: bank, dependency, queue."""

    def run_frame(self) -> FrameCycles:
        """Issue the next frame's columns and finish its tiles."""
        done: list[SegmentCycles] = []
        for segments, epilogue in self._tiles:
            bank = self._tile_ends[-2] + timing.BANK_FREE
            for waits, counts in segments:
                done.append(self._run_columns(waits, counts, bank))
                bank = 0
            self._finish_tile(epilogue)
        self._frame += 1
        stalls = Stalls(*(sum(getattr(part.stalls, name) for part in done)
                          for name in ("bank", "dependency", "queue")))
        return FrameCycles(self._issued, int(self._lanes_last.max()),
                           self._row_issues[-1] + timing.VISIBLE, stalls, tuple(done))

    def _run_columns(self, waits: list[int | None], counts: NDArray[np.int64],
                     bank: int) -> SegmentCycles:
        """Issue one segment's columns."""
        offset = self._frame * self._results
        lanes_last, left, depth = self._lanes_last, self._left, self._depth
        stalls, starved = [0, 0, 0], [0, 0, 0]
        for wait, entries in zip(waits, counts, strict=True):
            earliest = self._issued + 1
            dependency = 0
            if wait is not None and wait + offset > 0:
                if wait + offset > len(self._row_issues):
                    raise EseError(f"segments: a column must not wait for result {wait} of its "
                                   f"frame before an earlier tile has written it")
                dependency = self._row_issues[wait + offset - 1] + timing.VISIBLE
            reached = earliest
            for cause, allowed in enumerate((bank, dependency, left[-depth] + 1)):
                if allowed > reached:
                    stalls[cause] += allowed - reached
                    reached = allowed
                    self._cause = cause
            self._issued = reached
            ready = np.maximum(lanes_last + 1, reached + timing.BROADCAST)
            starved[self._cause] += int((ready - lanes_last).sum()) - len(ready)
            np.add(ready, entries - 1, out=lanes_last)
            left.append(int(lanes_last.max()))
            bank = 0
        del left[:-depth]
        return SegmentCycles(int(counts.sum()), Stalls(*starved), Stalls(*stalls))

    def _finish_tile(self, epilogue: Epilogue) -> None:
        """Issue one tile's rows."""
        issues = epilogue_issues(epilogue, int(self._lanes_last.max()), self._tile_ends[-1],
                                 self._per_cell)
        self._row_issues += issues
        self._tile_ends = [self._tile_ends[-1], issues[-1]]


def epilogue_issues(epilogue: Epilogue, fired: int, before: int,
                    cycles_per_cell: int | None = None) -> range:
    """Cycles in which the rows that complete a tile's results issue. fired: of the tile's last
    entry; before: last issue of the tile before. cycles_per_cell: of a unit of several rows, None:
    as many as it has rows."""
    first = max(fired + timing.MAC + timing.EPILOGUE_START, before + timing.EPILOGUE_GAP)
    rows = epilogue.cell.size
    each = cycles_per_cell or rows if rows > 1 else 1
    first += each - 1
    if epilogue.cell.trails:
        first += each * timing.o_skew(each)
    return range(first, first + each * epilogue.count, each)


def _pieces(segments: Sequence[Segment], counts: NDArray[np.int64]
            ) -> Iterator[tuple[list[int | None], NDArray[np.int64]]]:
    """Of each segment: the sequence number in the frame that each column waits for, if any, and
    the columns' entries; counts of the whole tile, (columns, lanes)."""
    first = 0
    for segment in segments:
        waits = [segment.need + column if segment.wait else None
                 for column in range(segment.length)]
        yield waits, counts[first:first + segment.length]
        first += segment.length
