"""Fixtures of the compiler's tests."""

import numpy as np
import pytest

SIZE = 4


class OnnxMaker:
    """An ONNX graph that grows by nodes; constants get names of their own."""

    def __init__(self, rng, dims=(SIZE, SIZE, SIZE)):
        self.onnx = pytest.importorskip("onnx", reason="extra onnx is not installed")
        self.rng, self.nodes, self.constants = rng, [], []
        self.inputs, self.more_outputs = [self.value("x", dims)], []

    def value(self, name, dims=None):
        return self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, dims)

    def constant(self, values, dtype=np.float32):
        name = f"k{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def ints(self, *values):
        return self.constant(values, np.int64)

    def node(self, op, inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(
            op, inputs, [name], name=f"{op.lower()}-{name}", **attributes))
        return name

    def lstm(self, name, x, inputs=SIZE, *, cells=SIZE, dirs=1):
        arrays = [self.constant(self.rng.normal(0, 0.5, shape))
                  for shape in ((dirs, 4 * cells, inputs), (dirs, 4 * cells, cells),
                                (dirs, 8 * cells))]
        self.nodes.append(self.onnx.helper.make_node(
            "LSTM", [x, *arrays], [f"{name}.Y"], name=name, hidden_size=cells,
            direction="bidirectional" if dirs == 2 else "forward"))
        return f"{name}.Y"

    def squeezed(self, y):
        """An LSTM's outputs without the axis of directions."""
        return self.node("Squeeze", [y, self.ints(1)])

    def save(self, folder, output):
        graph = self.onnx.helper.make_graph(
            self.nodes, "g", self.inputs,
            [self.value(name) for name in (output, *self.more_outputs)], self.constants)
        opset = self.onnx.helper.make_opsetid("", 17)
        self.onnx.save(self.onnx.helper.make_model(graph, opset_imports=[opset]),
                       str(folder / "m.onnx"))
        return folder / "m.onnx"


@pytest.fixture
def onnx_maker():
    """Makes ONNX graphs of LSTM nodes: by default as many frames, streams, inputs and cells, so
    that every swap of axes gives a valid graph."""
    return OnnxMaker


@pytest.fixture
def two_directions() -> None:
    """onnx has an evaluator of LSTM nodes in two directions."""
    pytest.importorskip("onnx", "1.23", reason="before onnx 1.23 its evaluator has one direction")
