"""One LSTM node: what it must be to run on the engine, and its tensors by PyTorch's names.

| ONNX (operator ``LSTM``) | here, layer k |
|---|---|
| ``W`` (dirs, 4·cells, inputs), gates i, o, f, c | ``weight_ih_l{k}`` |
| ``R`` (dirs, 4·cells, cells) | ``weight_hh_l{k}`` |
| ``B`` (dirs, 8·cells) = Wb, Rb | ``bias_ih_l{k}``, ``bias_hh_l{k}`` |
| ``P`` (dirs, 3·cells), gates i, o, f | ``weight_ci_l{k}``, ``weight_co_l{k}``, ``weight_cf_…`` |

The second direction's names end in ``_reverse``. Source: the ONNX operator specification,
``LSTM`` (opset 1 to 22).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....contract.cells import LSTM
from .graph import Graph, attribute, called
from .values import Value, Values

ONNX_TO_IFGO = (0, 2, 3, 1)
"""Where gates i, f, g, o stand in ONNX's i, o, f, c."""

DEFAULT_ACTIVATIONS = ("sigmoid", "tanh", "tanh")
ATTRIBUTES = ("activation_alpha", "activation_beta", "activations", "clip", "direction",
              "hidden_size", "input_forget", "layout", "output_sequence")

X, W, R, B, LENGTHS, H, C, P = range(8)
"""Positions of the node's inputs."""


@dataclass(frozen=True)
class LstmNode:
    """An LSTM node of a graph, its inputs by position ("" for what is not given)."""

    graph: Graph
    values: Values
    node: Any

    @property
    def inputs(self) -> list[str]:
        """Names of the eight inputs: X, W, R, B, sequence_lens, initial_h, initial_c, P."""
        return [*self.node.input, *[""] * (8 - len(self.node.input))]

    @property
    def directions(self) -> int:
        """2 if the node is bidirectional, else 1."""
        return 2 if self._direction() == "bidirectional" else 1

    def tensors(self, layer: int, biased: bool, peepholed: bool) -> dict[str, NDArray[np.float64]]:
        """The node's tensors as layer ``layer``; zeros for B or P that only other layers have.

        Raises EseError for what the engine can't run, and shapes that contradict one another.
        """
        self._check_attributes()
        w, r = self._weights()
        dirs, cells = w.shape[0], w.shape[1] // LSTM.size
        self._check_x(w.shape[-1])
        self._check_lengths()
        for position, what in ((H, "initial_h"), (C, "initial_c")):
            self._check_state(position, what, cells)
        self._check_declared(cells)
        b = self._optional(B, "B", (dirs, 2 * LSTM.size * cells)) if biased else None
        p = self._optional(P, "P", (dirs, 3 * cells)) if peepholed else None
        tensors = {}
        for direction in range(dirs):
            end = f"_l{layer}" + (
                "_reverse" if direction or self._direction() == "reverse" else "")
            tensors[f"weight_ih{end}"] = _gates(w[direction])
            tensors[f"weight_hh{end}"] = _gates(r[direction])
            if b is not None:
                for name, half in zip(("ih", "hh"), np.split(b[direction], 2), strict=True):
                    tensors[f"bias_{name}{end}"] = _gates(half)
            if p is not None:
                for gate, part in zip("iof", np.split(p[direction], 3), strict=True):
                    tensors[f"weight_c{gate}{end}"] = part
        return tensors

    def given_states(self) -> list[str]:
        """Inputs of the graph that are this node's initial states."""
        origins = [self.values[name].origin for name in self.inputs[H:P] if name]
        return [name for name in origins if name in self.graph.inputs]

    def _direction(self) -> str:
        return str(attribute(self.node, "direction", b"forward").decode())

    def _check_attributes(self) -> None:
        node, refuse = self.node, self.graph.refuse
        unknown = sorted({a.name for a in node.attribute} - set(ATTRIBUTES))
        if unknown:
            refuse(node, f"must have attributes that ONNX knows, got {', '.join(unknown)}")
        if self._direction() not in ("forward", "reverse", "bidirectional"):
            refuse(node, f"must be forward, reverse or bidirectional, got {self._direction()!r}")
        activations = [a.decode() for a in attribute(node, "activations", [])]
        if activations and (tuple(a.lower() for a in activations)
                            != DEFAULT_ACTIVATIONS * self.directions):
            refuse(node, f"must have the activations Sigmoid, Tanh, Tanh, got "
                         f"{', '.join(activations)}")
        for name, why in (("clip", "cells are not clipped"),
                          ("input_forget", "i and f are gates of their own"),
                          ("layout", "frames come first")):
            value = attribute(node, name, 0)
            if value:
                refuse(node, f"must have {name} 0 ({why}), got {value:g}")
        for name in ("activation_alpha", "activation_beta"):
            if values := attribute(node, name, ()):
                refuse(node, f"must have no {name} (Sigmoid and Tanh take none), got "
                             f"{', '.join(f'{value:g}' for value in values)}")

    def _weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        w, r = self._constant(W, "W"), self._constant(R, "R")
        for name, tensor in (("W", w), ("R", r)):
            if tensor.ndim != 3:
                self.graph.refuse(self.node, f"must have {name} of three dimensions, got the "
                                             f"shape {tensor.shape}")
        dirs = self.directions
        cells = int(attribute(self.node, "hidden_size", r.shape[-1]))
        for name, tensor, columns in (("W", w, w.shape[-1]), ("R", r, cells)):
            shape = (dirs, LSTM.size * cells, columns)
            if tensor.shape != shape or not tensor.size:
                self.graph.refuse(self.node, f"must have {name} of the shape {shape}, got "
                                             f"{tensor.shape}")
        return w, r

    def _check_x(self, inputs: int) -> None:
        x = self.values[self.inputs[X]].shape
        if x is None or not self._agree(x, (None, None, inputs)):
            self.graph.refuse(self.node, f"must read X of the shape (frames, streams, {inputs}), "
                                         f"got {self._shown(x)}")

    def _check_declared(self, cells: int) -> None:
        """The shapes that the file declares for Y, Y_h and Y_c."""
        steps, streams, _ = self.values[self.inputs[X]].shape or (None, None, None)
        last = (self.directions, streams, cells)
        for name, what, shape in zip(self.node.output, ("Y", "Y_h", "Y_c"),
                                     ((steps, *last), last, last), strict=False):
            dims = self.graph.declared.get(name)
            if dims is not None and not self._agree(
                    tuple(dim if isinstance(dim, int) else None for dim in dims), shape):
                self._refuse_shape(what, shape, dims)

    def _check_lengths(self) -> None:
        name = self.inputs[LENGTHS]
        x = self.values[self.inputs[X]].shape
        lengths = self.values[name].array if name else None
        if name and (lengths is None or x is None or (lengths != x[0]).any()):
            self.graph.refuse(self.node, f"must read whole sequences, but has sequence_lens "
                                         f"({name!r}) that may be shorter")

    def _check_state(self, position: int, what: str, cells: int) -> None:
        name = self.inputs[position]
        if not name:
            return
        value = self.values[name]
        if value.array is not None:
            if value.array.any():
                self.graph.refuse(self.node, f"must have {what} zero, because streams start from "
                                             f"zero states, but it is a constant other than 0")
        elif value.origin not in self.graph.inputs:
            made = next((called(node) for node in self.graph.lstms()
                         if (value.origin or value.below) in filter(None, node.output)),
                        None) or value.why.partition(" node ")[0]
            self.graph.refuse(self.node, f"must have {what} zero or an input of the graph, but "
                                         f"{made} makes it")
        elif any(self.values[node.input[X]].origin == value.origin for node in self.graph.lstms()):
            self.graph.refuse(self.node, f"must have {what} zero or an input of its own, but it "
                                         f"is made of the frames {value.origin!r}")
        x = self.values[self.inputs[X]].shape
        shape = (self.directions, x[1] if x else None, cells)
        if value.shape is not None and not self._agree(value.shape, shape):
            self._refuse_shape(what, shape, value.shape)

    def _agree(self, shape: tuple[int | None, ...], wanted: tuple[int | None, ...]) -> bool:
        """Whether shapes can be one: sizes that the file leaves open agree with any."""
        return len(shape) == len(wanted) and all(
            a == b or a is None or b is None or self.values.is_open(a) or self.values.is_open(b)
            for a, b in zip(shape, wanted, strict=True))

    def _refuse_shape(self, what: str, wanted: tuple[int | None, ...], got: Any) -> None:
        hint = "" if wanted[-1] == got[-1] else (
            "; a file whose exporter dropped the projection (proj_size) looks like this")
        self.graph.refuse(self.node, f"must have {what} of the shape {self._shown(wanted)}, got "
                                     f"{self._shown(got)}{hint}")

    def _shown(self, shape: Any) -> str:
        return "an unknown one" if shape is None else "({})".format(", ".join(
            str(dim) if isinstance(dim, str) or (dim is not None and not self.values.is_open(dim))
            else "?" for dim in shape))

    def _constant(self, position: int, what: str) -> NDArray[np.float64]:
        name = self.inputs[position]
        if not name:
            self.graph.refuse(self.node, f"must have {what}, but has none")
        value = self.values[name]
        if value.array is None or value.sized:
            self.graph.refuse(self.node, f"must have {what} constant in the file, got "
                                         f"{self._maker(name, value)}")
        if value.array.dtype.kind != "f" and value.array.dtype.name != "bfloat16":
            self.graph.refuse(self.node, f"must have {what} of floating point, got "
                                         f"{value.array.dtype}")
        return value.array.astype(np.float64)

    def _maker(self, name: str, value: Value) -> str:
        maker = next((node for node in self.graph.nodes if name in node.output), None)
        if maker is None:
            return "an input"
        fails = f" ({value.why})" if "can't be" in value.why else ""
        return f"what {called(maker)} makes{fails}"

    def _optional(self, position: int, what: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if not self.inputs[position]:
            return np.zeros(shape)
        tensor = self._constant(position, what)
        if tensor.shape != shape:
            self.graph.refuse(self.node, f"must have {what} of the shape {shape}, got "
                                         f"{tensor.shape}")
        return tensor


def _gates(stacked: NDArray[np.float64]) -> NDArray[np.float64]:
    parts = np.split(stacked, LSTM.size)
    return np.concatenate([parts[position] for position in ONNX_TO_IFGO])
