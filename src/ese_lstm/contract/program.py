"""A network as a program of tiles, before packing and after decoding.

``Program`` is what the hardware's two sequencers execute; ``TileWeights`` is the sparse matrix of
one tile. compress makes both from a network and packs them; the golden model decodes them from
the image with its own code. Weights and params are integers in an image and may be real numbers
when quantisers are off.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cells import CELL_TYPES, LINEAR, CellType
from .config import EngineConfig
from .errors import EseError
from .layout import segment_layout


@dataclass(frozen=True)
class Segment:
    """Fields of :func:`layout.segment_layout` without ``end`` (the program's last segment)."""

    base_even: int
    base_odd: int
    length: int
    need: int
    wait: bool
    recurrent: bool
    last: bool
    streamed: bool = False
    """Always false without ``fetch_depth``, when the layout has no such field."""

    def fields(self, config: EngineConfig, end: bool) -> dict[str, int]:
        """Values of the layout's fields, to pack."""
        values = {**vars(self), "end": end}
        return {field.name: int(values[field.name]) for field in segment_layout(config).fields}


@dataclass(frozen=True)
class Epilogue:
    """Fields of :func:`layout.epilogue_layout` without ``end`` (the program's last tile)."""

    kind: int
    count: int
    shift: int
    dest_even: int
    dest_odd: int
    cell_base: int
    param_base: int
    output: bool
    output_last: bool

    @property
    def cell(self) -> CellType:
        """Type of its units."""
        return CELL_TYPES[self.kind]

    @property
    def rows(self) -> int:
        """Rows of the tile."""
        return self.cell.size * self.count


@dataclass(frozen=True)
class Program:
    """One frame's work: segments in order, one epilogue per tile (per ``last`` segment)."""

    segments: tuple[Segment, ...]
    epilogues: tuple[Epilogue, ...]
    layers: tuple[int, ...]
    """The network's layer that each tile belongs to."""
    input_even: int
    input_odd: int
    input_width: int

    @property
    def columns(self) -> int:
        """Columns of all tiles, which each lane works through in one frame."""
        return sum(segment.length for segment in self.segments)

    @property
    def results(self) -> int:
        """Results (m or y values per channel) that one frame writes."""
        return sum(epilogue.count for epilogue in self.epilogues)

    @property
    def cells(self) -> int:
        """Cell states per channel that one frame writes."""
        return sum(epilogue.count for epilogue in self.epilogues
                   if epilogue.cell.state is not None)

    @property
    def output_width(self) -> int:
        """Values per channel of one output frame."""
        return sum(epilogue.count for epilogue in self.epilogues if epilogue.output)

    @property
    def streamed(self) -> bool:
        """Some of its columns take their entries from the fetch FIFO."""
        return any(segment.streamed for segment in self.segments)

    def tiles(self) -> Iterator[tuple[tuple[Segment, ...], Epilogue]]:
        """Each tile's segments and epilogue, in program order."""
        first = 0
        epilogues = iter(self.epilogues)
        for position, segment in enumerate(self.segments):
            if segment.last:
                yield self.segments[first:position + 1], next(epilogues)
                first = position + 1


def layers_of_tiles(epilogues: Sequence[Epilogue], cells: Sequence[int]) -> tuple[int, ...]:
    """The layer of each tile in an image, whose words don't say it: each layer has tiles of its
    ``cells`` and then those of its projection, if any.

    Raises EseError if the layers don't have the cells of the tiles.
    """
    found, layer, left = [], -1, 0
    for epilogue in epilogues:
        if epilogue.cell is not LINEAR:
            if not left and layer + 1 < len(cells):
                layer += 1
                left = cells[layer]
            left -= epilogue.count
        if left < 0 or layer < 0:
            break
        found.append(layer)
    if left or len(found) < len(epilogues) or layer + 1 < len(cells):
        raise EseError(f"layers: must be of as many cells as the tiles of the program, got "
                       f"{list(cells)}")
    return tuple(found)


@dataclass(frozen=True)
class TileWeights:
    """Non-zero weights of one tile in coordinates, ordered by column, then row.

    rows: row number inside the tile (size·unit + row of the unit). columns:
    position in the tile's column sequence (its segments laid end to end). weights: integers, or
    real numbers with quantisers off. All three have the shape (entries,).
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    weights: NDArray[np.int64] | NDArray[np.float64]
