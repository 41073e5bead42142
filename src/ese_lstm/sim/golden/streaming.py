"""Cycle model of an engine that streams weights: every cycle of lanes, FIFOs and memory.

The rules are those of :mod:`cycles`, and besides: a lane fires an entry of a streamed column only
when its fetch FIFO has it; a row goes on to the lanes when each lane that it has an entry for has
room. As lanes, rows and memory wait for each other, time goes cycle by cycle here, with all lanes
at once. Input frames are always there and output is always taken.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...contract import timing
from ...contract.errors import EseError
from ...contract.memory import MemoryTiming
from ...contract.program import Epilogue
from ...contract.shell import ShellConfig
from .cycles import CycleReport, FrameCycles, Stalls, epilogue_issues
from .decode import DecodedModel
from .fetch import Fetch

PATIENCE = 20_000


@dataclass(frozen=True)
class StreamedReport(CycleReport):
    """Cycles of a run with streamed weights; ``frames`` have no segments.

    starved_rows: lane cycles of the last frame in which a lane had a streamed column at its head
    but no entry. memory_bits: bits that a frame takes from memory, in whole beats.
    """

    starved_rows: int = 0
    memory_bits: int = 0


def simulate_streamed(decoded: DecodedModel, shell: ShellConfig, memory: MemoryTiming,
                      frames: int = 4, *, lead: int = 0) -> StreamedReport:
    """Run ``frames`` frames of an image with streamed weights.

    lead: cycles from the start of the engine (and with it, the weight fetch) to the first column
    that may be issued. Raises EseError for fewer than two frames, an image without streamed
    weights, or if nothing moves any more.
    """
    if frames < 2:
        raise EseError(f"frames: must be at least 2, got {frames}")
    if decoded.rows is None:
        raise EseError("image: must have streamed weights for this model, got none")
    engine = _Engine(decoded, shell, memory, lead)
    done = engine.run(frames)
    return StreamedReport(
        frames=tuple(done), lanes=decoded.config.lanes, columns=engine.columns,
        weights=decoded.entries, nulls=decoded.null_entries, fillers=decoded.filler_entries,
        starved_rows=engine.starved[-1], memory_bits=engine.fetch.round_bits)


class _Rows:
    """The stage where a row waits, and the lanes' fetch FIFOs."""

    def __init__(self, masks: NDArray[np.bool_], depth: int) -> None:
        self._masks = masks
        self._next = 0
        self._depth = depth
        lanes = masks.shape[1]
        self._none = np.zeros(lanes, bool)
        self._waiting: NDArray[np.bool_] | None = None
        self._fits = False
        self._arriving = self._none
        self._level = np.zeros(lanes, np.int64)
        self._outstanding = np.zeros(lanes, np.int64)
        self._room = np.ones(lanes, bool)
        self._moving = [np.zeros(lanes, bool) for _ in range(timing.FIFO_OUT)]
        self.there = np.zeros(lanes, np.int64)
        """Entries that each lane's decoder can take, in order."""

    @property
    def ready(self) -> bool:
        """A row is taken in this cycle, if one is offered."""
        return self._waiting is None or self._fits

    def begin(self) -> None:
        """Entries that have come through the FIFOs by this cycle."""
        self.there = self.there + self._moving[-1]

    def step(self, offered: bool, fired: NDArray[np.bool_]) -> None:
        """One cycle; fired: lanes that take a streamed entry."""
        self.there = self.there - fired
        pushed = (self._waiting if self._waiting is not None and self._fits else self._none)
        if self.ready:
            self._waiting = None
            if offered:
                self._waiting = self._masks[self._next]
                self._next = (self._next + 1) % len(self._masks)
        self._fits = self._waiting is not None and not (self._waiting & ~self._room).any()
        fetched = (self._level != 0) & (self._outstanding != timing.PREFETCH)
        self._level = self._level + self._arriving - fetched
        self._outstanding = self._outstanding + fetched - fired
        self._room = self._level <= self._depth - timing.ROW_ROOM
        self._moving = [fetched, *self._moving[:-1]]
        self._arriving = pushed


class _Engine:
    """Time so far, column by column of each lane."""

    def __init__(self, decoded: DecodedModel, shell: ShellConfig, memory: MemoryTiming,
                 lead: int) -> None:
        config, program = decoded.config, decoded.program
        assert decoded.rows is not None
        self._lead = lead
        self._depth = config.queue_depth
        self._results = program.results
        self._counts = np.ascontiguousarray(np.concatenate(decoded.counts, axis=1).T)
        self.columns = len(self._counts)
        self._streamed = np.repeat([segment.streamed for segment in program.segments],
                                   [segment.length for segment in program.segments])
        self._waits: list[int | None] = [
            segment.need + k if segment.wait else None
            for segment in program.segments for k in range(segment.length)]
        sizes = [sum(segment.length for segment in segments) for segments, _ in program.tiles()]
        self._ends = np.cumsum(sizes)
        self._firsts = {int(end) - size: number for number, (end, size) in
                        enumerate(zip(self._ends, sizes, strict=True))}
        self._epilogues = program.epilogues
        self._rows = _Rows(decoded.rows, config.fetch_depth)
        self.fetch = Fetch(config, shell, memory, len(decoded.rows))
        self.starved: list[int] = []
        """Of each frame: lane cycles without a streamed entry, by the column waited for."""
        self._row_issues: list[int] = []
        self._tile_ends = [-timing.BANK_FREE - timing.EPILOGUE_GAP] * 2

    def run(self, frames: int) -> list[FrameCycles]:
        """Run until the last frame's last tile has drained."""
        total, lanes = self.columns * frames, self._counts.shape[1]
        head = np.zeros(lanes, np.int64)
        left = self._counts[0].astype(np.int64)
        issued_at = np.full(total + 1, PATIENCE << 20)
        issued, tiles, moved = 0, len(self._epilogues), 0
        finished = 0
        stalls = np.zeros((frames + 1, 3), np.int64)
        starved = np.zeros(frames + 1, np.int64)
        last_issue, last_fire, visible = ([0] * frames for _ in range(3))
        cycle = 0
        while finished < frames * tiles:
            rows = self._rows
            rows.begin()
            # Lanes: heads are columns issued BROADCAST cycles ago.
            place = head % self.columns
            has = issued_at[head] + timing.BROADCAST <= cycle
            streamed = has & self._streamed[place]
            waits = streamed & (rows.there == 0)
            fires = has & ~waits
            if waits.any():
                np.add.at(starved, head[waits] // self.columns, 1)
            # The broadcaster sees the columns that have left the queues by the cycle before.
            if issued < total and cycle >= self._lead:
                cause = self._blocked(issued, cycle, int(head.min()))
                frame = issued // self.columns
                if cause is None:
                    last_issue[frame] = cycle
                    issued_at[issued] = cycle
                    issued += 1
                else:
                    stalls[frame, cause] += 1
            offered, ready = self.fetch.offers, rows.ready
            rows.step(offered, streamed & fires)
            self.fetch.step(cycle, ready)
            left = left - fires
            ended = fires & (left == 0)
            if ended.any():
                head = head + ended
                left = np.where(ended, self._counts[head % self.columns, np.arange(lanes)], left)
                frame, tile = divmod(finished, tiles)
                while finished < frames * tiles \
                        and head.min() >= frame * self.columns + self._ends[tile]:
                    self._finish_tile(self._epilogues[tile], cycle)
                    if tile == tiles - 1:
                        last_fire[frame] = cycle
                        visible[frame] = self._row_issues[-1] + timing.VISIBLE
                    finished += 1
                    frame, tile = divmod(finished, tiles)
            moved = cycle if fires.any() else moved
            if cycle - moved > PATIENCE:
                raise EseError(f"image.rows: lanes must not wait for each other for ever, but "
                               f"nothing moves after cycle {moved}")
            cycle += 1
        self.starved = [int(count) for count in starved[:frames]]
        return [FrameCycles(last_issue[k], last_fire[k], visible[k],
                            Stalls(*(int(count) for count in stalls[k])), ())
                for k in range(frames)]

    def _blocked(self, issued: int, cycle: int, left: int) -> int | None:
        """Why the next column isn't issued: bank, dependency, queue, or nothing."""
        frame, column = divmod(issued, self.columns)
        tile = self._firsts.get(column)
        if tile is not None:
            number = frame * len(self._epilogues) + tile
            # The ends of the tile before and of the one before that; only drained tiles are there.
            drained = len(self._tile_ends) - 2
            if number - 1 > drained or (
                    self._tile_ends[number] + timing.BANK_FREE > cycle):
                return 0
        wait = self._waits[column]
        if wait is not None and wait + frame * self._results > 0:
            result = wait + frame * self._results
            if result > len(self._row_issues) \
                    or self._row_issues[result - 1] + timing.VISIBLE > cycle:
                return 1
        return 2 if issued - left >= self._depth else None

    def _finish_tile(self, epilogue: Epilogue, fired: int) -> None:
        issues = epilogue_issues(epilogue, fired, self._tile_ends[-1])
        self._row_issues += issues
        self._tile_ends.append(issues[-1])
