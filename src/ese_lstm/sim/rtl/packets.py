"""Packets of different sizes as two arrays, for a bench's job."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def join_packets(name: str, packets: Sequence[Bytes]) -> dict[str, NDArray[np.generic]]:
    """``name``: all bytes; ``name_sizes``: bytes of each packet."""
    return {name: np.concatenate([*packets, np.zeros(0, np.uint8)]),
            f"{name}_sizes": np.array([len(packet) for packet in packets], np.int64)}


def split_packets(data: Bytes, sizes: NDArray[np.integer]) -> list[Bytes]:
    """Inverse of :func:`join_packets`."""
    return np.split(data, np.cumsum(sizes)[:-1]) if len(sizes) else []
