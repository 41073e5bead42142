"""What stands before LSTM nodes and around them, and files that break ONNX's own rules."""

from pathlib import Path

import numpy as np
import pytest

from ese_lstm.compress.bidirectional import run_float_stack
from ese_lstm.compress.read.checkpoint import load_stacks
from ese_lstm.contract.errors import EseError

onnx = pytest.importorskip("onnx", reason="extra onnx is not installed")
reference = pytest.importorskip("onnx.reference")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT

SIZE, END = 4, np.iinfo(np.int64).max


def evaluated(path, x):
    return reference.ReferenceEvaluator(str(path)).run(None, {"x": x.astype(np.float32)})[0]


@pytest.mark.parametrize("dims, before", [
    ((2, 6, 3), lambda g: g.node("Transpose", ["x"], perm=[1, 0, 2])),
    (("b", "t", 3), lambda g: g.node("Transpose", ["x"], perm=[1, 0, 2])),
    (("b", 3, "t"), lambda g: g.node("Transpose", ["x"], perm=[2, 0, 1])),
    (("t", 3), lambda g: g.node("Unsqueeze", ["x", g.ints(1)])),
    (("t", "b", 1, 3), lambda g: g.node("Reshape", ["x", g.ints(0, 0, -1)])),
])
def test_frames_come_in_as_they_are(tmp_path, onnx_maker, dims, before):
    g = onnx_maker(np.random.default_rng(1), dims)
    path = g.save(tmp_path, g.lstm("a", before(g), 3))
    sizes = [{"t": 6, "b": 2}.get(dim, dim) for dim in dims]
    x = np.random.default_rng(2).normal(size=sizes)
    (stack,) = load_stacks(path)
    assert stack.network.notes == ()
    frames = {"b": x[0] if dims[1] == "t" else x[0].T, "t": x.reshape(6, -1, 3)[:, 0], 2: x[0]}
    np.testing.assert_allclose(run_float_stack(stack, frames[dims[0]]),
                               evaluated(path, x)[:, 0, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("dims, before, message", [
    ((4, 1, 4), lambda g: g.node("Transpose", ["x"], perm=[2, 1, 0]),
     r"must read the frames of 'x' as they are .* in another order after Transpose node"),
    (("t", 1, 4), lambda g: g.node("Slice", ["x", g.ints(-1), g.ints(-END), g.ints(0),
                                             g.ints(-1)]), r"in another order after Slice node"),
    (("t", 1, 4), lambda g: g.node("Slice", ["x", g.ints(0), g.ints(99), g.ints(0)]),
     r"must read the frames of 'x' as they are, but Slice node '\S+' cuts at 99"),
    ((4, 1, 8), lambda g: g.node("Reshape", ["x", g.ints(8, 1, 4)]), r"in another order after"),
    ((1, 9, 4), lambda g: "x", r"must read frames one after another, but reads one frame of 9 "
                               r"streams from zero states"),
    (("t", 1, 5), lambda g: "x", r"must read X of the shape \(frames, streams, 4\), got "
                                 r"\(\?, 1, 5\)"),
])
def test_frames_rearranged_on_their_way_in(tmp_path, onnx_maker, dims, before, message):
    g = onnx_maker(np.random.default_rng(1), dims)
    path = g.save(tmp_path, g.lstm("a", before(g)))
    with pytest.raises(EseError, match=message):
        load_stacks(path)


def test_what_the_host_computes_before_is_listed(tmp_path, onnx_maker):
    g = onnx_maker(np.random.default_rng(1), ("b", SIZE, "t"))
    dense = g.node("Relu", ["x"])
    path = g.save(tmp_path, g.lstm("a", g.node("Transpose", [dense], perm=[2, 0, 1])))
    assert load_stacks(path)[0].network.notes == (
        "nodes of m.onnx outside the LSTM, left to the host: Relu ×1, Transpose ×1",)


def test_not_sorted_or_made_twice(tmp_path, onnx_maker):
    for nodes, message in (
            ([helper.make_node("Relu", ["y"], ["z"], name="r")],
             r"Relu node 'r' must read values made before it, but nothing before it makes 'y'"),
            ([helper.make_node("Relu", ["x"], ["x"], name="r")],
             r"Relu node 'r' must make values of its own, but 'x' is there already")):
        g = onnx_maker(np.random.default_rng(1))
        g.nodes += nodes
        g.lstm("a", "x")
        with pytest.raises(EseError, match=message):
            load_stacks(g.save(tmp_path, "a.Y"))


def test_lstm_inside_a_branch(tmp_path, onnx_maker):
    inner = onnx_maker(np.random.default_rng(1))
    inner.lstm("a", "x")
    branch = helper.make_graph(inner.nodes, "then", [], [
        helper.make_tensor_value_info("a.Y", FLOAT, None)], inner.constants)
    g = onnx_maker(np.random.default_rng(1))
    g.inputs.append(helper.make_tensor_value_info("which", onnx.TensorProto.BOOL, []))
    g.nodes.append(helper.make_node("If", ["which"], ["y"], name="if", then_branch=branch,
                                    else_branch=branch))
    with pytest.raises(EseError, match=r"must hold an LSTM node in its main graph, but LSTM node "
                                       r"'a' stands inside If node 'if'"):
        load_stacks(g.save(tmp_path, "y"))


def test_branch_that_reads_a_layer_keeps_it_apart(tmp_path, onnx_maker):
    g = onnx_maker(np.random.default_rng(1))
    y = g.squeezed(g.lstm("a", "x"))
    top = g.squeezed(g.lstm("b", y))
    g.inputs.append(helper.make_tensor_value_info("which", onnx.TensorProto.BOOL, []))
    branches = [helper.make_graph([helper.make_node("Identity", [name], ["o"])], "g", [],
                                  [helper.make_tensor_value_info("o", FLOAT, None)])
                for name in (y, top)]
    g.nodes.append(helper.make_node("If", ["which"], ["out"], name="if", then_branch=branches[0],
                                    else_branch=branches[1]))
    with pytest.raises(EseError, match=r"If node 'if' reads 'n1' too"):
        load_stacks(g.save(tmp_path, "out"))


def test_missing_external_data(tmp_path, onnx_maker):
    g = onnx_maker(np.random.default_rng(1))
    path: Path = g.save(tmp_path, g.lstm("a", "x"))
    onnx.save(onnx.load(str(path)), str(path), save_as_external_data=True, location="m.data",
              size_threshold=0)
    assert len(load_stacks(path)) == 1
    (tmp_path / "m.data").unlink()
    with pytest.raises(EseError, match=r"^checkpoint: m.onnx must be a complete ONNX file, but"):
        load_stacks(path)


def test_nodes_of_one_name_are_told_apart(tmp_path, onnx_maker):
    """Names need not be unique in ONNX: no stack may hide another."""
    g = onnx_maker(np.random.default_rng(1))
    y = g.lstm("a", "x")
    again = g.lstm("b", "x")
    g.nodes[-1].name = "a"
    path = g.save(tmp_path, g.node("Add", [y, again]))
    with pytest.raises(EseError, match=r"several LSTMs: 'a', 'a#1'$"):
        load_stacks(path)
    first, second = (load_stacks(path, name)[0].network.layers[0].w_x for name in ("a", "a#1"))
    assert not np.array_equal(first, second)
