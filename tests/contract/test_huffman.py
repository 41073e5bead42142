"""Canonical codes and their decoder, against a decoder that reads bit by bit."""

import heapq
import itertools

import numpy as np
import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.contract.huffman import (
    BLOCK,
    MAX_LENGTH,
    canonical_codes,
    code_lengths,
    decode,
    encode,
)


def bit_by_bit(words, lengths, count):
    """The textbook decoder: no blocks, no table."""
    codes = canonical_codes(lengths)
    book = {(int(size), int(code)): symbol
            for symbol, (size, code) in enumerate(zip(lengths, codes, strict=True)) if size}
    bits = "".join(f"{int(word):032b}" for word in words)
    symbols, size, value = [], 0, 0
    for bit in bits:
        size, value = size + 1, 2 * value + int(bit)
        if (size, value) in book:
            symbols.append(book[size, value])
            size = value = 0
            if len(symbols) == count:
                break
    return symbols


def test_canonical_codes_by_hand():
    """As in RFC 1951, section 3.2.2: A … H with lengths 3, 3, 3, 3, 3, 2, 4, 4."""
    lengths = np.array([3, 3, 3, 3, 3, 2, 4, 4])
    assert canonical_codes(lengths).tolist() == [2, 3, 4, 5, 6, 0, 14, 15]


@pytest.mark.parametrize("count", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
@pytest.mark.parametrize("alphabet", [1, 2, 33, 300])
def test_round_trip(seed, count, alphabet):
    rng = np.random.default_rng(seed)
    symbols = np.minimum(rng.geometric(0.1, count) - 1, alphabet - 1)
    lengths = code_lengths(np.bincount(symbols, minlength=alphabet))
    words, offsets = encode(symbols, lengths)
    assert np.array_equal(decode(words, offsets, lengths, count), symbols)
    assert bit_by_bit(words, lengths, count) == symbols.tolist()


def test_lengths_are_optimal_within_a_bit_of_entropy(seed):
    counts = np.random.default_rng(seed).integers(1, 1000, 50)
    lengths = code_lengths(counts)
    share = counts / counts.sum()
    entropy = -(share * np.log2(share)).sum()
    assert entropy <= (share * lengths).sum() < entropy + 1
    assert np.sum(2.0 ** -lengths.astype(float)) == 1.0


def unlimited(counts):
    """The textbook: join the two rarest."""
    heap = [(int(count), number, [number]) for number, count in enumerate(counts) if count]
    heapq.heapify(heap)
    lengths = [0] * len(counts)
    while len(heap) > 1:
        (first, _, some), (second, tie, more) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in some + more:
            lengths[symbol] += 1
        heapq.heappush(heap, (first + second, tie, some + more))
    return np.array(lengths)


def shortest(counts, most):
    """Bits by trying every set of lengths that Kraft's inequality allows."""
    best = None
    for lengths in itertools.product(range(1, most + 1), repeat=len(counts)):
        if sum(1 << (most - length) for length in lengths) <= 1 << most:
            bits = sum(n * length for n, length in zip(counts, lengths, strict=True))
            best = bits if best is None else min(best, bits)
    return best


def test_no_code_is_shorter(seed):
    rng = np.random.default_rng(seed)
    compared = 0
    for symbols in range(2, 7):
        for most in range(max(1, (symbols - 1).bit_length()), 5):
            for _ in range(4):
                counts = np.maximum(np.exp(rng.normal(0, 2, symbols)).astype(int), 1)
                lengths = code_lengths(counts, most)
                assert lengths.min() >= 1 and lengths.max() <= most
                assert int((counts * lengths).sum()) == shortest(counts.tolist(), most)
                compared += 1
    assert compared > 40


@pytest.mark.parametrize("symbols", [2, 3, 100, 5000])
def test_where_nothing_is_limited_lengths_are_huffmans(seed, symbols):
    rng = np.random.default_rng(seed)
    counts = rng.integers(50, 100, symbols) * (rng.random(symbols) < 0.8)
    counts[:2] = 70
    lengths, theirs = code_lengths(counts), unlimited(counts)
    assert theirs.max() <= MAX_LENGTH and not lengths[counts == 0].any()
    assert (counts * lengths).sum() == (counts * theirs).sum()


def test_long_codes_are_limited():
    """Fibonacci counts ask for a code as long as the alphabet."""
    counts = [1, 1]
    while len(counts) < 30:
        counts.append(counts[-1] + counts[-2])
    lengths = code_lengths(np.array(counts))
    assert unlimited(counts).max() == 29
    assert lengths.max() == MAX_LENGTH and lengths.min() >= 1
    assert np.sum(2.0 ** -lengths.astype(float)) == 1.0
    symbols = np.arange(30)
    words, offsets = encode(symbols, lengths)
    assert np.array_equal(decode(words, offsets, lengths, 30), symbols)


def test_more_symbols_than_codes_end():
    """70,000 weights that occur once never fitted 16 bits, however often counts were halved."""
    full = code_lengths(np.ones(1 << MAX_LENGTH, np.int64))
    assert full.min() == full.max() == MAX_LENGTH
    rare = np.append(np.ones((1 << MAX_LENGTH) - 1, np.int64), 10 ** 9)
    lengths = code_lengths(rare)
    assert lengths.max() == MAX_LENGTH and canonical_codes(lengths).size == 1 << MAX_LENGTH
    with pytest.raises(EseError, match=r"^huffman: must code at most 65536 different symbols, "
                                       r"which is what 16 bits can tell apart, but 70000 occur"):
        code_lengths(np.ones(70_000, np.int64))


def test_lengths_of_nothing_and_of_one_symbol():
    assert code_lengths(np.zeros(3, np.int64)).tolist() == [0, 0, 0]
    assert code_lengths(np.array([0, 9, 0])).tolist() == [0, 1, 0]


@pytest.mark.parametrize("lengths, message", [
    ([0, 0], r"lengths must be 1 to 16 bits, got 0"), ([17, 1], r"1 to 16 bits, got 17"),
    ([1, 1, 1], r"must be those of a prefix code")])
def test_lengths_refused(lengths, message):
    with pytest.raises(EseError, match=message):
        canonical_codes(np.array(lengths))


def test_bits_refused():
    lengths = np.array([1, 2], np.uint32)
    with pytest.raises(EseError, match=r"every bit pattern must be a code, but symbol 0 is none"):
        decode(np.array([0xFFFFFFFF], np.uint32), np.array([0], np.uint32), lengths, 4)
    with pytest.raises(EseError, match=r"4 symbols must have 1 block offsets within 32 bits"):
        decode(np.array([0], np.uint32), np.array([33], np.uint32), lengths, 4)
    with pytest.raises(EseError, match=r"2000 symbols must have 2 block offsets"):
        decode(np.array([0], np.uint32), np.array([0], np.uint32), lengths, 2000)
