"""ONNX ``LSTM`` nodes to tensors with PyTorch's names, gates in the order i, f, g, o.

Two LSTM nodes are layers of one stack if the second is proven (:mod:`values`) to read the
first's outputs, all of them, frame by frame and [forward | reverse], and nothing else reads
them. All other LSTM nodes are stacks of their own, told apart by the name of their first node:
a host can join them by whatever stands between. Initial states must be zero or inputs of the
graph: the engine keeps its own.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....contract.errors import EseError
from ...reader import TensorFile
from .graph import Graph, called, open_graph, operator
from .layers import LstmNode
from .values import MOVES, Value, Values

AXES = ("time", "batch", "features")


@dataclass(frozen=True)
class _Stack:
    """LSTM nodes from the first layer on; apart: why it doesn't go on another stack."""

    name: str
    nodes: list[Any]
    apart: str


def read_onnx(path: Path, prefix: str | None, wanted: Collection[str]) -> TensorFile:
    """The LSTM stack of an ONNX file; prefix: its first node's name, if there are several.

    Raises EseError, naming file and node, for what can't be shown to be what the engine runs:
    other activations, ``clip``, ``input_forget``, ``layout`` 1, sequence lengths, initial states
    that are neither zero nor inputs, weights that are not constants, shapes that contradict one
    another, frames that are rearranged on their way in.
    """
    graph = open_graph(path)
    values = Values(graph)
    stack = _choose(_stacks(graph, values), prefix, graph.source)
    nodes = [LstmNode(graph, values, node) for node in stack.nodes]
    biased, peepholed = (any(node.inputs[place] for node in nodes) for place in (3, 7))
    tensors: dict[str, NDArray[Any]] = {}
    for layer, node in enumerate(nodes):
        tensors.update(node.tensors(layer, biased, peepholed))
    _check_frames(graph, values, nodes[0])
    return TensorFile(tensors, notes=_notes(graph, values, nodes))


def _stacks(graph: Graph, values: Values) -> list[_Stack]:
    stacks: list[_Stack] = []
    for number, node in enumerate(graph.lstms()):
        below, apart = _below(graph, values, node)
        if below is not None:
            next(stack for stack in stacks if stack.nodes[-1] is below).nodes.append(node)
            continue
        name = node.name or f"lstm{number}"
        if any(stack.name == name for stack in stacks):
            name = f"{name}#{number}"
        stacks.append(_Stack(name, [node], apart))
    return stacks


def _below(graph: Graph, values: Values, node: Any) -> tuple[Any, str]:
    """The LSTM node whose outputs this one reads as its layer's, or None; why it is not one."""
    x = values[node.input[0]]
    name = x.below or x.origin
    below = next((lstm for lstm in graph.lstms() if name and name in lstm.output), None)
    if below is None:
        return None, ""
    start = f"{called(node)} must read the outputs of {called(below)} alone and in place, but "
    if name != below.output[0]:
        return None, f"{start}reads a last state"
    if x.numbers is None:
        return None, start + x.why
    wanted = in_place(values[name])
    if not np.array_equal(x.numbers, wanted):
        return None, f"{start}reads them {_order(x.numbers, wanted)} after {_passed(x)}"
    others = _others(graph, name, x, node)
    return (None, start + others) if others else (below, "")


def in_place(y: Value) -> NDArray[np.int32]:
    """Y's numbers (T, dirs, B, cells) as the next layer must read them: (T, B, dirs·cells)."""
    assert y.numbers is not None
    steps, dirs, streams, cells = y.numbers.shape
    return y.numbers.transpose(0, 2, 1, 3).reshape(steps, streams, dirs * cells)


def _order(got: NDArray[np.int32], wanted: NDArray[np.int32]) -> str:
    for axes in permutations(range(3)):
        if got.shape == wanted.transpose(axes).shape \
                and np.array_equal(got, wanted.transpose(axes)):
            return f"as ({', '.join(AXES[axis] for axis in axes)})"
    return "in another order"


def _passed(value: Value) -> str:
    return ", ".join(called(node) for node in value.path) or "no other node"


def _others(graph: Graph, name: str, x: Value, node: Any) -> str:
    """Who else takes values on their way from one layer to the next; "" if nobody does."""
    way = {id(step) for step in (*x.path, node)}
    for passed in (name, *(output for step in x.path for output in step.output)):
        if passed in graph.outputs:
            return f"{passed!r} is an output of the graph too"
        for reader in graph.readers.get(passed, ()):
            if id(reader) not in way and _takes_values(graph, reader):
                return f"{called(reader)} reads {passed!r} too"
    return ""


def _takes_values(graph: Graph, node: Any) -> bool:
    """Whether a node, or what reads its moves, takes more than sizes of what it reads."""
    if operator(node) in ("Shape", "Size"):
        return False
    if operator(node) not in MOVES or graph.outputs.intersection(node.output):
        return True
    return any(_takes_values(graph, reader)
               for name in node.output for reader in graph.readers.get(name, ()))


def _choose(stacks: list[_Stack], prefix: str | None, source: str) -> _Stack:
    names = ", ".join(repr(stack.name) for stack in stacks)
    if prefix is None or (not prefix and len(stacks) == 1):
        if len(stacks) > 1:
            apart = "".join(f"; {stack.apart}" for stack in stacks if stack.apart)
            raise EseError(f"prefix: must be given, because {source} holds several LSTMs: "
                           f"{names}{apart}")
        return stacks[0]
    for stack in stacks:
        if prefix.removesuffix(".") == stack.name.removesuffix("."):
            return stack
    raise EseError(f"prefix: must be one of {names} in {source}, got {prefix!r}")


def _check_frames(graph: Graph, values: Values, first: LstmNode) -> None:
    """Frames that come straight from an input of the graph must come in as they are."""
    x = values[first.inputs[0]]
    refuse = graph.refuse
    if x.shape and x.shape[0] == 1 < x.shape[1] and not values.is_open(x.shape[1]) \
            and not first.given_states():
        refuse(first.node, f"must read frames one after another, but reads one frame of "
                           f"{x.shape[1]} streams from zero states; time is the first axis")
    if x.origin not in graph.inputs or not x.path:
        return
    if x.numbers is None:
        refuse(first.node, f"must read the frames of {x.origin!r} as they are, but {x.why}")
    source = values[x.origin].numbers
    if source is None or not is_frames(x.numbers, source):
        refuse(first.node, f"must read the frames of {x.origin!r} as they are (time, batch, "
                           f"features, all of them, in order), but reads them in another order "
                           f"after {_passed(x)}")


def is_frames(numbers: NDArray[np.int32], source: NDArray[np.int32]) -> bool:
    """Whether (T, B, inputs) is the source itself but for the order of time and batch and axes
    of size 1: features are its last axes, or the one axis that has their number."""
    width = numbers.shape[-1]
    whole = [source.reshape(*source.shape[:place], width) for place in range(source.ndim)
             if int(np.prod(source.shape[place:])) == width]
    alone = [axis for axis, size in enumerate(source.shape) if size == width]
    if len(alone) == 1:
        whole.append(np.moveaxis(source, alone[0], -1))
    lead = tuple(size for size in numbers.shape[:-1] if size > 1)
    for rows in whole:
        rows = rows.reshape(*(size for size in rows.shape[:-1] if size > 1), width)
        orders = [rows, rows.swapaxes(0, 1)] if rows.ndim == 3 else [rows]
        if any(order.shape[:-1] == lead and np.array_equal(numbers, order.reshape(numbers.shape))
               for order in orders):
            return True
    return False


def _notes(graph: Graph, values: Values, nodes: list[LstmNode]) -> tuple[str, ...]:
    """What the host does, what it can't have, and what it need not give."""
    states = sorted({name for node in nodes for name in node.given_states()})
    listed = ", ".join(f"{op} ×{n}" for op, n in sorted(
        Counter(operator(node) for node in _of_the_host(graph, values, nodes, states)).items()))
    notes = [f"nodes of {graph.source} outside the LSTM, left to the host: {listed}"] \
        if listed else []
    if states:
        notes.append(f"inputs of {graph.source} that are states, which an image keeps itself, "
                     f"from zeros on: {', '.join(states)}")
    ends = [called(node.node) for node in nodes
            if any(name in graph.readers or name in graph.outputs
                   for name in node.node.output[1:] if name)]
    if ends:
        notes.append(f"last states that {graph.source} reads, of which an image puts out none but "
                     f"the last layer's last frame: {', '.join(ends)}")
    return tuple(notes)


def _of_the_host(graph: Graph, values: Values, nodes: list[LstmNode], states: list[str]
                 ) -> list[Any]:
    """Nodes that are neither layers, nor between them, nor known, nor mere moves of whole
    frames or of states on their way in."""
    mine = {id(node.node) for node in nodes}
    for node in nodes:
        x = values[node.inputs[0]]
        if node is not nodes[0] or x.origin in graph.inputs:
            mine |= {id(step) for step in x.path}
    last = values[nodes[-1].node.output[0]]

    def is_known(value: Value) -> bool:
        return value.array is not None or value.origin in states or _is_plain(last, value)

    return [node for node in graph.nodes
            if id(node) not in mine and _takes_values(graph, node)
            and not all(is_known(values[name]) for name in node.output if name)]


def _is_plain(y: Value, value: Value) -> bool:
    """Whether these are an LSTM's outputs frame by frame, [forward | reverse], in any shape."""
    if value.origin != y.origin or value.numbers is None or y.numbers is None:
        return False
    frames = in_place(y)
    return any(np.array_equal(value.numbers.ravel(), order.ravel())
               for order in (frames, frames.transpose(1, 0, 2)))
