"""Packed image → what the golden model executes, with checks of everything the image promises.

Unpacking is this module's own (only field positions come from the contract), so that an error of
the packer cannot cancel out.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...contract.config import EngineConfig
from ...contract.errors import EseError
from ...contract.image import Image
from ...contract.layout import (
    Layout,
    entry_layout,
    epilogue_layout,
    header_layout,
    param_layout,
    segment_layout,
)
from ...contract.program import Epilogue, Program, Segment, TileWeights, layers_of_tiles
from .check import check_program
from .rows import Rows, check_rows, decode_rows

FILLER_INDEX = 15
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class DecodedModel:
    """A network ready to run, from an image or (quantisers off) straight from the compiler.

    tiles: one per tile of the program. bias, peephole: (params,), indexed by an epilogue's
    param_base; integers, or real numbers like the weights. counts: entries of each tile's columns
    in each lane's stream, nulls and fillers included, (lanes, columns) per tile; empty for a
    model that was never packed; of streamed columns like of resident ones.
    """

    config: EngineConfig
    program: Program
    tiles: tuple[TileWeights, ...]
    bias: Ints | NDArray[np.float64]
    peephole: Ints | NDArray[np.float64]
    counts: tuple[Ints, ...] = ()
    null_entries: int = 0
    filler_entries: int = 0
    rows: NDArray[np.bool_] | None = None
    """Lanes that each row of streamed weights has an entry for, (rows, lanes); None if there are
    no rows."""

    @property
    def entries(self) -> int:
        """Entries that carry a weight."""
        return sum(len(tile.weights) for tile in self.tiles)


def decode_image(image: Image) -> DecodedModel:
    """Unpack and check an image. Raises EseError naming section, lane, tile and column."""
    config = image.config
    program = _program(image)
    params = _unpack(image, "params", param_layout(config))
    check_program(program, config, len(params["bias"]))
    lengths = image.sections["lane_lengths"].astype(np.int64)
    rows = decode_rows(image.sections["rows"], config) if config.fetch_depth else None
    tiles, counts, nulls, fillers = _Streams(image, program, lengths, rows).decode()
    program = replace(program, layers=layers_of_tiles(
        program.epilogues, [layer.cells for layer in image.manifest.layers]))
    return DecodedModel(config, program, tiles, params["bias"], params["peephole"], counts, nulls,
                        fillers, rows.mask if rows is not None and len(rows.mask) else None)


# Words ----------------------------------------------------------------------------------------


def _unpack(image: Image, section: str, layout: Layout) -> dict[str, Ints]:
    """Every field of a section's words; shape (words,) each."""
    words = image.sections[section]
    if section == "entries" and words.ndim == 1:
        words = words.reshape(-1, 1)
    if words.ndim != 2 or words.shape[1] != layout.words32:
        raise EseError(f"image.{section}: must hold words of {layout.words32} x 32 bits, got "
                       f"shape {image.sections[section].shape}")
    spare = 32 * layout.words32 - layout.bits
    if spare and (words[:, -1] >> np.uint32(32 - spare)).any():
        bad = int(np.flatnonzero(words[:, -1] >> np.uint32(32 - spare))[0])
        raise EseError(f"image.{section}: word {bad} must be zero above its {layout.bits} bits")
    return unpack_words(words, layout)


def unpack_words(words: NDArray[np.uint32], layout: Layout) -> dict[str, Ints]:
    """Every field of words (n, words32); shape (n,) each."""
    return {field.name: _field(words, layout.offset(field.name), field.bits, field.signed)
            for field in layout.fields}


def _field(words: NDArray[np.uint32], offset: int, bits: int, signed: bool) -> Ints:
    value = np.zeros(len(words), dtype=np.uint64)
    for position in range(offset // 32, (offset + bits - 1) // 32 + 1):
        part = words[:, position].astype(np.uint64)
        left = 32 * position - offset
        value |= part << np.uint64(left) if left >= 0 else part >> np.uint64(-left)
    integers = (value & np.uint64((1 << bits) - 1)).astype(np.int64)
    sign = 1 << (bits - 1)
    return (integers ^ sign) - sign if signed else integers


def _program(image: Image) -> Program:
    """The program of its words, which don't say the layers."""
    config = image.config
    header = _unpack(image, "header", header_layout(config))
    segments = _unpack(image, "segments", segment_layout(config))
    epilogues = _unpack(image, "epilogues", epilogue_layout(config))
    if len(header["results"]) != 1:
        raise EseError(f"image.header: must be one word, got {len(header['results'])}")
    for name, end, depth in (("segments", segments["end"], config.segment_depth),
                             ("epilogues", epilogues["end"], config.epilogue_depth)):
        if not 1 <= len(end) <= depth:
            raise EseError(f"image.{name}: must be 1 to {depth} words, got {len(end)}")
        if np.flatnonzero(end).tolist() != [len(end) - 1]:
            raise EseError(f"image.{name}: end must mark the last word alone, got words "
                           f"{np.flatnonzero(end).tolist()}")
    program = Program(
        segments=tuple(Segment(
            base_even=int(segments["base_even"][k]), base_odd=int(segments["base_odd"][k]),
            length=int(segments["length"][k]), need=int(segments["need"][k]),
            wait=bool(segments["wait"][k]), recurrent=bool(segments["recurrent"][k]),
            last=bool(segments["last"][k]),
            streamed=bool(config.fetch_depth and segments["streamed"][k]))
            for k in range(len(segments["end"]))),
        epilogues=tuple(Epilogue(
            kind=int(epilogues["kind"][k]), count=int(epilogues["count"][k]),
            shift=int(epilogues["shift"][k]), dest_even=int(epilogues["dest_even"][k]),
            dest_odd=int(epilogues["dest_odd"][k]), cell_base=int(epilogues["cell_base"][k]),
            param_base=int(epilogues["param_base"][k]), output=bool(epilogues["output"][k]),
            output_last=bool(epilogues["output_last"][k])) for k in range(len(epilogues["end"]))),
        layers=(),
        input_even=int(header["input_even"][0]), input_odd=int(header["input_odd"][0]),
        input_width=int(header["input_width"][0]))
    if int(header["results"][0]) != program.results:
        raise EseError(f"image.header: results must be the epilogues' {program.results}, got "
                       f"{int(header['results'][0])}")
    return program


# Lane streams ---------------------------------------------------------------------------------


class _Streams:
    """All lanes' entries at once; columns are numbered through the frame's tiles. Resident and
    streamed entries stand in one order, by lane and column."""

    def __init__(self, image: Image, program: Program, lengths: Ints,
                 rows: Rows | None) -> None:
        config = image.config
        self._config = config
        self._program = program
        fields = _unpack(image, "entries", entry_layout(config))
        self._weight, self._index, self._last = (
            fields[name] for name in ("weight", "index", "last"))
        if lengths.shape != (config.lanes,):
            raise EseError(f"image.lane_lengths: must have one length for each of {config.lanes} "
                           f"lanes, got shape {lengths.shape}")
        if int(lengths.sum()) != len(self._weight):
            raise EseError(f"image.lane_lengths: must sum to the {len(self._weight)} entries, got "
                           f"{int(lengths.sum())}")
        if lengths.max() > config.stream_depth:
            lane = int(lengths.argmax())
            raise EseError(f"image.lane_lengths: lane {lane} must fit stream_depth="
                           f"{config.stream_depth}, got {int(lengths[lane])} entries")
        self._tile_columns = [sum(segment.length for segment in segments)
                              for segments, _ in program.tiles()]
        self._columns = sum(self._tile_columns)
        self._tile_of = np.repeat(np.arange(len(self._tile_columns)), self._tile_columns)
        self._first = np.cumsum([0, *self._tile_columns])
        streamed = np.repeat([segment.streamed for segment in program.segments],
                             [segment.length for segment in program.segments])
        self._key = self._keys("entries", self._last, lengths, np.flatnonzero(~streamed))
        if rows is not None:
            self._merge(rows, np.flatnonzero(streamed))
        self._lane, self._column = np.divmod(self._key, self._columns)

    def _keys(self, section: str, last: Ints, lengths: Ints, columns: Ints) -> Ints:
        """lane · columns + column of every entry of one source, whose ``columns`` of the frame
        each lane's stream must hold exactly."""
        ends = np.cumsum(lengths)
        closed = np.concatenate([[0], np.cumsum(last)])
        for lane in range(self._config.lanes):
            first, end = int(ends[lane] - lengths[lane]), int(ends[lane])
            got = int(closed[end] - closed[first])
            if got != len(columns):
                raise EseError(f"image.{section}: lane {lane} must hold {len(columns)} columns, "
                               f"got {got}")
            if end > first and not last[end - 1]:
                raise EseError(f"image.{section}: lane {lane} must end with its last column, but "
                               f"entries follow it")
        if not len(columns):
            return np.zeros(0, np.int64)
        lane_of, number = np.divmod(closed[:-1], len(columns))
        return np.asarray(lane_of * self._columns + columns[number])

    def _merge(self, rows: Rows, columns: Ints) -> None:
        """Add the streamed entries; entries of a column come all from one source."""
        fields = unpack_words(rows.words.reshape(-1, 1), entry_layout(self._config))
        keys = self._keys("rows", fields["last"], rows.lengths, columns)
        check_rows(rows, keys % self._columns, self._config)
        merged = np.concatenate([self._key, keys])
        order = np.argsort(merged, kind="stable")
        self._key = merged[order]
        self._weight, self._index, self._last = (
            np.concatenate([resident, fields[name]])[order] for name, resident in (
                ("weight", self._weight), ("index", self._index), ("last", self._last)))

    def decode(self) -> tuple[tuple[TileWeights, ...], tuple[Ints, ...], int, int]:
        """Weights and entry counts of each tile; number of nulls and of fillers."""
        lanes = self._config.lanes
        counts = np.bincount(self._key, minlength=lanes * self._columns)
        zero = self._weight == 0
        null = zero & (self._index == 0) & (counts[self._key] == 1)
        filler = np.zeros_like(null)
        row = self._index
        if self._config.index_mode == "relative4":
            filler = zero & (self._index == FILLER_INDEX) & (self._last == 0)
            row = self._relative_rows()
        self._refuse(zero & ~null & ~filler, self._index,
                     "weight 0 must be a null entry (index 0, alone in its column)"
                     + (f" or a filler (index {FILLER_INDEX}, not last)"
                        if self._config.index_mode == "relative4" else "") + ", got index")
        self._check_rows(row, ~zero)
        tiles = self._tiles(row, ~zero)
        per_tile = np.split(counts.reshape(lanes, self._columns), self._first[1:-1], axis=1)
        return (tiles, tuple(np.ascontiguousarray(part) for part in per_tile),
                int(np.count_nonzero(null)), int(np.count_nonzero(filler)))

    def _relative_rows(self) -> Ints:
        """Each entry moves index + 1 rows on, from row −1 at the start of its column."""
        position = np.cumsum(self._index + 1)
        starts = np.concatenate([[0], np.flatnonzero(self._last)[:-1] + 1])
        base = position[starts] - (self._index[starts] + 1)
        return position - base[self._key] - 1

    def _check_rows(self, row: Ints, carries: NDArray[np.bool_]) -> None:
        config = self._config
        limits = np.empty((config.lanes, len(self._tile_columns)), dtype=np.int64)
        lane = np.arange(config.lanes)
        for tile, epilogue in enumerate(self._program.epilogues):
            units = -(-np.maximum(epilogue.count - lane, 0) // config.lanes)
            limits[:, tile] = units * epilogue.cell.size
        limit = limits[self._lane, self._tile_of[self._column]]
        self._refuse(carries & (row >= limit), row, "row must be one of the lane's rows of the "
                     "tile, got")
        follows = np.concatenate([[False], self._key[1:] == self._key[:-1]])
        previous = np.concatenate([[0], row[:-1]])
        self._refuse(follows & (row <= previous), row, "rows must ascend, got")

    def _refuse(self, bad: NDArray[np.bool_], value: Ints, rule: str) -> None:
        if not bad.any():
            return
        entry = int(np.flatnonzero(bad)[0])
        column = int(self._column[entry])
        tile = int(self._tile_of[column])
        raise EseError(f"image.entries: lane {int(self._lane[entry])}, tile {tile}, column "
                       f"{column - int(self._first[tile])}: {rule} {int(value[entry])}")

    def _tiles(self, row: Ints, carries: NDArray[np.bool_]) -> tuple[TileWeights, ...]:
        """Bank rows back to rows of the tile (lanes interleave units), by column, then row."""
        lanes = self._config.lanes
        column, lane, bank_row = (array[carries] for array in (self._column, self._lane, row))
        weight = self._weight[carries]
        sizes = np.array([epilogue.cell.size for epilogue in self._program.epilogues])
        group = sizes[self._tile_of[column]]
        rows = group * (bank_row // group * lanes + lane) + bank_row % group
        order = np.lexsort((rows, column))
        bounds = np.searchsorted(column[order], self._first)
        return tuple(
            TileWeights(rows[part], column[part] - self._first[number], weight[part])
            for number, part in enumerate(
                order[a:b] for a, b in itertools.pairwise(bounds)))
