"""ONNX ``LSTM`` nodes to tensors with PyTorch's names, gates in the order i, f, g, o.

| ONNX (operator ``LSTM``) | here, layer k |
|---|---|
| ``W`` (dirs, 4·cells, inputs), gates i, o, f, c | ``weight_ih_l{k}`` |
| ``R`` (dirs, 4·cells, cells) | ``weight_hh_l{k}`` |
| ``B`` (dirs, 8·cells) = Wb, Rb | ``bias_ih_l{k}``, ``bias_hh_l{k}`` |
| ``P`` (dirs, 3·cells), gates i, o, f | ``weight_ci_l{k}``, ``weight_co_l{k}``, ``weight_cf_…`` |

The second direction's names end in ``_reverse``. LSTM nodes that read one another through
:data:`PASSED` nodes alone are layers of one stack; stacks are told apart by the name of their
first node. Initial states must be zero or inputs of the graph: the engine keeps its own.
Source: the ONNX operator specification, ``LSTM`` (opset 1 to 22).
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..contract.config import GATES
from ..contract.errors import EseError

PASSED = ("Transpose", "Squeeze", "Unsqueeze", "Reshape", "Identity", "Dropout", "Cast")
"""Nodes that move values without changing them, between one LSTM node and the next."""

STATE_PASSED = (*PASSED, "Slice", "Split", "Gather", "Expand")
"""Nodes through which an initial state is followed back to where it comes from."""

ONNX_TO_IFGO = (0, 2, 3, 1)
"""Where gates i, f, g, o stand in ONNX's i, o, f, c."""

DEFAULT_ACTIVATIONS = ("sigmoid", "tanh", "tanh")


@dataclass(frozen=True)
class OnnxTensors:
    """Tensors by PyTorch's names, prefixed ``node.`` if there are several stacks, and notes."""

    tensors: dict[str, NDArray[Any]]
    notes: tuple[str, ...]


def read_onnx(path: Path) -> OnnxTensors:
    """The LSTM stacks of an ONNX file. Raises EseError, naming file and node, for what the
    engine can't run: other activations, ``clip``, ``input_forget``, ``layout`` 1, sequence
    lengths, constant non-zero initial states, weights that are not constants."""
    try:
        import onnx
    except ImportError:
        raise EseError(f"checkpoint: reading {path.name} needs the onnx package, which is not "
                       f"installed (pip install 'ese-lstm[onnx]')") from None
    try:
        model = onnx.load(str(path))
    except Exception as error:  # noqa: BLE001 (protobuf raises kinds of its own)
        said = (str(error).splitlines() or ["it is empty"])[0]
        raise EseError(f"checkpoint: {path.name} must be a complete ONNX file, but reading says: "
                       f"{type(error).__name__}: {said}") from None
    return _Graph(model.graph, path.name).read()


class _Graph:
    """One graph: constants by name, producers of values, and the LSTM nodes in order."""

    def __init__(self, graph: Any, source: str) -> None:
        from onnx import numpy_helper

        self._source = source
        self._nodes = list(graph.node)
        self._maker = {name: node for node in self._nodes for name in node.output if name}
        self._inputs = {value.name for value in graph.input}
        self._constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self._to_array = numpy_helper.to_array
        self._inputs -= set(self._constants)
        self._check_order()
        for node in self._nodes:
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self._constants[node.output[0]] = self._to_array(attribute.t)

    def _check_order(self) -> None:
        """Nodes come after those that they read, as ONNX has it: whoever follows values back
        through the graph comes to an end."""
        made: set[str] = set()
        for node in self._nodes:
            for name in node.input:
                if name in self._maker and name not in made:
                    self._refuse(node, f"must come after the node that makes {name!r}, but comes "
                                       f"before it or is that node")
            if node.op_type in STATE_PASSED and not node.input:
                self._refuse(node, "must have an input, but has none")
            made.update(node.output)

    def read(self) -> OnnxTensors:
        lstms = [node for node in self._nodes if node.op_type == "LSTM"]
        others = Counter(node.op_type for node in self._nodes
                         if node.op_type not in ("LSTM", "Constant", *PASSED))
        if not lstms:
            there = ", ".join(f"{op} ×{n}" for op, n in sorted(others.items())) or "no node"
            raise EseError(f"checkpoint: {self._source} must hold an LSTM node, but holds {there}")
        stacks: list[list[Any]] = []
        for node in lstms:
            below = self._origin(node.input[0])
            stack = next((s for s in stacks if s[-1] is below), None)
            if stack is None:
                stacks.append([node])
            else:
                stack.append(node)
        tensors: dict[str, NDArray[Any]] = {}
        for number, stack in enumerate(stacks):
            prefix = "" if len(stacks) == 1 else f"{stack[0].name or f'lstm{number}'}."
            given = {place for place in (3, 7)
                     if any(len(node.input) > place and node.input[place] for node in stack)}
            for layer, node in enumerate(stack):
                tensors.update({prefix + name: tensor
                                for name, tensor in self._layer(node, layer, given).items()})
        listed = ", ".join(f"{op} ×{n}" for op, n in sorted(others.items()))
        return OnnxTensors(tensors, (
            f"nodes of {self._source} outside the LSTM, left to the host: {listed}",)
            if others else ())

    def _origin(self, name: str) -> Any:
        """The node whose first output reaches ``name`` unchanged; None for anything else."""
        while (node := self._maker.get(name)) is not None and node.op_type in PASSED:
            name = node.input[0]
        return node if node is not None and name == node.output[0] else None

    def _layer(self, node: Any, layer: int, given: set[int]) -> dict[str, NDArray[Any]]:
        """A node's tensors; zeros for B (input 3) and P (7) if only other layers have them."""
        reverse_first, directions, cells = self._attributes(node)
        inputs = [*node.input, *[""] * (8 - len(node.input))]
        if inputs[4]:
            self._refuse(node, "must read whole sequences, but has sequence_lens")
        for position, what in ((5, "initial_h"), (6, "initial_c")):
            self._require_zero(node, inputs[position], what)
        w = self._constant(node, inputs[1], "W")
        r = self._constant(node, inputs[2], "R")
        for name, tensor, shape in (("W", w, (directions, GATES * cells, w.shape[-1])),
                                    ("R", r, (directions, GATES * cells, cells))):
            if tensor.shape != shape:
                self._refuse(node, f"must have {name} of the shape {shape}, got {tensor.shape}")
        b = p = None
        if 3 in given:
            b = self._optional(node, inputs[3], "B", (directions, 2 * GATES * cells))
        if 7 in given:
            p = self._optional(node, inputs[7], "P", (directions, 3 * cells))
        tensors = {}
        for direction in range(directions):
            end = f"_l{layer}" + ("_reverse" if direction or reverse_first else "")
            tensors[f"weight_ih{end}"] = _gates(w[direction])
            tensors[f"weight_hh{end}"] = _gates(r[direction])
            if b is not None:
                for name, half in zip(("ih", "hh"), np.split(b[direction], 2), strict=True):
                    tensors[f"bias_{name}{end}"] = _gates(half)
            if p is not None:
                for gate, part in zip("iof", np.split(p[direction], 3), strict=True):
                    tensors[f"weight_c{gate}{end}"] = part
        return tensors

    def _attributes(self, node: Any) -> tuple[bool, int, int]:
        """Whether the only direction is reverse, number of directions, cells."""
        from onnx import helper

        values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        direction = values.get("direction", b"forward").decode()
        if direction not in ("forward", "reverse", "bidirectional"):
            self._refuse(node, f"must be forward, reverse or bidirectional, got {direction!r}")
        directions = 2 if direction == "bidirectional" else 1
        activations = [a.decode() for a in values.get("activations", [])]
        wanted = DEFAULT_ACTIVATIONS * directions
        if activations and tuple(a.lower() for a in activations) != wanted:
            self._refuse(node, f"must have the activations Sigmoid, Tanh, Tanh, got "
                               f"{', '.join(activations)}")
        for name, why in (("clip", "cells are not clipped"),
                          ("input_forget", "i and f are gates of their own"),
                          ("layout", "frames come first")):
            if values.get(name):
                self._refuse(node, f"must have {name} 0 ({why}), got {values[name]:g}")
        if "hidden_size" in values:
            return direction == "reverse", directions, int(values["hidden_size"])
        return (direction == "reverse", directions,
                int(self._constant(node, node.input[2], "R").shape[-1]))

    def _require_zero(self, node: Any, name: str, what: str) -> None:
        while name and name not in self._constants and name not in self._inputs:
            maker = self._maker.get(name)
            if maker is None or maker.op_type not in STATE_PASSED:
                if maker is not None and maker.op_type == "ConstantOfShape":
                    values = [self._to_array(a.t) for a in maker.attribute if a.name == "value"]
                    if not any(value.any() for value in values):
                        return
                kind = maker.op_type if maker is not None else "nothing"
                self._refuse(node, f"must have {what} zero or an input of the graph, but {kind} "
                                   f"makes it")
            name = maker.input[0]
        if name in self._constants and self._constants[name].any():
            self._refuse(node, f"must have {what} zero, because streams start from zero states, "
                               f"but it is a constant other than 0")

    def _constant(self, node: Any, name: str, what: str) -> NDArray[Any]:
        maker = self._maker.get(name)
        if maker is not None and maker.op_type == "Identity":
            return self._constant(node, maker.input[0], what)
        if name not in self._constants:
            self._refuse(node, f"must have {what} constant in the file, got "
                               f"{maker.op_type if maker is not None else 'an input'}")
        return self._constants[name]

    def _optional(self, node: Any, name: str, what: str,
                  shape: tuple[int, ...]) -> NDArray[Any]:
        if not name:
            return np.zeros(shape)
        tensor = self._constant(node, name, what)
        if tensor.shape != shape:
            self._refuse(node, f"must have {what} of the shape {shape}, got {tensor.shape}")
        return tensor

    def _refuse(self, node: Any, what: str) -> NoReturn:
        raise EseError(f"checkpoint: {self._source} {node.op_type} node {node.name!r} {what}")


def _gates(stacked: NDArray[Any]) -> NDArray[Any]:
    parts = np.split(stacked, GATES)
    return np.concatenate([parts[position] for position in ONNX_TO_IFGO])
