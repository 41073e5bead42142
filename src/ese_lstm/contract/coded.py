"""Deep Compression's storage of the lane streams, without loss (Han et al., ICLR'16).

In an image file these sections stand for ``entries``, all uint32:

| section | shape | meaning |
|---|---|---|
| ``codebooks`` | (books, size) | weights by code, two's complement; zeros fill up |
| ``codebook_of`` | (segments, 4) | codebook of each segment and gate (of a linear tile: all 4) |
| ``weight_lengths``, ``index_lengths`` | (symbols,) | lengths of the two canonical Huffman codes |
| ``weight_words``, ``index_words`` | (words,) | Huffman-coded symbols, one an entry |
| ``weight_offsets``, ``index_offsets`` | (blocks,) | where each block of symbols starts |

A weight's symbol is its code in the codebook. An index's symbol is ``2·gap + last``, with the gap
from the row before in the column (from row −1 at its start), which in ``relative4`` is the index
itself. The segment follows from the count of ``last``, the gate from the row.
"""

import numpy as np
from numpy.typing import NDArray

from . import huffman
from .cells import LSTM
from .config import EngineConfig
from .errors import EseError
from .layout import entry_layout, segment_layout
from .sections import join_words

CODED_SECTIONS = ("codebooks", "codebook_of", "weight_lengths", "weight_words", "weight_offsets",
                  "index_lengths", "index_words", "index_offsets")
TABLES = ("codebooks", "codebook_of")
"""Those with two dimensions."""

LENGTH_BITS = 5
BOOK_BITS = 8
OFFSET_BITS = 32

Sections = dict[str, NDArray[np.uint32]]


def encode_entries(sections: Sections, config: EngineConfig) -> Sections:
    """CODED_SECTIONS of ``entries``, by the codebooks that ``codebook_of`` names; also takes
    ``segments``. Raises EseError if more symbols occur than there are Huffman codes."""
    weights, gaps, last = entry_fields(sections["entries"], config)
    books = book_of_entry(sections, rows_of(gaps, last), last, config)
    values = values_by_book(weights, books)
    table = np.zeros((len(values), max(len(book) for book in values)), np.int64)
    codes = np.zeros(len(weights), np.int64)
    for number, book in enumerate(values):
        table[number, :len(book)] = book
        mine = books == number
        codes[mine] = np.searchsorted(book, weights[mine])
    coded = {"codebook_of": sections["codebook_of"],
             "codebooks": (table & 0xFFFFFFFF).astype(np.uint32)}
    for name, symbols in (("weight", codes), ("index", 2 * gaps + last)):
        lengths = huffman.code_lengths(np.bincount(symbols))
        words, offsets = huffman.encode(symbols, lengths)
        coded |= {f"{name}_lengths": lengths, f"{name}_words": words, f"{name}_offsets": offsets}
    return {name: coded[name] for name in CODED_SECTIONS}


def values_by_book(weights: NDArray[np.int64], books: NDArray[np.int64]
                   ) -> list[NDArray[np.int64]]:
    """The different weights of the entries of each codebook, ascending."""
    return [np.unique(weights[books == number]) for number in range(int(books.max()) + 1)]


def decode_entries(sections: Sections, config: EngineConfig) -> NDArray[np.uint32]:
    """The section ``entries`` from CODED_SECTIONS, ``segments`` and ``lane_lengths``: inverse of
    :func:`encode_entries`.

    Raises EseError for lengths that no prefix code has, bits that are no code, codes without a
    weight, indices wider than the entry's, or columns that are not those of every lane. What
    decodes to other entries than were coded, the image's SHA-256 of the entries tells.
    """
    for name in CODED_SECTIONS:
        if sections[name].ndim != 1 + (name in TABLES):
            raise EseError(f"{name}: must have {1 + (name in TABLES)} dimensions, got the shape "
                           f"{sections[name].shape}")
    count = int(sections["lane_lengths"].astype(np.int64).sum())
    fields = huffman.decode(sections["index_words"], sections["index_offsets"],
                            sections["index_lengths"], count)
    codes = huffman.decode(sections["weight_words"], sections["weight_offsets"],
                           sections["weight_lengths"], count)
    last, gaps = fields & 1, fields >> 1
    rows = rows_of(gaps, last)
    books = book_of_entry(sections, rows, last, config)
    table = sections["codebooks"]
    if count and (int(books.max()) >= table.shape[0] or int(codes.max()) >= table.shape[1]):
        raise EseError(f"codebooks: must hold code {int(codes.max())} of book {int(books.max())}, "
                       f"got the shape {table.shape}")
    weights = table[books, codes].astype(np.int64)
    index = rows if config.index_mode == "absolute" else gaps
    layout = entry_layout(config)
    if count and int(index.max()) > layout.field("index").maximum:
        raise EseError(f"entry.index: must be at most {layout.field('index').maximum}, got "
                       f"{int(index.max())}")
    mask = (1 << config.weight_bits) - 1
    return ((weights & mask) << layout.offset("weight") | index << layout.offset("index")
            | last << layout.offset("last")).astype(np.uint32)


def entry_fields(entries: NDArray[np.uint32], config: EngineConfig
                 ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Signed weight, rows skipped since the one before in the column, last of every entry."""
    layout = entry_layout(config)
    words = entries.astype(np.int64)
    parts = []
    for name in ("weight", "index", "last"):
        field = layout.field(name)
        parts.append(words >> layout.offset(name) & ((1 << field.bits) - 1))
    half = 1 << (config.weight_bits - 1)
    weights, index, last = (parts[0] ^ half) - half, parts[1], parts[2]
    return weights, index if config.index_mode == "relative4" else _gaps(index, last), last


def _gaps(rows: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    before = np.append(-1, np.where(last[:-1] == 1, -1, rows[:-1]))
    return rows - before - 1


def rows_of(gaps: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row in the bank of every entry, from the gaps before it in its column."""
    moves = np.cumsum(gaps + 1)
    first = np.append(True, last[:-1] == 1)[:len(last)]
    start = np.where(first, moves - gaps - 1, 0)
    return np.asarray(moves - np.maximum.accumulate(start) - 1)


def book_of_entry(sections: Sections, rows: NDArray[np.int64], last: NDArray[np.int64],
                  config: EngineConfig) -> NDArray[np.int64]:
    """The codebook of every entry; raises EseError if the columns are not those of every lane."""
    lengths = segment_lengths(sections, config)
    columns = int(lengths.sum())
    if int(last.sum()) != config.lanes * columns or (len(last) and not last[-1]):
        raise EseError(f"entries: must have {config.lanes} × {columns} columns, got "
                       f"{int(last.sum())}")
    books = sections["codebook_of"]
    if books.shape != (len(lengths), LSTM.size):
        raise EseError(f"codebook_of: must have the shape ({len(lengths)}, {LSTM.size}), got "
                       f"{books.shape}")
    column = (np.cumsum(last) - last) % max(columns, 1)
    segment = np.repeat(np.arange(len(lengths)), lengths)[column]
    return books[segment, rows % LSTM.size].astype(np.int64)


def segment_lengths(sections: Sections, config: EngineConfig) -> NDArray[np.int64]:
    """Columns of each segment of the program."""
    layout = segment_layout(config)
    return np.array([layout.unpack(word)["length"] for word in join_words(sections["segments"])],
                    np.int64)


def coded_bits(sections: Sections, config: EngineConfig) -> int:
    """Bits of CODED_SECTIONS at their exact widths."""
    widths = {"codebooks": config.weight_bits, "codebook_of": BOOK_BITS,
              "weight_lengths": LENGTH_BITS, "index_lengths": LENGTH_BITS,
              "weight_offsets": OFFSET_BITS, "index_offsets": OFFSET_BITS}
    return sum(sections[name].size * widths.get(name, 32) for name in CODED_SECTIONS)
