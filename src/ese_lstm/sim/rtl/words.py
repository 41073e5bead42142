"""Wide hardware words as Python integers, packed and unpacked many at a time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pack_words(values: NDArray[np.integer] | NDArray[np.bool_], bits: int) -> list[int]:
    """Words from fields of equal width, least significant first; values (n, fields) → n words.

    Values are taken modulo 2**bits, so signed and unsigned fields pack alike.
    """
    integers = np.asarray(values).astype(np.int64)
    shifts = np.arange(bits, dtype=np.int64)
    table = (integers[:, :, None] >> shifts & 1).astype(np.uint8)
    packed = np.packbits(table.reshape(len(integers), -1), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def unpack_words(words: list[int], fields: int, bits: int, *,
                 signed: bool = True) -> NDArray[np.int64]:
    """Inverse of :func:`pack_words`: n words → (n, fields). Higher bits are ignored."""
    if not words:
        return np.zeros((0, fields), np.int64)
    mask = (1 << (fields * bits)) - 1
    size = -(-fields * bits // 8)
    raw = np.frombuffer(b"".join((word & mask).to_bytes(size, "little") for word in words),
                        dtype=np.uint8).reshape(len(words), size)
    table = np.unpackbits(raw, axis=1, bitorder="little", count=fields * bits)
    weights = np.int64(1) << np.arange(bits, dtype=np.int64)
    if signed:
        weights[-1] = -weights[-1]
    return table.reshape(len(words), fields, bits).astype(np.int64) @ weights


def to_bytes(values: Sequence[int], bits: int) -> NDArray[np.uint8]:
    """Words of ``bits`` bits as rows of bytes, least significant first."""
    size = -(-bits // 8)
    data = b"".join(value.to_bytes(size, "little") for value in values)
    return np.frombuffer(data, np.uint8).reshape(len(values), size)


def from_bytes(table: NDArray[np.uint8]) -> list[int]:
    """Inverse of :func:`to_bytes`."""
    return [int.from_bytes(row.tobytes(), "little") for row in table]
