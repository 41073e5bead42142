"""What each value of an ONNX graph is, as far as it can be known without frames.

Sizes that a file leaves open (frames, streams) become primes that its whole numbers don't
contain; what depends on sizes alone (shapes, zero states, sequence lengths) is then plain numpy.
Every element of a graph input and of an LSTM's outputs gets a number of its own, from 1 on, and
the file's own :data:`MOVES`, run by ``onnx.reference``, move the numbers. Where they arrive is
where the elements arrive, whatever the nodes are: nothing is assumed of axes. What any other
node makes is opaque: the host's.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....contract.cells import LSTM
from .graph import Dims, Graph, attribute, called, operator, run_node

MOVES = frozenset(("Transpose", "Squeeze", "Unsqueeze", "Reshape", "Identity", "Dropout", "Cast",
                   "Flatten", "Slice", "Split", "Gather", "Concat", "Expand", "Tile", "Pad",
                   "ReverseSequence"))
"""Nodes that move elements without changing them."""

FOLDED = MOVES - {"Dropout"} | {"Constant", "ConstantOfShape", "Shape", "Size", "Mul", "Add",
                                "Sub", "Neg", "Equal", "Where", "DequantizeLinear"}
"""Nodes that are computed where all they read is known."""

HARMLESS_CASTS = ("FLOAT16", "FLOAT", "DOUBLE")
"""Types that hold what an LSTM puts out; the engine's own formats are narrower."""

LARGEST = 1 << 25
"""Elements of a value that is followed or computed; more would not fit into memory."""

MOST_AXES = 8
"""Sizes that a value of unknown rank may be asked for; each may be anything."""

NO_END = 2**31 - 1
"""From here on a Slice's end means the end of the axis, whatever its size."""


@dataclass(frozen=True)
class Value:
    """A value: known (``array``), followed (``numbers``), or neither.

    shape: with primes for open sizes; None if the rank is unknown. sized: the array depends on
    open sizes. origin: the value whose numbers these are, moved by ``path``. why: what made a
    value unknown; then ``below`` names the LSTM's output it was made from, if any.
    """

    shape: tuple[int, ...] | None
    array: NDArray[Any] | None = None
    sized: bool = False
    origin: str = ""
    numbers: NDArray[np.int32] | None = None
    path: tuple[Any, ...] = ()
    why: str = ""
    below: str = ""


class Values:
    """Every value of a graph, by name."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._primes = _primes(graph)
        self._open: dict[str, int] = {}
        self._used: list[int] = []
        self._sequences = {node.input[0] for node in graph.lstms()}
        self._states = {name for node in graph.lstms() for name in node.output if name}
        self._needed = _needed(graph)
        self._values = {name: Value(array.shape, array)
                        for name, array in graph.constants.items()}
        self._values[""] = Value(None, why="nothing makes it")
        for name, dims in graph.inputs.items():
            self._values[name] = self._numbered(name, self._shape(name, dims))
        for node in graph.nodes:
            for name, value in zip(node.output, self._outputs(node), strict=False):
                if name:
                    self._values[name] = value

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def is_open(self, size: int) -> bool:
        """Whether the file leaves this size open."""
        return any(size % prime == 0 for prime in self._used)

    def _fresh(self) -> int:
        self._used.append(next(self._primes))
        return self._used[-1]

    def _shape(self, name: str, dims: Dims | None) -> tuple[int, ...] | None:
        if dims is None:
            if name not in self._sequences:
                return None
            dims = (None, None, None)
        sizes = []
        for dim in dims:
            if isinstance(dim, str):
                if dim not in self._open:
                    self._open[dim] = self._fresh()
                dim = self._open[dim]
            sizes.append(dim or self._fresh())
        return tuple(sizes)

    def _numbered(self, name: str, shape: tuple[int, ...] | None) -> Value:
        if shape is None:
            return Value(None, origin=name, why=f"{name!r} declares no shape")
        count = math.prod(shape)
        if count > LARGEST:
            return Value(shape, origin=name, why=f"{name!r} has too many values to be followed")
        return Value(shape, origin=name,
                     numbers=np.arange(1, count + 1, dtype=np.int32).reshape(shape))

    def _outputs(self, node: Any) -> Iterator[Value]:
        op = operator(node)
        inputs = [self._values[name] if name else None for name in node.input]
        if op == "LSTM":
            yield from self._lstm(node, inputs)
            return
        given = [value for value in inputs if value is not None]
        if op == "Shape" and given and given[0].shape is None and not node.attribute:
            yield Value((MOST_AXES,), np.array([self._fresh() for _ in range(MOST_AXES)]), True)
        elif op in ("Shape", "Size") and given and given[0].shape is not None:
            size = np.broadcast_to(np.float32(0), given[0].shape)
            known = any(self.is_open(dim) for dim in given[0].shape)
            yield from self._computed(node, [size], given, sized=known)
        elif op in FOLDED and all(value.array is not None for value in given) \
                and self._is_small(node, given):
            yield from self._computed(node, [value and value.array for value in inputs], given)
        elif op in MOVES and _moved_inputs(op, given):
            yield from self._moved(node, op, inputs, given)
        else:
            yield from self._opaque(node, given, f"{called(node)} stands between")

    def _lstm(self, node: Any, inputs: list[Value | None]) -> Iterator[Value]:
        """Numbers for Y, Y_h, Y_c, by the shapes of X and W (dirs, 4·cells, inputs)."""
        x, w = inputs[0], inputs[1]
        if x is None or w is None or x.shape is None or len(x.shape) != 3 \
                or w.shape is None or len(w.shape) != 3 or attribute(node, "layout", 0):
            yield from self._opaque(node, [], f"{called(node)} has shapes that are not followed")
            return
        (steps, streams, _), (dirs, rows, _) = x.shape, w.shape
        last = (dirs, streams, rows // LSTM.size)
        for name, shape in zip(node.output, ((steps, *last), last, last),
                               strict=False):
            yield self._numbered(name, shape)

    def _is_small(self, node: Any, given: list[Value]) -> bool:
        """Whether a node of known inputs is worth computing: for an LSTM, or small."""
        op = operator(node)
        if op in ("ConstantOfShape", "Expand", "Tile") and given:
            target = given[-1].array
            made = 1.0 if target is None else float(np.prod(np.abs(target.astype(np.float64))))
            if op == "Tile":
                made *= float(np.prod(given[0].shape or ()))
            if made > LARGEST:
                return False
        return id(node) in self._needed or all(
            value.array is not None and value.array.size <= 4096 for value in given)

    def _computed(self, node: Any, arrays: list[Any], given: list[Value], sized: bool = False
                  ) -> Iterator[Value]:
        try:
            results = run_node(node, arrays, self._graph.opset)
        except Exception as error:  # noqa: BLE001 (numpy and onnx raise any kind)
            yield from self._opaque(node, given, f"{called(node)} {_fails(error)}")
            return
        sized = sized or any(value.sized for value in given if value.array is not None)
        for result in results:
            yield Value(result.shape, result, sized)

    def _moved(self, node: Any, op: str, inputs: list[Value | None], given: list[Value]
               ) -> Iterator[Value]:
        path = (*{id(step): step for value in given for step in value.path}.values(), node)
        why = next((value.why for value in given if value.why), "")
        try:
            why = why or self._changes(node, op, inputs)
            if not why and op in ("Identity", "Cast", "Dropout"):
                yield replace(given[0], path=path)
                yield from (Value(None, why=f"{called(node)} masks") for _ in node.output[1:])
                return
            results = [] if why else run_node(
                node, [value and (value.array if value.numbers is None else value.numbers)
                       for value in inputs], self._graph.opset)
        except Exception as error:  # noqa: BLE001 (numpy and onnx raise any kind)
            why = f"{called(node)} {_fails(error)}"
        lost = Value(None, origin=given[0].origin, path=path, why=why)
        for name in node.output if why else ():
            yield replace(lost, shape=self._shape(name, self._graph.declared.get(name)))
        for moved in () if why else results:
            yield replace(lost, shape=moved.shape, numbers=moved)

    def _changes(self, node: Any, op: str, inputs: list[Value | None]) -> str:
        """Why a node may change values, or move them otherwise for other sizes; "" if it can't."""
        if op == "Cast":
            from onnx import TensorProto

            name = TensorProto.DataType.Name(attribute(node, "to", 0))
            return "" if name in HARMLESS_CASTS else f"{called(node)} rounds to {name}"
        if op == "Dropout":
            training = inputs[2].array if len(inputs) > 2 and inputs[2] is not None else None
            unknown = len(inputs) > 2 and inputs[2] is not None and training is None
            drops = (training is not None and bool(training.any())) or (
                self._graph.opset < 7 and not attribute(node, "is_test", 0))
            return f"{called(node)} drops values" if unknown or drops else ""
        if op == "Slice" and inputs[0] is not None and inputs[0].shape is not None:
            return self._cuts(node, inputs, inputs[0].shape)
        return ""

    def _cuts(self, node: Any, inputs: list[Value | None], shape: tuple[int, ...]) -> str:
        """A Slice that takes everything of an open size here, but not of a larger one."""
        def given(name: str, place: int, missing: Any) -> list[int]:
            value = inputs[place] if len(inputs) > place else None
            if value is not None and value.array is not None:
                return [int(number) for number in value.array.ravel()]
            return list(attribute(node, name, missing))

        starts, ends = given("starts", 1, ()), given("ends", 2, ())
        axes = given("axes", 3, range(len(starts)))
        for axis, *bounds in zip(axes, starts, ends, strict=False):
            size = shape[axis]
            if self.is_open(size) and any(
                    size < abs(bound) < NO_END for bound in bounds):
                return f"{called(node)} cuts at {bounds[1]}"
        return ""

    def _opaque(self, node: Any, given: list[Value], why: str) -> Iterator[Value]:
        source = next((value for value in given if value.below or value.origin in self._states),
                      None)
        below = "" if source is None else source.below or source.origin
        if source is not None and source.why:
            why = source.why
        for name in node.output:
            yield Value(self._shape(name, self._graph.declared.get(name)), why=why, below=below)


def _fails(error: Exception) -> str:
    return f"can't be computed for such shapes ({type(error).__name__})"


def _moved_inputs(op: str, given: list[Value]) -> bool:
    """Whether what moves is followed, from one value alone, and the rest is known."""
    moving = given if op == "Concat" else given[:1]
    return len({value.origin or id(value) for value in moving}) == 1 \
        and all(value.origin for value in moving) \
        and all(value.array is not None for value in given[len(moving):])


def _needed(graph: Graph) -> set[int]:
    """Nodes that an LSTM's inputs are made of, as ids."""
    wanted = {name for node in graph.lstms() for name in node.input}
    found = set()
    for node in reversed(graph.nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            found.add(id(node))
    return found


def _primes(graph: Graph) -> Iterator[int]:
    """Primes from 11 that divide none of the file's whole numbers."""
    there = {dim for dims in (*graph.declared.values(),
                              *(dims or () for dims in graph.inputs.values()))
             for dim in dims if isinstance(dim, int)}
    from onnx import numpy_helper

    small = list(graph.constants.values())
    for node in graph.nodes:
        there.update(number for given in node.attribute
                     for number in (given.i, *given.ints) if abs(number) < NO_END)
        small += [numpy_helper.to_array(given.t) for given in node.attribute
                  if given.HasField("t")]
    for array in small:
        there.update(array.shape)
        if array.dtype.kind in "iu" and array.size <= 64:
            there.update(int(number) for number in array.ravel() if abs(int(number)) < NO_END)
    there.discard(0)
    candidate = 11
    while True:
        if all(candidate % k for k in range(2, int(candidate**0.5) + 1)) \
                and all(number % candidate for number in there):
            yield candidate
        candidate += 1
