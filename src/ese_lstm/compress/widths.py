"""Narrower weights for single matrices: a coarser grid inside the entry's format.

The engine's entries are ``weight_bits`` wide for all matrices. A matrix of fewer bits has its
weights rounded to the steps of the finest fixed-point format of that many bits that holds its
largest magnitude; those values are what is quantised and packed. They need fewer bits where
weights are stored by value (:mod:`compress.storage`); the hardware does not change.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError
from ..contract.formats import FixedFormat
from .matrices import check_names, value_of
from .network import Network

MIN_BITS = 2


def narrow_matrix(matrix: NDArray[np.floating], bits: int) -> NDArray[np.float64]:
    """The matrix rounded to ``bits``-bit fixed point that holds its largest magnitude."""
    values = np.asarray(matrix, np.float64)
    fmt = FixedFormat.fitting(bits, float(np.max(np.abs(values), initial=0.0)))
    return fmt.real(fmt.quantise(values)[0])


def narrow_network(network: Network, widths: Mapping[str, int]) -> Network:
    """Matrices named in widths (by :func:`matrices.value_of`'s rule) narrowed; others
    untouched."""
    def narrow(name: str, matrix: NDArray[Any]) -> NDArray[Any]:
        bits = value_of(name, widths, 0)
        return narrow_matrix(matrix, bits) if bits else matrix
    return network.mapped(narrow) if widths else network


def check_widths(widths: Mapping[str, int], layers: int, most: int) -> None:
    """Raise EseError unless every name is a matrix and every width is 2 to ``most`` bits."""
    check_names("weight_bits_of", widths, layers)
    for name, bits in widths.items():
        if not MIN_BITS <= bits <= most:
            raise EseError(f"weight_bits_of: must be {MIN_BITS} to weight_bits={most}, got {bits} "
                           f"for {name}")
