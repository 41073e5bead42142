"""Narrower weights for single matrices: a coarser grid inside the entry's format.

The engine's entries are ``weight_bits`` wide for all matrices. A matrix of fewer bits has its
weights rounded to the steps of the finest fixed-point format of that many bits that holds its
largest magnitude; those values are what is quantised and packed. They need fewer bits where
weights are stored by value (:mod:`compress.storage`); the hardware does not change.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..contract.cells import LSTM
from ..contract.errors import EseError
from ..contract.formats import FixedFormat
from .network import GATE_NAMES, Layer, Network
from .prune import MATRICES

MIN_BITS = 2


def narrow_matrix(matrix: NDArray[np.floating], bits: int) -> NDArray[np.float64]:
    """The matrix rounded to ``bits``-bit fixed point that holds its largest magnitude."""
    values = np.asarray(matrix, np.float64)
    fmt = FixedFormat.fitting(bits, float(np.max(np.abs(values), initial=0.0)))
    return fmt.real(fmt.quantise(values)[0])


def narrow_network(network: Network, widths: Mapping[str, int]) -> Network:
    """Matrices named in widths (by :func:`width_of`'s rule) narrowed; others untouched."""
    if not widths:
        return network
    return network.with_layers(tuple(_narrow_layer(layer, f"l{number}", widths)
                                     for number, layer in enumerate(network.layers)))


def width_of(name: str, widths: Mapping[str, int], default: int) -> int:
    """Bits of a matrix (``l0.Wix``): its own, or those of its name in every layer (``Wix``)."""
    return widths.get(name, widths.get(name.partition(".")[2], default))


def check_widths(widths: Mapping[str, int], layers: int, most: int) -> None:
    """Raise EseError unless every name is a matrix and every width is 2 to ``most`` bits."""
    known = {*MATRICES, *(f"l{number}.{name}" for number in range(layers) for name in MATRICES)}
    for name, bits in widths.items():
        if name not in known:
            raise EseError(f"weight_bits_of: must be of a matrix among {', '.join(MATRICES)}, or "
                           f"of one layer's as l0.Wix, got {name!r}")
        if not MIN_BITS <= bits <= most:
            raise EseError(f"weight_bits_of: must be {MIN_BITS} to weight_bits={most}, got {bits} "
                           f"for {name}")


def _narrow_layer(layer: Layer, name: str, widths: Mapping[str, int]) -> Layer:
    def narrow(matrix: NDArray[np.floating], kind: str) -> NDArray[np.floating]:
        bits = width_of(f"{name}.{kind}", widths, 0)
        return narrow_matrix(matrix, bits) if bits else matrix

    def gates(stacked: NDArray[np.floating], kind: str) -> NDArray[np.floating]:
        return np.concatenate([narrow(part, f"W{letter}{kind}") for letter, part in
                               zip(GATE_NAMES, np.split(stacked, LSTM.size), strict=True)])
    return Layer(gates(layer.w_x, "x"), gates(layer.w_y, "r"), layer.bias, layer.peepholes,
                 None if layer.w_m is None else narrow(layer.w_m, "Wym"))
