"""Huffman coding of an image's lane streams, and bits per weight by stage.

:mod:`contract.coded` has the sections and their codec. Without weight sharing there is one codebook
of all weights; with it one per matrix, as published (Han et al., ICLR'16).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..contract.cells import LINEAR, LSTM
from ..contract.coded import (
    book_of_entry,
    coded_bits,
    decode_entries,
    encode_entries,
    entry_fields,
    rows_of,
    values_by_book,
)
from ..contract.config import bits_for
from ..contract.errors import EseError
from ..contract.image import Image, checksum

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
    books = (_books_by_matrix(image) if shared else
             np.zeros((len(image.sections["segments"]), LSTM.size), np.uint32))
    sections = {**image.sections, "codebook_of": books}
    coded = encode_entries(sections, image.config)
    if not np.array_equal(decode_entries({**sections, **coded}, image.config),
                          image.sections["entries"]):
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
        weights, _, _ = entry_fields(image.sections["entries"], config)
        books = values_by_book(weights, matrix_of_entry(image))
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
    _, gaps, last = entry_fields(image.sections["entries"], image.config)
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
    weights, gaps, last = entry_fields(image.sections["entries"], image.config)
    numbers, half = matrix_of_entry(image), 1 << (image.config.weight_bits - 1)
    kinds = ((weights == 0) & (gaps > 0) & (last == 0), (weights == -half) | (weights == half - 1))
    found = [np.bincount(numbers[kind], minlength=len(image.manifest.matrices)) for kind in kinds]
    return [EntryCounts(int(fillers), int(extreme))
            for fillers, extreme in zip(*found, strict=True)]


def _books_by_matrix(image: Image) -> NDArray[np.uint32]:
    """Codebook of each (segment, row of a unit): of each layer those of x, of y, the projection."""
    program = image.program
    books = []
    for layer, (segments, epilogue) in zip(program.layers, program.tiles(), strict=True):
        first = (2 * LSTM.size + 1) * layer
        for segment in segments:
            books.append(first + 2 * LSTM.size + np.zeros(LSTM.size, int)
                         if epilogue.cell is LINEAR else
                         first + LSTM.size * segment.recurrent + np.arange(LSTM.size))
    _, dense = np.unique(books, return_inverse=True)
    return dense.reshape(len(books), LSTM.size).astype(np.uint32)
