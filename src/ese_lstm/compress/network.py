"""The network as compress sees it: a stack of LSTM layers with peepholes and projections."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.cells import LSTM
from ..contract.errors import EseError

GATE_NAMES = "ifco"
"""Letters of gates i, f, g, o in the paper's matrix names (the cell gate g is Wcx, Wcr)."""


@dataclass(frozen=True)
class Layer:
    """Weights of one LSTM or LSTMP layer, real or (after quantisation) integer.

    w_x: (4·cells, inputs), w_y: (4·cells, outputs), bias: (4·cells,) or None, all in gate order
    i, f, g, o. peepholes: (3, cells) for gates i, f, o, or None. w_m: projection (outputs, cells),
    or None, in which case outputs = cells.
    """

    w_x: NDArray[Any]
    w_y: NDArray[Any]
    bias: NDArray[Any] | None = None
    peepholes: NDArray[Any] | None = None
    w_m: NDArray[Any] | None = None

    @property
    def inputs(self) -> int:
        """Values of one input column x."""
        return int(self.w_x.shape[1])

    @property
    def cells(self) -> int:
        """LSTM cells."""
        return int(self.w_x.shape[0]) // LSTM.size

    @property
    def projection(self) -> int:
        """Rows of the projection; 0 without one."""
        return 0 if self.w_m is None else int(self.w_m.shape[0])

    @property
    def outputs(self) -> int:
        """Values of one output y."""
        return self.projection or self.cells

    @property
    def weights(self) -> int:
        """Weights of all matrices, without biases and peepholes."""
        return int(self.w_x.size + self.w_y.size + (0 if self.w_m is None else self.w_m.size))

    def matrices(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """The paper's matrices by name: Wix, Wfx, Wcx, Wox, Wir, Wfr, Wcr, Wor, Wym."""
        for kind, matrix in (("x", self.w_x), ("r", self.w_y)):
            for gate, letter in enumerate(GATE_NAMES):
                yield (f"W{letter}{kind}",
                       matrix[gate * self.cells:(gate + 1) * self.cells])
        if self.w_m is not None:
            yield "Wym", self.w_m

    def with_matrices(self, changed: list[NDArray[Any]]) -> "Layer":
        """The same biases and peepholes with other matrices, in the order of :meth:`matrices`."""
        return replace(self, w_x=np.concatenate(changed[:LSTM.size]),
                       w_y=np.concatenate(changed[LSTM.size:2 * LSTM.size]),
                       w_m=None if self.w_m is None else changed[2 * LSTM.size])


@dataclass(frozen=True)
class Network:
    """Layers in order, with the name and the SHA-256 of the file they come from.

    notes: what a reader should know of the file, a sentence each.
    Raises EseError if a shape does not follow from the layer before, or a value is not finite.
    """

    layers: tuple[Layer, ...]
    source: str = "network"
    sha256: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.layers:
            raise EseError("network: must have at least one layer, got none")
        for number, layer in enumerate(self.layers):
            _check_layer(layer, f"layer {number}")
            if number and layer.inputs != self.layers[number - 1].outputs:
                raise EseError(f"layer {number} w_x: must have as many columns as layer "
                               f"{number - 1} has outputs ({self.layers[number - 1].outputs}), "
                               f"got {layer.inputs}")

    @property
    def inputs(self) -> int:
        """Values of one input frame."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """Values of one output frame."""
        return self.layers[-1].outputs

    @property
    def weights(self) -> int:
        """Weights of all matrices."""
        return sum(layer.weights for layer in self.layers)

    def with_layers(self, layers: tuple[Layer, ...]) -> "Network":
        """The same provenance with other weights."""
        return replace(self, layers=layers)

    def matrices(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """The matrices of every layer by name: l0.Wix …"""
        for number, layer in enumerate(self.layers):
            yield from ((f"l{number}.{name}", matrix) for name, matrix in layer.matrices())

    def mapped(self, change: Callable[[str, NDArray[Any]], NDArray[Any]]) -> "Network":
        """With every matrix changed by its name (l0.Wix) and itself."""
        return self.with_layers(tuple(
            layer.with_matrices([change(f"l{number}.{name}", matrix)
                                 for name, matrix in layer.matrices()])
            for number, layer in enumerate(self.layers)))


def _check_layer(layer: Layer, name: str) -> None:
    tensors = {"w_x": layer.w_x, "w_y": layer.w_y, "bias": layer.bias,
               "peepholes": layer.peepholes, "w_m": layer.w_m}
    rows = layer.w_x.shape[0]
    if rows % LSTM.size or rows == 0 or layer.w_x.ndim != 2 or layer.w_x.shape[1] == 0:
        raise EseError(f"{name} w_x: must have the shape (4·cells, inputs), got "
                       f"{layer.w_x.shape}")
    cells = rows // LSTM.size
    if layer.w_m is not None:
        require_shape(f"{name} w_m", layer.w_m, (max(layer.w_m.shape[0], 1), cells))
    shapes = {"w_y": (rows, layer.outputs), "bias": (rows,), "peepholes": (3, cells)}
    for key, shape in shapes.items():
        tensor = tensors[key]
        if tensor is not None:
            require_shape(f"{name} {key}", tensor, shape)
    for key, tensor in tensors.items():
        if tensor is not None:
            require_finite(f"{name} {key}", tensor)


def require_shape(name: str, tensor: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise EseError naming the tensor unless it has this shape."""
    if tensor.shape != shape:
        raise EseError(f"{name}: must have the shape {shape}, got {tensor.shape}")


def require_finite(name: str, tensor: NDArray[Any]) -> None:
    """Raise EseError naming the tensor, the count and the first position of NaN or Inf."""
    if np.issubdtype(tensor.dtype, np.integer):
        return
    bad = ~np.isfinite(tensor)
    count = int(np.count_nonzero(bad))
    if count:
        first = [int(part) for part in np.argwhere(bad)[0]]
        raise EseError(f"{name}: must be finite, but {count} of {tensor.size} values are NaN or "
                       f"Inf, the first at {first}")
