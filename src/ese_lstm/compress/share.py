"""Weight sharing by k-means: each matrix's non-zero weights become 2**bits values.

Lloyd's algorithm in one dimension from centroids spread evenly between the smallest and the
largest weight, which Deep Compression found best because large weights, few but important, keep
centroids of their own (Han et al., ICLR'16, section 3.2). Pruned weights stay zero.
"""

import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError
from .network import Network

MIN_BITS, MAX_BITS = 1, 8
ROUNDS = 50


def kmeans(values: NDArray[np.floating], bits: int) -> NDArray[np.float64]:
    """At most 2**bits centroids in ascending order (fewer if there are fewer values).

    Raises EseError if bits is not 1 to 8.
    """
    if not MIN_BITS <= bits <= MAX_BITS:
        raise EseError(f"share_bits: must be {MIN_BITS} to {MAX_BITS}, got {bits}")
    ordered = np.sort(np.asarray(values, np.float64).ravel())
    distinct = ordered[np.append(ordered[:1] == ordered[:1], ordered[1:] != ordered[:-1])]
    if len(distinct) <= 1 << bits:
        return distinct
    centroids = np.linspace(ordered[0], ordered[-1], 1 << bits)
    sums = np.append(0.0, np.cumsum(ordered))
    for _ in range(ROUNDS):
        edges = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
        edges = np.concatenate([[0], edges, [len(ordered)]])
        sizes = np.diff(edges)
        means = np.diff(sums[edges]) / np.maximum(sizes, 1)
        moved = np.where(sizes > 0, means, centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids


def assign(values: NDArray[np.floating], centroids: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the nearest centroid of each value; centroids ascending."""
    return np.searchsorted((centroids[1:] + centroids[:-1]) / 2, np.asarray(values, np.float64))


def share_matrix(matrix: NDArray[np.floating], bits: int) -> NDArray[np.float64]:
    """The matrix with every non-zero weight replaced by its centroid."""
    shared = np.array(matrix, np.float64)
    where = shared != 0
    if where.any():
        centroids = kmeans(shared[where], bits)
        shared[where] = centroids[assign(shared[where], centroids)]
    return shared


def share_network(network: Network, bits: int) -> Network:
    """Every matrix of every layer (each gate its own) shared; biases and peepholes untouched."""
    return network.mapped(lambda _, matrix: share_matrix(matrix, bits))
