"""Huffman coding of an image's lane streams, and bits per weight by stage.

:mod:`contract.coded` describes the sections and decodes them. Without weight sharing there is one
codebook of all weights; with it one per matrix, as published (Han et al., ICLR'16).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..contract.coded import (
    CODED_SECTIONS,
    book_of_entry,
    coded_bits,
    decode_entries,
    rows_of,
    segment_lengths,
)
from ..contract.config import GATES, bits_for
from ..contract.errors import EseError
from ..contract.huffman import BLOCK, MAX_LENGTH, canonical_codes
from ..contract.image import Image, checksum
from ..contract.layout import entry_layout, epilogue_layout, segment_layout

FLOAT_BITS = 32


@dataclass(frozen=True)
class Stage:
    """All weight matrices after one step: bits, and bits per weight of the dense network."""

    name: str
    bits: int
    bits_per_weight: float

    @property
    def ratio(self) -> float:
        """Times smaller than 32-bit floating point."""
        return FLOAT_BITS / self.bits_per_weight if self.bits_per_weight else float("inf")


def huffman_coded(image: Image, shared: bool) -> Image:
    """The image with its entries coded as well; ``write_image`` then stores the coded form.

    shared: a codebook per matrix; else one of all weights.
    """
    config = image.config
    weights, gaps, last = _fields(image)
    sections = dict(image.sections)
    sections["codebook_of"] = (_books_by_matrix(image) if shared else
                               np.zeros((len(sections["segments"]), GATES), np.uint32))
    books = book_of_entry(sections, rows_of(gaps, last), last, config)
    values = _values_of(weights, books)
    table = np.zeros((len(values), max(len(book) for book in values)), np.int64)
    codes = np.zeros(len(weights), np.int64)
    for number, book in enumerate(values):
        table[number, :len(book)] = book
        mine = books == number
        codes[mine] = np.searchsorted(book, weights[mine])
    sections["codebooks"] = (table & 0xFFFFFFFF).astype(np.uint32)
    for name, symbols in (("weight", codes), ("index", 2 * gaps + last)):
        lengths = code_lengths(np.bincount(symbols))
        words, offsets = encode(symbols, lengths)
        sections |= {f"{name}_lengths": lengths, f"{name}_words": words,
                     f"{name}_offsets": offsets}
    coded = {name: sections[name] for name in CODED_SECTIONS}
    if not np.array_equal(decode_entries(sections, config), image.sections["entries"]):
        raise RuntimeError("the coded entries don't decode to the entries")
    sums = {**image.manifest.sections, **{name: checksum(part) for name, part in coded.items()}}
    manifest = image.manifest.model_copy(update={"sections": sums})
    return replace(image, manifest=manifest, coded=coded)


def stages(image: Image, kept: int, shared: bool = False) -> tuple[Stage, ...]:
    """Sizes of the weights alone by stage; ``kept``: weights left by pruning.

    "quantised": each matrix at its own width. "indexed" is what lanes read: every entry with
    index and ``last``. "shared": the same with codes for weights, and a codebook a matrix, if the
    image is coded so or ``shared`` says that its weights are; not for entries outside the lanes'
    memories. "huffman" if the image is coded.
    """
    config, manifest = image.config, image.manifest
    total = manifest.entries + manifest.null_entries + manifest.filler_entries
    sizes = {"dense": FLOAT_BITS * manifest.dense_weights, "pruned": FLOAT_BITS * kept,
             "quantised": sum((matrix.weight_bits or config.weight_bits) * matrix.entries
                              for matrix in manifest.matrices),
             "indexed": config.entry_bits * total}
    shared = shared or (bool(image.coded) and len(image.coded["codebooks"]) > 1)
    if shared and all_resident(image):
        books = _values_of(_fields(image)[0], matrix_of_entry(image))
        longest = max(len(book) for book in books)
        fields = config.entry_bits - config.weight_bits + bits_for(longest)
        sizes["shared"] = fields * total + config.weight_bits * longest * len(books)
    if image.coded:
        sizes["huffman"] = coded_bits(image.coded, config)
    return tuple(Stage(name, bits, bits / max(manifest.dense_weights, 1))
                 for name, bits in sizes.items())


def all_resident(image: Image) -> bool:
    """Whether the section ``entries`` holds every entry."""
    manifest = image.manifest
    return len(image.sections["entries"]) == (
        manifest.entries + manifest.null_entries + manifest.filler_entries)


def matrix_of_entry(image: Image) -> NDArray[np.int64]:
    """Number, in ``manifest.matrices``, of the matrix that each entry belongs to; an entry
    without a weight belongs to that of the row it stands for (a null entry to the first)."""
    _, gaps, last = _fields(image)
    sections = {**image.sections, "codebook_of": _books_by_matrix(image)}
    return book_of_entry(sections, rows_of(gaps, last), last, image.config)


@dataclass(frozen=True)
class EntryCounts:
    """Entries of one matrix: fillers (only in ``relative4``), and weights at an end of the
    entries' format, the only ones that can have been limited to it."""

    fillers: int
    extreme: int


def entry_counts(image: Image) -> list[EntryCounts]:
    """Of each of ``manifest.matrices``. Raises EseError if not every entry is in the lanes'
    memories."""
    if not all_resident(image):
        raise EseError("image: must have every entry in the lanes' memories to count entries by "
                       "matrix, but streams some")
    weights, gaps, last = _fields(image)
    numbers, half = matrix_of_entry(image), 1 << (image.config.weight_bits - 1)
    kinds = ((weights == 0) & (gaps > 0) & (last == 0), (weights == -half) | (weights == half - 1))
    found = [np.bincount(numbers[kind], minlength=len(image.manifest.matrices)) for kind in kinds]
    return [EntryCounts(int(fillers), int(extreme))
            for fillers, extreme in zip(*found, strict=True)]


def _values_of(weights: NDArray[np.int64], books: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [np.unique(weights[books == number]) for number in range(int(books.max()) + 1)]


def code_lengths(counts: NDArray[np.integer], most: int = MAX_LENGTH) -> NDArray[np.uint32]:
    """Lengths, at most ``most`` bits, of the shortest prefix code of symbols that occur so often;
    (symbols,), 0 for a symbol that never occurs.

    By package-merge (Larmore and Hirschberg, 1990): ``most`` rounds, whatever the counts. Raises
    EseError if more symbols occur than there are codes of that length.
    """
    used = np.flatnonzero(counts)
    if len(used) > 1 << most:
        raise EseError(f"huffman: must code at most {1 << most} different symbols, which is what "
                       f"{most} bits can tell apart, but {len(used)} occur; take fewer "
                       f"weight_bits, or share_bits")
    lengths = np.zeros(len(counts), np.uint32)
    if len(used) == 1:
        lengths[used] = 1
    if len(used) < 2:
        return lengths
    order = used[np.argsort(np.asarray(counts)[used], kind="stable")]
    leaves = np.asarray(counts, np.int64)[order]
    # In each round, symbols and the pairs of the round before, by weight; True: a symbol.
    rounds, weights = [], leaves
    for number in range(most):
        pairs = weights[:len(weights) // 2 * 2].reshape(-1, 2).sum(axis=1) if number else leaves[:0]
        merged = np.concatenate([leaves, pairs])
        place = np.argsort(merged, kind="stable")
        weights = merged[place]
        rounds.append(place < len(leaves))
    taken = 2 * len(leaves) - 2
    for symbols in reversed(rounds):
        found = int(np.count_nonzero(symbols[:taken]))
        lengths[order[:found]] += 1
        taken = 2 * (taken - found)
    return lengths


def encode(symbols: NDArray[np.int64], lengths: NDArray[np.uint32]
           ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Bits in 32-bit words, and the first bit of each block; see :func:`huffman.decode`."""
    codes = canonical_codes(lengths)[symbols]
    sizes = lengths.astype(np.int64)[symbols]
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    starts = ends - sizes
    places = np.arange(total) - np.repeat(starts, sizes)
    bits = np.repeat(codes, sizes) >> (np.repeat(sizes, sizes) - 1 - places) & 1
    padded = np.zeros(-(-total // 32) * 32, np.uint8)
    padded[:total] = bits
    words = np.packbits(padded).view(">u4").astype(np.uint32)
    return words, starts[::BLOCK].astype(np.uint32)


def _fields(image: Image) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Signed weight, rows skipped since the one before in the column, last of every entry."""
    layout = entry_layout(image.config)
    words = image.sections["entries"].astype(np.int64)
    parts = []
    for name in ("weight", "index", "last"):
        field = layout.field(name)
        parts.append(words >> layout.offset(name) & ((1 << field.bits) - 1))
    half = 1 << (image.config.weight_bits - 1)
    weights, index, last = (parts[0] ^ half) - half, parts[1], parts[2]
    return weights, index if image.config.index_mode == "relative4" else _gaps(index, last), last


def _gaps(rows: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    before = np.append(-1, np.where(last[:-1] == 1, -1, rows[:-1]))
    return rows - before - 1


def _books_by_matrix(image: Image) -> NDArray[np.uint32]:
    """Codebook of each (segment, gate): nine a layer (4 of x, 4 of y, projection)."""
    epilogues, segments = epilogue_layout(image.config), segment_layout(image.config)
    rows = [epilogues.unpack(word) for word in image.words("epilogues")]
    books = np.zeros((len(segment_lengths(image.sections, image.config)), GATES), np.uint32)
    layer, cells, tile = -1, 0, 0
    for number, word in enumerate(image.words("segments")):
        segment = segments.unpack(word)
        lstm = bool(rows[tile]["lstm"])
        if lstm and cells == 0:
            layer, cells = layer + 1, image.manifest.layers[layer + 1].cells
        kind = 2 if not lstm else int(segment["recurrent"])
        books[number] = 9 * layer + 4 * kind + (np.arange(GATES) if lstm else 0)
        if segment["last"]:
            cells -= rows[tile]["count"] if lstm else 0
            tile += 1
    _, dense = np.unique(books, return_inverse=True)
    return dense.reshape(books.shape).astype(np.uint32)
