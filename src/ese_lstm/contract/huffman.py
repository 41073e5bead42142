"""Canonical Huffman codes: their lengths, an encoder, a decoder in lock-step over blocks.

A code is known from its lengths: codes of one length are consecutive numbers in the order of the
symbols, shorter codes come first. Bits are stored most significant first. Every :data:`BLOCK`
symbols a bit offset says where the next block starts, so that all blocks decode at once.
"""

import numpy as np
from numpy.typing import NDArray

from .errors import EseError

MAX_LENGTH = 16
"""Bits of the longest code; the decoder's table has 2**16 rows."""

BLOCK = 1024
"""Symbols of a block. Its 32-bit offset costs 1/32 bit per symbol."""


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


def canonical_codes(lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """The code of each symbol; (symbols,) lengths in bits, 0 for a symbol that never occurs.

    Raises EseError if a length is over MAX_LENGTH or no prefix code has these lengths.
    """
    sizes = np.asarray(lengths, np.int64)
    used = np.flatnonzero(sizes)
    if not len(used) or sizes.max() > MAX_LENGTH:
        raise EseError(f"huffman: code lengths must be 1 to {MAX_LENGTH} bits, got "
                       f"{int(sizes.max(initial=0))}")
    order = used[np.lexsort((used, sizes[used]))]
    spans = 1 << (MAX_LENGTH - sizes[order])
    starts = np.cumsum(spans) - spans
    if starts[-1] + spans[-1] > 1 << MAX_LENGTH:
        raise EseError("huffman: code lengths must be those of a prefix code, but Σ 2**−length "
                       "is over 1")
    codes = np.zeros(len(sizes), np.int64)
    codes[order] = starts >> (MAX_LENGTH - sizes[order])
    return codes


def encode(symbols: NDArray[np.int64], lengths: NDArray[np.uint32]
           ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Bits in 32-bit words, and the first bit of each block; see :func:`decode`."""
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


def decode(words: NDArray[np.uint32], offsets: NDArray[np.uint32],
           lengths: NDArray[np.uint32], count: int) -> NDArray[np.int64]:
    """``count`` symbols from bits packed in 32-bit words (most significant bit first).

    offsets: first bit of each block of BLOCK symbols. Raises EseError for lengths that are no
    prefix code, offsets that don't fit, or bits that are no code.
    """
    codes = canonical_codes(lengths)
    if len(offsets) != -(-count // BLOCK) or (len(offsets) and int(offsets.max())
                                              > 32 * len(words)):
        raise EseError(f"huffman: {count} symbols must have {-(-count // BLOCK)} block offsets "
                       f"within {32 * len(words)} bits, got {len(offsets)}")
    symbols, sizes = _table(codes, lengths.astype(np.int64))
    data = np.append(words.astype(">u4").view(np.uint8).astype(np.int64), [0, 0, 0])
    end = 32 * len(words)
    position = offsets.astype(np.int64)
    out = np.zeros((BLOCK, len(offsets)), np.int64)
    for step in range(min(BLOCK, count)):
        byte = position >> 3
        window = (data[byte] << 16 | data[byte + 1] << 8 | data[byte + 2]) >> (8 - (position & 7))
        key = window & 0xFFFF
        out[step] = symbols[key]
        position = np.minimum(position + sizes[key], end)
    flat = out.T.reshape(-1)[:count]
    if (flat < 0).any():
        raise EseError(f"huffman: every bit pattern must be a code, but symbol "
                       f"{int(np.argmax(flat < 0))} is none")
    return flat


def _table(codes: NDArray[np.int64], sizes: NDArray[np.int64]
           ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Symbol (−1: no code) and length of the code that MAX_LENGTH bits start with."""
    used = np.flatnonzero(sizes)
    order = used[np.lexsort((codes[used], sizes[used]))]
    spans = 1 << (MAX_LENGTH - sizes[order])
    symbols = np.full(1 << MAX_LENGTH, -1, np.int64)
    lengths = np.ones(1 << MAX_LENGTH, np.int64)
    total = int(spans.sum())
    symbols[:total] = np.repeat(order, spans)
    lengths[:total] = np.repeat(sizes[order], spans)
    return symbols, lengths
