"""Which weights stay in the lanes' memories and which are streamed from external memory.

A *column* of a tile is resident or streamed, in all lanes alike; a segment says which. Streaming
costs memory bandwidth evenly only if resident columns lie between streamed ones, so ``auto``
splits segments into pieces, streamed and resident in turns, as many as the segment memory holds.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.program import Program, Segment
from .compile import Compiled
from .pack import entry_counts

CHOICES = ("auto", "all", "none")
_STEPS = 256


def assign_resident(compiled: Compiled, config: EngineConfig, choice: str = "auto") -> Compiled:
    """The program with streamed segments.

    choice: ``auto`` keeps everything resident that fits; ``all``; ``none``; or the numbers of the
    tiles to keep, like ``0,3-5``. Raises EseError if the engine can't stream (``fetch_depth`` 0)
    and the choice asks for it, or for a choice that does not exist.
    """
    program = compiled.program
    tiles = _parse(choice, len(program.epilogues))
    if not config.fetch_depth:
        if choice in ("auto", "all"):
            return compiled
        raise EseError(f"resident: must be 'auto' or 'all' for an engine with fetch_depth 0, got "
                       f"{choice!r}")
    if tiles is not None:
        return replace(compiled, program=replace(program, segments=tuple(
            replace(segment, streamed=number not in tiles)
            for number, (segments, _) in enumerate(program.tiles()) for segment in segments)))
    return replace(compiled, program=_fill(compiled, config))


def _parse(choice: str, tiles: int) -> set[int] | None:
    """Numbers of the resident tiles; None for ``auto``."""
    if choice in CHOICES:
        return {"auto": None, "all": set(range(tiles)), "none": set()}[choice]
    kept: set[int] = set()
    for part in choice.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise EseError(f"resident: must be {', '.join(CHOICES)} or numbers of tiles like "
                           f"0,3-5, got {choice!r}")
        kept |= set(range(int(first), int(last if dash else first) + 1))
    if kept and max(kept) >= tiles:
        raise EseError(f"resident: must name tiles 0 to {tiles - 1} of this network, got "
                       f"{max(kept)}")
    return kept


def _fill(compiled: Compiled, config: EngineConfig) -> Program:
    """As many resident columns as fit, spread evenly over the frame."""
    program = compiled.program
    counts = entry_counts(program, compiled.tiles, config)
    lengths = [segment.length for segment in program.segments]
    if int(counts.sum(axis=1).max()) <= config.stream_depth:
        return program
    first = np.cumsum([0, *lengths])
    work = np.add.reduceat(counts.sum(axis=0), first[:-1])
    periods = _periods(work, lengths, config.segment_depth)

    def resident(share: int) -> NDArray[np.bool_]:
        return np.concatenate([_pattern(length, count, share)
                               for length, count in zip(lengths, periods, strict=True)])

    low, high = 0, _STEPS
    while high - low > 1:
        share = (low + high) // 2
        fits = int(counts[:, resident(share)].sum(axis=1).max(initial=0)) <= config.stream_depth
        low, high = (share, high) if fits else (low, share)
    mask = resident(low)
    return replace(program, segments=tuple(
        piece for number, segment in enumerate(program.segments)
        for piece in split(segment, mask[first[number]:first[number + 1]])))


def _periods(work: NDArray[np.int64], lengths: list[int], pieces: int) -> list[int]:
    """Turns of streamed and resident columns in each segment: 0 or more, two pieces a turn, in
    proportion to the work; a segment with none is one piece. Every round spends a spare one."""
    turns = [0] * len(lengths)
    spare = pieces - len(lengths)
    most = [length // 2 for length in lengths]
    # The first turn costs one piece more than a whole segment, every other one two.
    while True:
        share = [float(load) / (turn + 0.5) if turn < limit else -1.0
                 for load, turn, limit in zip(work.tolist(), turns, most, strict=True)]
        number = int(np.argmax(share))
        cost = 2 if turns[number] else 1
        if share[number] < 0 or cost > spare:
            return turns
        turns[number] += 1
        spare -= cost


def _pattern(length: int, turns: int, share: int) -> NDArray[np.bool_]:
    """Resident columns of a segment: the last ``share / _STEPS`` of each turn; a segment without
    turns is streamed, or resident if that is everything."""
    if not turns:
        return np.full(length, share == _STEPS)
    edges = np.arange(turns + 1) * length // turns
    sizes = np.diff(edges)
    keep = sizes * share // _STEPS
    turn = np.repeat(np.arange(turns), sizes)
    return np.asarray(np.arange(length) >= edges[turn + 1] - keep[turn])


def split(segment: Segment, resident: NDArray[np.bool_]) -> Iterator[Segment]:
    """The segment in pieces of columns that are alike; resident: (length,)."""
    edges = [0, *(np.flatnonzero(resident[1:] != resident[:-1]) + 1).tolist(), segment.length]
    for first, end in pairwise(edges):
        yield replace(
            segment, base_even=segment.base_even + first, base_odd=segment.base_odd + first,
            length=end - first, need=segment.need + first if segment.wait else segment.need,
            last=segment.last and end == segment.length, streamed=not resident[first])
