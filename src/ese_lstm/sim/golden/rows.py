"""Rows of streamed weights → each lane's entries, and the check that they can't block each other.

The hardware takes a row when every lane it has an entry for has room, so a bad order of entries
would make it wait for ever. What is checked, for every entry: the entry ``window`` places before
it in its lane belongs to a column that some row from this one on still works on, or to an earlier
one. :mod:`compress.rows` says why that is enough.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...contract import timing
from ...contract.config import EngineConfig
from ...contract.errors import EseError
from ...contract.layout import row_layout

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Streamed entries, lane after lane, in order. mask: (rows, lanes), which lanes a row has an
    entry for; lengths: (lanes,); places: the row of each entry; words: the entries."""

    mask: NDArray[np.bool_]
    lengths: Ints
    places: Ints
    words: NDArray[np.uint32]


def decode_rows(section: NDArray[np.uint32], config: EngineConfig) -> Rows:
    """Take rows apart. Raises EseError for a wrong shape, an empty row, or bits beside entries."""
    layout = row_layout(config)
    if section.ndim != 2 or section.shape[1] != layout.words32:
        raise EseError(f"image.rows: must hold words of {layout.words32} x 32 bits, got shape "
                       f"{section.shape}")
    raw = np.ascontiguousarray(section, "<u4").view(np.uint8)
    raw = raw.reshape(len(section), 4 * layout.words32)
    bits = np.unpackbits(raw, axis=1, bitorder="little")
    width, lanes = config.entry_bits, config.lanes
    slots = bits[:, :lanes * width].reshape(-1, lanes, width)
    mask = bits[:, lanes * width:lanes * (width + 1)].astype(bool)
    spare = bits[:, layout.bits:].any(axis=1)
    if spare.any():
        raise EseError(f"image.rows: word {int(np.argmax(spare))} must be zero above its "
                       f"{layout.bits} bits")
    stray = slots.any(axis=2) & ~mask
    if stray.any():
        row, lane = (int(part) for part in np.argwhere(stray)[0])
        raise EseError(f"image.rows: row {row}, lane {lane}: slot must be 0 without its mask bit")
    if not mask.any(axis=1).all():
        raise EseError(f"image.rows: row {int(np.argmin(mask.any(axis=1)))} must hold an entry")
    words = slots.astype(np.int64) @ (1 << np.arange(width, dtype=np.int64))
    lane_of, places = np.nonzero(mask.T)
    return Rows(mask, mask.sum(axis=0), places, words.T[lane_of, places].astype(np.uint32))


def check_rows(rows: Rows, columns: Ints, config: EngineConfig) -> None:
    """Raise EseError if the lanes could wait for each other for ever; columns: of each entry,
    counted through the program."""
    first = np.full(len(rows.mask), np.iinfo(np.int64).max)
    np.minimum.at(first, rows.places, columns)
    working = np.minimum.accumulate(first[::-1])[::-1]
    window = config.fetch_depth - timing.ROW_MARGIN
    starts = np.cumsum(rows.lengths) - rows.lengths
    lane = np.repeat(np.arange(config.lanes), rows.lengths)
    ahead = np.arange(len(columns)) - starts[lane] >= window
    entry = np.flatnonzero(ahead)
    bad = entry[columns[entry - window] > working[rows.places[entry]]]
    if len(bad):
        number = int(bad[0])
        raise EseError(f"image.rows: row {int(rows.places[number])}, lane {int(lane[number])}: "
                       f"must hold at most {window} entries after the column that other lanes "
                       f"still work on (fetch_depth - {timing.ROW_MARGIN}), or lanes would wait "
                       f"for each other for ever")
