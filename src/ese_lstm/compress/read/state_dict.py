"""Named tensors to a network: PyTorch's LSTM names, ours for peepholes, and the paper's.

| names, layer k | shape | meaning |
|---|---|---|
| ``weight_ih_l{k}`` | (4·cells, inputs) | W_x, gates stacked in ``gate_order`` |
| ``weight_hh_l{k}`` | (4·cells, outputs) | W_y |
| ``bias_ih_l{k}``, ``bias_hh_l{k}`` | (4·cells,) | added to one bias |
| ``bias_l{k}`` | (4·cells,) | the bias, where there is one alone (ours) |
| ``weight_hr_l{k}`` | (outputs, cells) | projection W_ym |
| ``weight_ci_l{k}``, ``weight_cf_l{k}``, ``weight_co_l{k}`` | (cells,) | peepholes (ours) |
| ``Wix`` ``Wfx`` ``Wcx`` ``Wox`` | (cells, inputs) | the paper's; ``_l{k}`` may follow each name |
| ``Wir`` ``Wfr`` ``Wcr`` ``Wor`` | (cells, outputs) | |
| ``bi`` ``bf`` ``bc`` ``bo``, ``Wic`` ``Wfc`` ``Woc`` | (cells,) | biases, peepholes |
| ``Wym`` | (outputs, cells) | projection |

An LSTMCell's names are the first ones without ``_l{k}``; a reverse direction's end in ``_reverse``.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...contract.cells import LSTM
from ...contract.errors import EseError
from ..network import GATE_NAMES, Layer, Network, require_finite
from .names import Part, Tensors, several
from .parts import choose

TORCH_GATE_ORDER = "ifgo"
"""PyTorch's order; Keras and TensorFlow (i, f, c, o) have the same, ONNX has iofc."""

Place = tuple[int, bool]
"""Layer, and whether it reads the frames last first."""


def network_from_tensors(tensors: Tensors, prefix: str | None = None,
                         gate_order: str = TORCH_GATE_ORDER, source: str = "network") -> Network:
    """The forward LSTM stack among ``tensors``, its gates brought into the order i, f, g, o.

    prefix: which stack, if there are several (``lstm`` for ``lstm.weight_ih_l0``). gate_order:
    the file's order of gates, a permutation of ``ifgo`` (``c`` may stand for ``g``).
    Raises EseError naming a tensor that is missing, unsupported, of another shape or not finite.
    """
    parts = choose(tensors, prefix, source)
    reverse = [key for key in tensors for part in parts if (part.place(key) or (0, 0, False))[2]]
    if reverse:
        raise EseError(f"checkpoint: {source} has {several(reverse)} of a bidirectional LSTM; "
                       f"only forward layers are supported")
    return Network(tuple(read_layers(tensors, parts, gate_order, source).values()), source)


def read_layers(tensors: Tensors, parts: tuple[Part, ...], gate_order: str,
                source: str) -> dict[Place, Layer]:
    """Every layer and direction of ``parts`` (each on top of the one before) in order.

    Raises EseError as :func:`network_from_tensors`, and if forward layers don't join."""
    order = parse_gate_order(gate_order)
    layers: dict[Place, Layer] = {}
    for part in parts:
        reader = _Reader(tensors, part, source)
        if part.kind == "paper" and order != (0, 1, 2, 3):
            raise EseError(f"gate_order: must be {TORCH_GATE_ORDER} for tensors named per gate "
                           f"(Wix, Wfx, …), got {gate_order!r}")
        start = 1 + max((number for number, _ in layers), default=-1)
        for number, reverse in reader.places():
            layers[start + number, reverse] = (
                _paper_layer(reader, number) if part.kind == "paper"
                else _torch_layer(reader, (number, reverse), order))
    if not any(reverse for _, reverse in layers):
        for number in range(1, len(layers)):
            below, here = layers[number - 1, False], layers[number, False]
            if here.inputs != below.outputs:
                raise EseError(f"checkpoint: {source} layer {number} must read the "
                               f"{below.outputs} outputs of layer {number - 1}, but has "
                               f"{here.inputs} inputs")
    return layers


def parse_gate_order(text: str) -> tuple[int, int, int, int]:
    """Where gates i, f, g, o stand in a file's stacked rows."""
    letters = text.lower().replace(",", "").replace("c", "g")
    if sorted(letters) != sorted(TORCH_GATE_ORDER):
        raise EseError(f"gate_order: must be a permutation of {TORCH_GATE_ORDER}, got {text!r}")
    i, f, g, o = (letters.index(gate) for gate in TORCH_GATE_ORDER)
    return i, f, g, o


class _Reader:
    """Takes a part's tensors by name and place, checking that they are there, real and finite."""

    def __init__(self, tensors: Tensors, part: Part, source: str) -> None:
        self._tensors = tensors
        self._part = part
        self._source = source
        self._keys: dict[tuple[str, Place], str] = {}
        for key in tensors:
            place = part.place(key)
            if place:
                name, layer, reverse = place
                other = self._keys.setdefault((name, (layer, reverse)), key)
                if other != key:
                    raise EseError(f"checkpoint: {source} must hold a tensor once, but {other} "
                                   f"and {key} name the same one")
        self._numbered = part.kind == "LSTM" or any(
            key[-1].isdigit() for key in self._keys.values())

    def places(self) -> Iterator[Place]:
        """Every layer up to the last, and its directions; one that has no tensor is forward."""
        there = {place for _, place in self._keys}
        for layer in range(1 + max(layer for layer, _ in there)):
            yield from sorted(place for place in there if place[0] == layer) or [(layer, False)]

    def key(self, name: str, place: Place) -> str:
        end = (f"_l{place[0]}" + "_reverse" * place[1]) if self._numbered else ""
        return f"{self._part.prefix}{name}{end}"

    def any(self, *names: str) -> bool:
        """Whether any layer has one of these tensors; then every layer must."""
        return any(name in names for name, _ in self._keys)

    def take(self, name: str, place: Place, shape: tuple[int | None, ...] = (None, None)
             ) -> NDArray[np.float64]:
        """The tensor, of this shape (None: any extent)."""
        key = self._keys.get((name, place))
        if key is None:
            raise EseError(f"checkpoint: {self._source} must hold the tensor "
                           f"{self.key(name, place)}, but holds {', '.join(self._keys.values())}")
        tensor = self._tensors[key]
        if not np.issubdtype(tensor.dtype, np.floating):
            raise EseError(f"checkpoint: {key} must be floating point, got {tensor.dtype}")
        if len(shape) == 2 and tensor.ndim != 2:
            raise EseError(f"checkpoint: {key} must have two dimensions, got shape {tensor.shape}")
        whole = shape
        if tensor.ndim == len(shape):
            whole = tuple(there if want is None else want
                          for want, there in zip(shape, tensor.shape, strict=True))
        if tensor.shape != whole:
            turned = tensor.ndim == len(shape) == 2 and all(
                want in (None, there)
                for want, there in zip(shape, tensor.shape[::-1], strict=True))
            raise EseError(f"checkpoint: {key}: must have the shape {whole}, got {tensor.shape}"
                           f"{_transpose_hint(key) if turned else ''}")
        require_finite(f"checkpoint: {key}", tensor)
        return tensor.astype(np.float64)


def _transpose_hint(key: str) -> str:
    return (f", which looks transposed, as Keras and TensorFlow store kernels: give it as "
            f"--key-map '{key.rpartition('.')[2]}=transpose(NAME)'")


def _torch_layer(reader: _Reader, place: Place, order: tuple[int, int, int, int]) -> Layer:
    w_y = reader.take("weight_hh", place)
    w_m = reader.take("weight_hr", place) if reader.any("weight_hr") else None
    rows, outputs = w_y.shape
    if (rows, outputs) == ((rows, LSTM.size * rows) if w_m is None else
                           (w_m.shape[0], LSTM.size * w_m.shape[1])):
        reader.take("weight_hh", place, (outputs, rows))  # refuses it, as transposed
    if w_m is None and rows != LSTM.size * outputs:
        kind = {3: "a GRU", 1: "a plain RNN"}.get(rows / max(outputs, 1), "no LSTM")
        raise EseError(f"checkpoint: {reader.key('weight_hh', place)} must have the shape "
                       f"(4·cells, cells) of an LSTM without projection, got {w_y.shape}, which "
                       f"is {kind}")
    if rows % LSTM.size:
        raise EseError(f"checkpoint: {reader.key('weight_hh', place)} must have 4·cells rows, "
                       f"got {rows}")
    cells = rows // LSTM.size
    w_x = reader.take("weight_ih", place, (rows, None))
    bias = _bias(reader, place, rows)
    peepholes = None
    if reader.any("weight_ci", "weight_cf", "weight_co"):
        peepholes = np.stack([reader.take(name, place, (cells,))
                              for name in ("weight_ci", "weight_cf", "weight_co")])
    if w_m is not None:
        w_m = reader.take("weight_hr", place, (outputs, cells))
    return Layer(_ordered(w_x, order), _ordered(w_y, order),
                 None if bias is None else _ordered(bias, order), peepholes, w_m)


def _bias(reader: _Reader, place: Place, rows: int) -> NDArray[np.float64] | None:
    """The sum of a layer's biases, or its only one."""
    names = [name for name in ("bias_ih", "bias_hh", "bias") if reader.any(name)]
    if len(names) > 1 and "bias" in names:
        raise EseError(f"checkpoint: {reader.key('bias', place)} must be a layer's only bias, but "
                       f"{reader.key(names[0], place)} is there too")
    return sum((reader.take(name, place, (rows,)) for name in names[1:]),
               reader.take(names[0], place, (rows,))) if names else None


def _ordered(stacked: NDArray[np.float64], order: tuple[int, int, int, int]
             ) -> NDArray[np.float64]:
    gates = np.split(stacked, LSTM.size)
    return np.concatenate([gates[position] for position in order])


def _paper_layer(reader: _Reader, number: int) -> Layer:
    place = number, False
    first_x, first_y = reader.take("Wix", place), reader.take("Wir", place)
    cells, outputs = first_x.shape[0], first_y.shape[1]
    parts = {kind: np.concatenate([reader.take(f"W{gate}{kind}", place, (cells, first.shape[1]))
                                   for gate in GATE_NAMES])
             for kind, first in (("x", first_x), ("r", first_y))}
    bias = peepholes = w_m = None
    if reader.any(*(f"b{gate}" for gate in GATE_NAMES)):
        bias = np.concatenate([reader.take(f"b{gate}", place, (cells,)) for gate in GATE_NAMES])
    if reader.any("Wic", "Wfc", "Woc"):
        peepholes = np.stack([reader.take(name, place, (cells,))
                              for name in ("Wic", "Wfc", "Woc")])
    if reader.any("Wym"):
        w_m = reader.take("Wym", place, (outputs, cells))
    elif outputs != cells:
        raise EseError(f"checkpoint: {reader.key('Wir', place)} must have {cells} columns "
                       f"without a projection Wym, got {outputs}")
    return Layer(parts["x"], parts["r"], bias, peepholes, w_m)
