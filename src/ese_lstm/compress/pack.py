"""From compiled tiles to lane streams and an image.

Every lane reads its own stream strictly in order: tiles in program order, columns in the tile's
order, rows ascending. See :func:`contract.layout.entry_layout` for the entry. Entries of streamed
columns go into rows instead (:mod:`compress.rows`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..contract.config import RELATIVE_BITS, EngineConfig
from ..contract.errors import EseError
from ..contract.image import (
    Image,
    LayerInfo,
    Manifest,
    MatrixInfo,
    checksum,
    split_words,
)
from ..contract.layout import (
    entry_layout,
    epilogue_layout,
    header_layout,
    param_layout,
    segment_layout,
)
from ..contract.program import Program, TileWeights
from .compile import Compiled
from .rows import pack_rows

REACH = 1 << RELATIVE_BITS
"""Rows that one relative index moves on at most."""


@dataclass(frozen=True)
class Streams:
    """Packed entries, lane after lane, and what they are.

    entries: (total,) resident words of :func:`contract.layout.entry_layout`; lane_lengths:
    (lanes,). rows: (n, words32) of :func:`contract.layout.row_layout`, with ``streamed`` entries.
    weights + nulls + fillers = total + streamed. published_fillers: fillers that the paper's
    relative index would need, whatever the index mode.
    """

    entries: NDArray[np.uint32]
    lane_lengths: NDArray[np.uint32]
    rows: NDArray[np.uint32]
    streamed: int
    weights: int
    nulls: int
    fillers: int
    published_fillers: int


@dataclass(frozen=True)
class Provenance:
    """What an image records of its origin."""

    source: str = "network"
    sha256: str = ""
    command: str = ""


@dataclass(frozen=True)
class _Entries:
    """All entries in order of lane and column; group = lane · columns + column."""

    group: NDArray[np.int64]
    index: NDArray[np.int64]
    weights: NDArray[np.int64]
    last: NDArray[np.bool_]
    nulls: int
    fillers: int
    published_fillers: int


def pack_streams(program: Program, tiles: Sequence[TileWeights],
                 config: EngineConfig) -> Streams:
    """Pack the weights of all tiles; one null entry for each empty (lane, column).

    Raises EseError if a weight exceeds ``weight_bits`` or a lane's stream ``stream_depth``.
    """
    entries = _entries(program, tiles, config)
    lane, column = np.divmod(entries.group, _columns(program))
    streamed = np.repeat([segment.streamed for segment in program.segments],
                         [segment.length for segment in program.segments])[column]
    lengths = np.bincount(lane[~streamed], minlength=config.lanes)
    worst = int(np.argmax(lengths))
    if lengths[worst] > config.stream_depth:
        raise EseError(f"stream_depth: the weight memory of a lane must hold {lengths[worst]} "
                       f"entries for this network (lane {worst}), but has {config.stream_depth}, "
                       f"{lengths[worst] - config.stream_depth} too few")
    words = _entry_words(entries.weights, entries.index, entries.last, config)
    rows = (pack_rows(words[streamed].astype(np.int64), lane[streamed], column[streamed], config)
            if config.fetch_depth else np.zeros((0, 0), np.uint32))
    return Streams(words[~streamed], lengths.astype(np.uint32), rows,
                   int(np.count_nonzero(streamed)), int(np.count_nonzero(entries.weights)),
                   entries.nulls, entries.fillers, entries.published_fillers)


def entry_counts(program: Program, tiles: Sequence[TileWeights],
                 config: EngineConfig) -> NDArray[np.int64]:
    """Entries of each lane and column of the program, nulls and fillers included;
    (lanes, columns)."""
    columns = _columns(program)
    return np.bincount(_entries(program, tiles, config).group,
                       minlength=config.lanes * columns).reshape(config.lanes, columns)


def _columns(program: Program) -> int:
    return sum(segment.length for segment in program.segments)


def _entries(program: Program, tiles: Sequence[TileWeights], config: EngineConfig) -> _Entries:
    lanes, columns, banks, weights = _by_lane(program, tiles, config)
    total_columns = _columns(program)
    group = lanes * total_columns + columns
    empty = np.ones(config.lanes * total_columns, dtype=bool)
    empty[group] = False
    null_groups = np.flatnonzero(empty)
    group = np.concatenate([group, null_groups])
    banks = np.concatenate([banks, np.zeros(len(null_groups), np.int64)])
    weights = np.concatenate([weights, np.zeros(len(null_groups), np.int64)])
    order = np.argsort(group * config.acc_rows + banks)
    group, banks, weights = group[order], banks[order], weights[order]
    last = np.append(group[1:] != group[:-1], True)
    gaps = _gaps(banks, last)
    published_fillers = int((gaps // REACH).sum())
    if config.index_mode == "absolute":
        index, fillers = banks, 0
    else:
        group, index, weights, last = _relative(group, gaps, weights, last)
        fillers = published_fillers
    return _Entries(group, index, weights, last, len(null_groups), fillers, published_fillers)


def _by_lane(program: Program, tiles: Sequence[TileWeights], config: EngineConfig
             ) -> tuple[NDArray[np.int64], ...]:
    """Lane, column in the program, row in the lane's bank and weight of every entry."""
    parts: list[tuple[NDArray[np.int64], ...]] = []
    offset = 0
    for (segments, epilogue), tile in zip(program.tiles(), tiles, strict=True):
        if tile.weights.dtype.kind not in "iu":
            raise EseError(f"weights: must be integers to be packed, got {tile.weights.dtype}")
        size = epilogue.cell.size
        unit, row = divmod(tile.rows, size)
        lane, slot = unit % config.lanes, unit // config.lanes
        bank = size * slot + row
        parts.append((lane, tile.columns + offset, bank, tile.weights.astype(np.int64)))
        offset += sum(segment.length for segment in segments)
    return tuple(np.concatenate([part[k] for part in parts]) for k in range(4))


def _gaps(banks: NDArray[np.int64], last: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows skipped before each entry since the one before it in its column, or since row −1."""
    first = np.append(True, last[:-1])
    return np.asarray(banks - np.where(first, -1, np.append(-1, banks[:-1])) - 1)


def _relative(group: NDArray[np.int64], gaps: NDArray[np.int64], weights: NDArray[np.int64],
              last: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64],
                                                NDArray[np.int64], NDArray[np.bool_]]:
    """Relative indices, with fillers before each entry whose gap is over 15."""
    extra = gaps // REACH
    position = np.cumsum(extra + 1) - 1
    total = len(group) + int(extra.sum())
    index = np.full(total, REACH - 1, np.int64)
    index[position] = gaps % REACH
    packed_weights = np.zeros(total, np.int64)
    packed_weights[position] = weights
    packed_last = np.zeros(total, bool)
    packed_last[position] = last
    return np.repeat(group, extra + 1), index, packed_weights, packed_last


def _entry_words(weights: NDArray[np.int64], index: NDArray[np.int64], last: NDArray[np.bool_],
                 config: EngineConfig) -> NDArray[np.uint32]:
    layout = entry_layout(config)
    words = np.zeros(len(weights), np.int64)
    for name, values in (("weight", weights), ("index", index), ("last", last.astype(np.int64))):
        field = layout.field(name)
        if len(values) and not (values.min() >= field.minimum and values.max() <= field.maximum):
            worst = values[np.argmax(np.abs(values))]
            raise EseError(f"entry.{name}: must be {field.minimum} to {field.maximum}, "
                           f"got {worst}")
        words |= (values & ((1 << field.bits) - 1)) << layout.offset(name)
    return words.astype(np.uint32)


def pack_image(compiled: Compiled, config: EngineConfig, layers: Sequence[LayerInfo],
               matrices: Sequence[MatrixInfo], provenance: Provenance,
               input_exponents: Sequence[int] = ()) -> Image:
    """The image of an integer network: the same bytes for the same input.

    input_exponents: none means 0 for every input column.
    """
    program = compiled.program
    streams = pack_streams(program, compiled.tiles, config)
    sections = {
        "header": split_words([header_layout(config).pack({
            "input_even": program.input_even, "input_odd": program.input_odd,
            "input_width": program.input_width, "results": program.results})],
            header_layout(config)),
        "segments": split_words(_segment_words(program, config), segment_layout(config)),
        "epilogues": split_words(_epilogue_words(program, config), epilogue_layout(config)),
        "params": split_words(_param_words(compiled, config), param_layout(config)),
        "entries": streams.entries,
        "lane_lengths": streams.lane_lengths,
    }
    if config.fetch_depth:
        sections["rows"] = streams.rows
    manifest = Manifest(
        config=config.model_dump(), source=provenance.source, source_sha256=provenance.sha256,
        command=provenance.command, layers=tuple(layers), matrices=tuple(matrices),
        input_exponents=tuple(input_exponents) or (0,) * program.input_width,
        entries=streams.weights, null_entries=streams.nulls, filler_entries=streams.fillers,
        published_fillers=streams.published_fillers, streamed_entries=streams.streamed,
        dense_weights=sum(matrix.rows * matrix.columns for matrix in matrices),
        sections={name: checksum(section) for name, section in sections.items()})
    return Image(manifest, config, sections)


def _segment_words(program: Program, config: EngineConfig) -> list[int]:
    layout = segment_layout(config)
    final = len(program.segments) - 1
    return [layout.pack(segment.fields(config, end=number == final))
            for number, segment in enumerate(program.segments)]


def _epilogue_words(program: Program, config: EngineConfig) -> list[int]:
    layout = epilogue_layout(config)
    final = len(program.epilogues) - 1
    return [layout.pack({**vars(epilogue), "end": number == final})
            for number, epilogue in enumerate(program.epilogues)]


def _param_words(compiled: Compiled, config: EngineConfig) -> list[int]:
    layout = param_layout(config)
    return [layout.pack({"bias": int(bias), "peephole": int(peephole)})
            for bias, peephole in zip(compiled.biases, compiled.peepholes, strict=True)]
