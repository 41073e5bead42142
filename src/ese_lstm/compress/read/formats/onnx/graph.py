"""An ONNX file opened: its main graph, without what no output needs, names checked.

Files that break the format's own rules (a value made twice, or read
before it is made) are refused, so that whoever walks the graph comes to an end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .....contract.errors import EseError

Dims = tuple[int | str | None, ...]
"""A declared shape: a size, a name of a size, or None where nothing is said."""


@dataclass(frozen=True)
class Graph:
    """The live nodes in order, what is known before any runs, and who reads each value."""

    source: str
    opset: int
    nodes: tuple[Any, ...]
    constants: dict[str, NDArray[Any]]
    inputs: dict[str, Dims | None]
    outputs: frozenset[str]
    declared: dict[str, Dims]
    readers: dict[str, list[Any]]

    def refuse(self, node: Any, what: str) -> NoReturn:
        """EseError that names file and node."""
        raise EseError(f"checkpoint: {self.source} {called(node)} {what}")

    def lstms(self) -> list[Any]:
        """The LSTM nodes, in order."""
        return [node for node in self.nodes if operator(node) == "LSTM"]


def operator(node: Any) -> str:
    """The node's operator; another domain's with its domain, because it may mean another thing."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def called(node: Any) -> str:
    """``Relu node 'r'``; without a name, by its first output."""
    if node.name:
        return f"{node.op_type} node {node.name!r}"
    return f"{node.op_type} node that makes {next(filter(None, node.output), '')!r}"


def attribute(node: Any, name: str, missing: Any) -> Any:
    """A node's attribute, ``missing`` if it is not given."""
    from onnx import helper

    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), missing)


def run_node(node: Any, arrays: list[Any], opset: int) -> list[NDArray[Any]]:
    """A node's outputs, by onnx's reference; raises whatever that raises."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    feeds = {name: np.asarray(array) for name, array in zip(node.input, arrays, strict=False)
             if name}
    graph = helper.make_graph([node], "one", [helper.make_empty_tensor_value_info(name)
                                              for name in feeds],
                              [helper.make_empty_tensor_value_info(name)
                               for name in node.output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return [np.asarray(result) for result in ReferenceEvaluator(model).run(None, feeds)]


def open_graph(path: Path) -> Graph:
    """The graph of an ONNX file. Raises EseError, naming the file, if the onnx package is
    missing, the file or its external data can't be read, or its names break ONNX's rules."""
    try:
        import onnx
        import onnx.inliner
    except ImportError:
        raise EseError(f"checkpoint: reading {path.name} needs the onnx package, which is not "
                       f"installed (pip install 'ese-lstm[onnx]')") from None
    try:
        model = onnx.load(str(path))
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        constants = _constants(model.graph)
    except Exception as error:  # noqa: BLE001 (protobuf and onnx raise kinds of their own)
        said = (str(error).splitlines() or ["it is empty"])[0]
        raise EseError(f"checkpoint: {path.name} must be a complete ONNX file, but reading says: "
                       f"{type(error).__name__}: {said}") from None
    graph = model.graph
    inputs = {value.name: _dims(value) for value in graph.input if value.name not in constants}
    _check_names(graph, {*constants, *inputs}, path.name)
    nodes = _live(graph)
    if not any(operator(node) == "LSTM" for node in nodes):
        _refuse_without_lstm(graph, path.name)
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for name in _reads(node):
            readers.setdefault(name, []).append(node)
    declared = {value.name: dims
                for value in (*_inferred(model), *graph.value_info, *graph.output)
                if (dims := _dims(value)) is not None}
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    return Graph(path.name, opset, tuple(nodes), constants, inputs,
                 frozenset(value.name for value in graph.output), declared, readers)


def _constants(graph: Any) -> dict[str, NDArray[Any]]:
    """Initializers by name; sparse ones made dense."""
    from onnx import numpy_helper

    found = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for sparse in graph.sparse_initializer:
        values = numpy_helper.to_array(sparse.values)
        places = numpy_helper.to_array(sparse.indices)
        dense = np.zeros(tuple(sparse.dims), values.dtype)
        dense[np.unravel_index(places, dense.shape) if places.ndim == 1
              else tuple(places.T)] = values
        found[sparse.values.name] = dense
    return found


def _inferred(model: Any) -> Sequence[Any]:
    """Values whose shapes follow by ONNX's rules from those that the file declares; exporters
    need not write them. None of a graph that contradicts the rules or is too large."""
    import onnx.shape_inference

    try:
        return list(onnx.shape_inference.infer_shapes(model).graph.value_info)
    except Exception:  # noqa: BLE001 (onnx raises kinds of its own)
        return []


def _dims(value: Any) -> Dims | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.dim_value > 0 else dim.dim_param or None
                 for dim in tensor.shape.dim)


def _reads(node: Any) -> Iterator[str]:
    """Every value a node reads, those that its branches and bodies read included."""
    yield from filter(None, node.input)
    for body in _bodies(node):
        inside = {name for inner in body.node for name in inner.output}
        inside |= {value.name for value in (*body.input, *body.initializer)}
        yield from (value.name for value in body.output if value.name not in inside)
        for inner in body.node:
            yield from (name for name in _reads(inner) if name not in inside)


def _bodies(node: Any) -> list[Any]:
    return [body for attribute in node.attribute
            for body in ([attribute.g] if attribute.HasField("g") else attribute.graphs)]


def _check_names(graph: Any, known: set[str], source: str) -> None:
    known = set(known)
    for node in graph.node:
        for name in _reads(node):
            if name not in known:
                raise EseError(f"checkpoint: {source} {called(node)} must read values made before "
                               f"it, but nothing before it makes {name!r}")
        if operator(node) == "LSTM" and not all([*node.input, "", "", ""][:3]):
            raise EseError(f"checkpoint: {source} {called(node)} must read X, W and R, but reads "
                           f"{', '.join(node.input) or 'nothing'}")
        for name in filter(None, node.output):
            if name in known:
                raise EseError(f"checkpoint: {source} {called(node)} must make values of its own, "
                               f"but {name!r} is there already")
            known.add(name)


def _live(graph: Any) -> list[Any]:
    """Nodes that an output needs: what is read by nobody must not count as a layer."""
    wanted = {value.name for value in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(_reads(node))
            nodes.append(node)
    return nodes[::-1]


def _refuse_without_lstm(graph: Any, source: str) -> NoReturn:
    from collections import Counter

    unread = next((node for node in graph.node if operator(node) == "LSTM"), None)
    if unread is not None:
        raise EseError(f"checkpoint: {source} {called(unread)} must be needed by an output of the "
                       f"graph, but no output needs it")
    for node in graph.node:
        inner = _lstm_inside(node)
        if inner is not None:
            raise EseError(f"checkpoint: {source} must hold an LSTM node in its main graph, but "
                           f"{called(inner)} stands inside {called(node)}")
    counts = Counter(operator(node) for node in graph.node if node.op_type != "Constant")
    there = ", ".join(f"{op} ×{n}" for op, n in sorted(counts.items())) or "no node"
    raise EseError(f"checkpoint: {source} must hold an LSTM node, but holds {there}")


def _lstm_inside(node: Any) -> Any:
    for body in _bodies(node):
        for inner in body.node:
            found = inner if operator(inner) == "LSTM" else _lstm_inside(inner)
            if found is not None:
                return found
    return None
