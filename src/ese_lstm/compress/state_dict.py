"""Named tensors to a network: PyTorch's LSTM names, ours for peepholes, and the paper's.

| names, layer k | shape | meaning |
|---|---|---|
| ``weight_ih_l{k}`` | (4·cells, inputs) | W_x, gates stacked in ``gate_order`` |
| ``weight_hh_l{k}`` | (4·cells, outputs) | W_y |
| ``bias_ih_l{k}``, ``bias_hh_l{k}`` | (4·cells,) | added to one bias |
| ``weight_hr_l{k}`` | (outputs, cells) | projection W_ym |
| ``weight_ci_l{k}``, ``weight_cf_l{k}``, ``weight_co_l{k}`` | (cells,) | peepholes (ours) |
| ``Wix`` ``Wfx`` ``Wcx`` ``Wox`` | (cells, inputs) | the paper's; ``_l{k}`` may follow each name |
| ``Wir`` ``Wfr`` ``Wcr`` ``Wor`` | (cells, outputs) | |
| ``bi`` ``bf`` ``bc`` ``bo``, ``Wic`` ``Wfc`` ``Woc`` | (cells,) | biases, peepholes |
| ``Wym`` | (outputs, cells) | projection |
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.config import GATES
from ..contract.errors import EseError
from .network import GATE_NAMES, Layer, Network, require_finite, require_shape

TORCH_GATE_ORDER = "ifgo"
"""PyTorch's order; Keras and TensorFlow (i, f, c, o) have the same, ONNX has iofc."""

_TORCH_NAME = re.compile(
    r"(?P<prefix>(?:.*\.)?)(?P<name>weight_ih|weight_hh|weight_hr|bias_ih|bias_hh|weight_c[ifo])"
    r"_l(?P<layer>\d+)(?P<reverse>_reverse)?")
_PAPER_NAME = re.compile(
    r"(?P<prefix>(?:.*\.)?)(?P<name>W[ifco][xr]|W[ifo]c|Wym|b[ifco])(?:_l(?P<layer>\d+))?")


def network_from_tensors(tensors: Mapping[str, NDArray[Any]], prefix: str | None = None,
                         gate_order: str = TORCH_GATE_ORDER, source: str = "network") -> Network:
    """The LSTM stack among ``tensors``, its gates brought into the order i, f, g, o.

    prefix: which stack, if there are several (``lstm`` for ``lstm.weight_ih_l0``). gate_order:
    the file's order of gates, a permutation of ``ifgo`` (``c`` may stand for ``g``).
    Raises EseError naming a tensor that is missing, unsupported, of another shape or not finite.
    """
    order = parse_gate_order(gate_order)
    chosen, pattern = _choose(tensors, prefix, source)
    mine = {}
    for key, tensor in tensors.items():
        if not key.startswith(chosen) or (not chosen and "." in key):
            continue
        match = pattern.fullmatch(key)
        if match is None or match["prefix"] != chosen:
            raise EseError(f"checkpoint: {source} has the tensor {key}, which is no part of an "
                           f"LSTM with projection and peepholes; only such layers are supported")
        if match.groupdict().get("reverse"):
            raise EseError(f"checkpoint: {source} has the tensor {key} of a bidirectional LSTM; "
                           f"only forward layers are supported")
        mine[(match["name"], int(match["layer"] or 0))] = (key, tensor)
    if pattern is _PAPER_NAME and order != (0, 1, 2, 3):
        raise EseError(f"gate_order: must be {TORCH_GATE_ORDER} for tensors named per gate (Wix, "
                       f"Wfx, …), got {gate_order!r}")
    numbered = any(pattern is _TORCH_NAME or re.search(r"_l\d+$", key) for key, _ in mine.values())
    reader = _Reader(mine, chosen, numbered, source)
    layers = []
    for number in range(1 + max(layer for _, layer in mine)):
        layers.append(_torch_layer(reader, number, order) if pattern is _TORCH_NAME
                      else _paper_layer(reader, number))
        if number and layers[number].inputs != layers[number - 1].outputs:
            raise EseError(f"checkpoint: {source} layer {number} must read the "
                           f"{layers[number - 1].outputs} outputs of layer {number - 1}, but has "
                           f"{layers[number].inputs} inputs")
    return Network(tuple(layers), source)


def parse_gate_order(text: str) -> tuple[int, int, int, int]:
    """Where gates i, f, g, o stand in a file's stacked rows."""
    letters = text.lower().replace(",", "").replace("c", "g")
    if sorted(letters) != sorted(TORCH_GATE_ORDER):
        raise EseError(f"gate_order: must be a permutation of {TORCH_GATE_ORDER}, got {text!r}")
    i, f, g, o = (letters.index(gate) for gate in TORCH_GATE_ORDER)
    return i, f, g, o


def _choose(tensors: Mapping[str, NDArray[Any]], prefix: str | None,
            source: str) -> tuple[str, re.Pattern[str]]:
    """The stack's prefix, and the pattern of its names."""
    found: dict[str, re.Pattern[str]] = {}
    for key in tensors:
        for pattern, marks in ((_TORCH_NAME, ("weight_ih", "weight_hh")),
                               (_PAPER_NAME, tuple(f"W{g}{k}" for g in "ifco" for k in "xr"))):
            match = pattern.fullmatch(key)
            if match and match["name"] in marks:
                found.setdefault(match["prefix"], pattern)
    if not found:
        names = list(tensors)[:6]
        raise EseError(f"checkpoint: {source} must hold an LSTM (tensors such as weight_ih_l0, or "
                       f"Wix), but holds {', '.join(names) or 'no tensor'}"
                       f"{' …' if len(tensors) > 6 else ''}")
    if prefix is None:
        if len(found) > 1:
            raise EseError(f"prefix: must be given, because {source} holds several LSTMs: "
                           f"{_listed(found)}")
        return next(iter(found.items()))
    wanted = prefix if not prefix or prefix.endswith(".") else f"{prefix}."
    if wanted not in found:
        raise EseError(f"prefix: must be one of {_listed(found)} in {source}, got {prefix!r}")
    return wanted, found[wanted]


def _listed(prefixes: Mapping[str, Any]) -> str:
    return ", ".join(repr(name.removesuffix(".")) for name in sorted(prefixes))


class _Reader:
    """Takes tensors by name and layer, checking that they are there, real and finite."""

    def __init__(self, tensors: Mapping[tuple[str, int], tuple[str, NDArray[Any]]], prefix: str,
                 numbered: bool, source: str) -> None:
        self._tensors = tensors
        self._prefix = prefix
        self._numbered = numbered
        self._source = source

    def key(self, name: str, layer: int) -> str:
        return f"{self._prefix}{name}" + (f"_l{layer}" if self._numbered else "")

    def any(self, *names: str) -> bool:
        """Whether any layer has one of these tensors; then every layer must."""
        return any(name in names for name, _ in self._tensors)

    def take(self, name: str, layer: int, shape: tuple[int, ...] | None = None
             ) -> NDArray[np.float64]:
        if (name, layer) not in self._tensors:
            there = ", ".join(key for key, _ in self._tensors.values())
            raise EseError(f"checkpoint: {self._source} must hold the tensor "
                           f"{self.key(name, layer)}, but holds {there}")
        key, tensor = self._tensors[(name, layer)]
        if not np.issubdtype(tensor.dtype, np.floating):
            raise EseError(f"checkpoint: {key} must be floating point, got {tensor.dtype}")
        if shape is None and tensor.ndim != 2:
            raise EseError(f"checkpoint: {key} must have two dimensions, got shape {tensor.shape}")
        if shape is not None:
            require_shape(f"checkpoint: {key}", tensor, shape)
        require_finite(f"checkpoint: {key}", tensor)
        return tensor.astype(np.float64)


def _torch_layer(reader: _Reader, number: int, order: tuple[int, int, int, int]) -> Layer:
    w_y = reader.take("weight_hh", number)
    projected = reader.any("weight_hr")
    rows, outputs = w_y.shape
    if not projected and rows != GATES * outputs:
        kind = {3: "a GRU", 1: "a plain RNN"}.get(rows / max(outputs, 1), "no LSTM")
        raise EseError(f"checkpoint: {reader.key('weight_hh', number)} must have the shape "
                       f"(4·cells, cells) of an LSTM without projection, got {w_y.shape}, which "
                       f"is {kind}")
    if rows % GATES:
        raise EseError(f"checkpoint: {reader.key('weight_hh', number)} must have 4·cells rows, "
                       f"got {rows}")
    cells = rows // GATES
    w_x = reader.take("weight_ih", number)
    require_shape(f"checkpoint: {reader.key('weight_ih', number)}", w_x, (rows, w_x.shape[1]))
    bias = None
    if reader.any("bias_ih", "bias_hh"):
        bias = (reader.take("bias_ih", number, (rows,)) + reader.take("bias_hh", number, (rows,)))
    peepholes = None
    if reader.any("weight_ci", "weight_cf", "weight_co"):
        peepholes = np.stack([reader.take(name, number, (cells,))
                              for name in ("weight_ci", "weight_cf", "weight_co")])
    w_m = reader.take("weight_hr", number, (outputs, cells)) if projected else None
    return Layer(_ordered(w_x, order), _ordered(w_y, order),
                 None if bias is None else _ordered(bias, order), peepholes, w_m)


def _ordered(stacked: NDArray[np.float64], order: tuple[int, int, int, int]
             ) -> NDArray[np.float64]:
    gates = np.split(stacked, GATES)
    return np.concatenate([gates[position] for position in order])


def _paper_layer(reader: _Reader, number: int) -> Layer:
    first_x, first_y = reader.take("Wix", number), reader.take("Wir", number)
    cells, outputs = first_x.shape[0], first_y.shape[1]
    parts = {kind: np.concatenate([reader.take(f"W{gate}{kind}", number, (cells, first.shape[1]))
                                   for gate in GATE_NAMES])
             for kind, first in (("x", first_x), ("r", first_y))}
    bias = peepholes = w_m = None
    if reader.any(*(f"b{gate}" for gate in GATE_NAMES)):
        bias = np.concatenate([reader.take(f"b{gate}", number, (cells,)) for gate in GATE_NAMES])
    if reader.any("Wic", "Wfc", "Woc"):
        peepholes = np.stack([reader.take(name, number, (cells,))
                              for name in ("Wic", "Wfc", "Woc")])
    if reader.any("Wym"):
        w_m = reader.take("Wym", number, (outputs, cells))
    elif outputs != cells:
        raise EseError(f"checkpoint: {reader.key('Wir', number)} must have {cells} columns "
                       f"without a projection Wym, got {outputs}")
    return Layer(parts["x"], parts["r"], bias, peepholes, w_m)
