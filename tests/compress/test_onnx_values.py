"""Nodes between, before and around LSTM nodes: followed to the right numbers, or refused."""

from pathlib import Path

import numpy as np
import pytest

from ese_lstm.compress.bidirectional import run_float_stack, run_joined
from ese_lstm.compress.checkpoint import load_stacks
from ese_lstm.contract.errors import EseError

onnx = pytest.importorskip("onnx", reason="extra onnx is not installed")
reference = pytest.importorskip("onnx.reference")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT = onnx.TensorProto.FLOAT

SIZE = 4
"""Frames, streams, inputs and cells alike: every swap of axes gives a valid graph."""
END = np.iinfo(np.int64).max


class Maker:
    """A graph that grows by nodes; constants get names of their own."""

    def __init__(self, rng, dims=(SIZE, SIZE, SIZE)):
        self.rng, self.nodes, self.constants = rng, [], []
        self.inputs = [helper.make_tensor_value_info("x", FLOAT, dims)]
        self.more_outputs = []

    def constant(self, values, dtype=np.float32):
        name = f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def ints(self, *values):
        return self.constant(values, np.int64)

    def node(self, op, inputs, *, out=None, **attributes):
        name = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"{op.lower()}-{name}",
                                           **attributes))
        return name

    def lstm(self, name, x, inputs=SIZE, *, cells=SIZE, dirs=1, more=(), outputs=1, **attributes):
        arrays = [self.constant(self.rng.normal(0, 0.5, shape))
                  for shape in ((dirs, 4 * cells, inputs), (dirs, 4 * cells, cells),
                                (dirs, 8 * cells))]
        self.nodes.append(helper.make_node(
            "LSTM", [x, *arrays, *more], [f"{name}.{y}" for y in ("Y", "H", "C")[:outputs]],
            name=name, hidden_size=cells,
            **({"direction": "bidirectional"} if dirs == 2 else {}), **attributes))
        return f"{name}.Y"

    def save(self, folder, output, opset=17):
        graph = helper.make_graph(
            self.nodes, "g", self.inputs,
            [helper.make_tensor_value_info(name, FLOAT, None)
             for name in (output, *self.more_outputs)], self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]),
                  str(folder / "m.onnx"))
        return folder / "m.onnx"


def evaluated(path, x):
    return reference.ReferenceEvaluator(str(path)).run(None, {"x": x.astype(np.float32)})[0]


def assert_equal(path, frames):
    """The stack gives the graph's outputs, of every stream."""
    want = evaluated(path, frames)
    steps, streams = frames.shape[:2]
    want = want.reshape(steps, -1, streams, want.shape[-1]).transpose(0, 2, 1, 3)
    want = want.reshape(steps, streams, -1)
    stacks = load_stacks(path)
    for stream in range(streams):
        got = run_joined(stacks, frames[:, stream], run_float_stack)
        np.testing.assert_allclose(got, want[:, stream], atol=1e-5, rtol=0)


def squeezed(g, y):
    return g.node("Squeeze", [y, g.ints(1)])


def turned(*perm):
    return lambda g, y: g.node("Transpose", [squeezed(g, y)], perm=perm)


def op(kind, *constants, **attributes):
    return lambda g, y: g.node(kind, [squeezed(g, y), *(g.constant(c) for c in constants)],
                               **attributes)


def sliced(*values):
    return lambda g, y: g.node("Slice", [squeezed(g, y), *(g.ints(v) for v in values)])


def split_joined(order):
    def join(g, y):
        g.nodes.append(helper.make_node("Split", [y], ["p0", "p1"], name="split", axis=1))
        parts = [squeezed(g, "p0"), squeezed(g, "p1")]
        return g.node("Concat", [parts[k] for k in order], axis=2)
    return join


def shaped(g, y):
    """Reshape to [frames, streams, directions·cells] computed from the shape, as exporters do."""
    moved = g.node("Transpose", [y], perm=[0, 2, 1, 3])
    lead = g.node("Slice", [g.node("Shape", [moved]), g.ints(0), g.ints(2)])
    return g.node("Reshape", [moved, g.node("Concat", [lead, g.ints(-1)], axis=0)])


WRONG = {
    "time and streams": (turned(1, 0, 2), r"reads them as \(batch, time, features\) after "
                                          r"Squeeze node 'squeeze-n1', Transpose node"),
    "streams and features": (turned(0, 2, 1), r"as \(time, features, batch\) after"),
    "all axes": (turned(2, 1, 0), r"as \(features, batch, time\) after"),
    "reversed": (sliced(-1, -END, 0, -1), r"in another order after .* Slice node"),
    "features picked": (lambda g, y: g.node("Gather", [squeezed(g, y), g.ints(1, 0, 2, 3)],
                                            axis=2), r"in another order after .*Gather node"),
    "half": (op("Cast", to=onnx.TensorProto.BFLOAT16), r"Cast node '\S+' rounds to BFLOAT16"),
    "whole numbers": (op("Cast", to=onnx.TensorProto.INT32), r"rounds to INT32"),
    "relu": (op("Relu"), r"Relu node 'relu-\S+' stands between"),
    "scaled": (op("Mul", [2.0]), r"Mul node 'mul-\S+' stands between"),
    "normalised": (op("LayerNormalization", [1, 1, 1, 1]),
                   r"LayerNormalization node '\S+' stands between"),
    "another domain": (op("Identity", domain="x"), r"Identity node '\S+' stands between"),
    "moved after relu": (lambda g, y: g.node("Transpose", [op("Relu")(g, y)], perm=[1, 0, 2]),
                         r"Relu node 'relu-\S+' stands between"),
    "reshaped without moving": (
        lambda g, y: g.node("Reshape", [turned(2, 1, 0)(g, y), g.ints(4, 4, 4)]),
        r"as \(features, batch, time\) after .*Reshape node"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_node_between_layers(tmp_path, wrong):
    between, reason = WRONG[wrong]
    g = Maker(np.random.default_rng(1))
    path = g.save(tmp_path, g.lstm("b", between(g, g.lstm("a", "x"))))
    with pytest.raises(EseError, match=rf"^prefix: must be given, because m.onnx holds several "
                                       rf"LSTMs: 'a', 'b'; LSTM node 'b' must read the outputs of "
                                       rf"LSTM node 'a' alone and in place, but .*{reason}"):
        load_stacks(path)
    (alone,) = load_stacks(path, "a")
    assert len(alone.network.layers) == 1 and "LSTM ×1" in alone.network.notes[0]


RIGHT = {
    "squeezed": squeezed,
    "there and back": lambda g, y: g.node("Transpose", [turned(2, 0, 1)(g, y)], perm=[1, 2, 0]),
    "reshaped": lambda g, y: g.node("Reshape", [g.node("Transpose", [y], perm=[0, 2, 1, 3]),
                                                g.ints(0, 0, -1)]),
    "by its shape": shaped,
    "whole slice": sliced(0, END, 0),
    "gathered": lambda g, y: g.node("Gather", [y, g.constant(0, np.int64)], axis=1),
    "half": op("Cast", to=onnx.TensorProto.FLOAT),
    "dropout": op("Dropout"),
    "split and merged": lambda g, y: g.node("Reshape", [
        g.node("Reshape", [squeezed(g, y), g.ints(0, 0, 2, 2)]), g.ints(0, 0, 4)]),
}


@pytest.mark.parametrize("dims", [(SIZE, SIZE, SIZE), ("t", "b", SIZE), (None, 1, SIZE)])
@pytest.mark.parametrize("right", RIGHT)
def test_moves_between_layers_equal_reference(tmp_path, seed, right, dims):
    g = Maker(np.random.default_rng(seed), dims)
    path = g.save(tmp_path, g.lstm("b", RIGHT[right](g, g.lstm("a", "x"))))
    streams = 1 if dims[1] == 1 else SIZE
    assert_equal(path, np.random.default_rng(seed).normal(size=(SIZE, streams, SIZE)))
    assert load_stacks(path)[0].network.notes == ()


@pytest.mark.parametrize("join", [shaped, split_joined((0, 1))])
def test_bidirectional_layers_equal_reference(tmp_path, seed, join):
    g = Maker(np.random.default_rng(seed), ("t", "b", 3))
    y = g.lstm("a", "x", 3, dirs=2)
    path = g.save(tmp_path, g.lstm("b", join(g, y), 2 * SIZE, dirs=2))
    assert len(load_stacks(path)) == 4
    assert_equal(path, np.random.default_rng(seed).normal(size=(6, 2, 3)))


@pytest.mark.parametrize("join", [
    split_joined((1, 0)), split_joined((0, 0)),
    lambda g, y: g.node("Reshape", [y, g.ints(SIZE, SIZE, -1)])])
def test_directions_must_be_joined_forward_first(tmp_path, join):
    g = Maker(np.random.default_rng(1))
    y = g.lstm("a", "x", dirs=2)
    path = g.save(tmp_path, g.lstm("b", join(g, y), 2 * SIZE))
    with pytest.raises(EseError, match=r"'a', 'b'; LSTM node 'b' must .* in another order after"):
        load_stacks(path)


def test_slice_that_cuts_long_utterances(tmp_path):
    """All frames of short utterances pass: only the bound tells that longer ones are cut."""
    for end, right in ((1000, False), (END, True)):
        g = Maker(np.random.default_rng(1), ("t", "b", SIZE))
        path = g.save(tmp_path, g.lstm("b", sliced(0, end, 0)(g, g.lstm("a", "x"))))
        if right:
            assert len(load_stacks(path)[0].network.layers) == 2
        else:
            with pytest.raises(EseError, match=r"Slice node '\S+' cuts at 1000"):
                load_stacks(path)


def test_layer_that_others_read_too(tmp_path):
    def path(change):
        g = Maker(np.random.default_rng(1))
        y = squeezed(g, g.lstm("a", "x"))
        return g.save(tmp_path, change(g, y, g.lstm("b", y)))

    def output(g, y, top):
        g.more_outputs.append(y)
        return top

    for change, reason in ((lambda g, y, top: g.node("Add", [y, squeezed(g, top)]),
                            r"Add node '\S+' reads 'n1' too"),
                           (output, r"'n1' is an output of the graph too"),
                           (lambda g, y, top: g.node("Add", [top, g.lstm("c", y)]),
                            r"LSTM node 'c' reads 'n1' too")):
        with pytest.raises(EseError, match=rf"alone and in place, but {reason}"):
            load_stacks(path(change))


def test_layer_that_no_output_needs_is_none(tmp_path):
    """The outputs are the first node's: the second is a remnant."""
    g = Maker(np.random.default_rng(1))
    y = squeezed(g, g.lstm("a", "x"))
    g.lstm("b", y)
    path = g.save(tmp_path, y)
    assert len(load_stacks(path)[0].network.layers) == 1
    assert_equal(path, np.random.default_rng(1).normal(size=(SIZE, SIZE, SIZE)))


def random_moves(g, y, shape, rng):
    """One to four random nodes on ``y``; the shape they leave."""
    for _ in range(rng.integers(1, 5)):
        kind = rng.choice(["Transpose", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Slice",
                           "Identity"])
        if kind == "Transpose":
            perm = [int(k) for k in rng.permutation(len(shape))]
            y, shape = g.node(kind, [y], perm=perm), [shape[k] for k in perm]
        elif kind == "Reshape":
            shape = list(rng.permutation(shape))
            y = g.node(kind, [y, g.ints(*shape)])
        elif kind == "Squeeze" and 1 in shape:
            axis = shape.index(1)
            y, shape = g.node(kind, [y, g.ints(axis)]), shape[:axis] + shape[axis + 1:]
        elif kind == "Unsqueeze":
            axis = int(rng.integers(len(shape) + 1))
            y, shape = g.node(kind, [y, g.ints(axis)]), [*shape[:axis], 1, *shape[axis:]]
        elif kind == "Slice":
            axis, back = int(rng.integers(len(shape))), bool(rng.integers(2))
            bounds = (-1, -END, axis, -1) if back else (0, END, axis, 1)
            y = g.node(kind, [y, *(g.ints(v) for v in bounds)])
        elif kind == "Identity":
            y = g.node(kind, [y])
    return y


def test_random_moves_are_accepted_exactly_if_they_change_nothing(tmp_path, seed):
    """Sizes are declared, so that each graph is right or wrong: the evaluator tells which."""
    rng = np.random.default_rng(seed)
    seen = {True: 0, False: 0}
    for _ in range(60):
        streams, dirs = int(rng.choice([1, 2, 3])), int(rng.integers(1, 3))
        g = Maker(rng, (3, streams, SIZE))
        y = random_moves(g, g.lstm("a", "x", dirs=dirs, cells=3), [3, dirs, streams, 3], rng)
        between = g.node("Reshape", [y, g.ints(3, streams, 3 * dirs)])
        frames = rng.normal(size=(3, streams, SIZE))
        plain = evaluated(g.save(tmp_path, "a.Y"), frames).transpose(0, 2, 1, 3)
        right = np.array_equal(evaluated(g.save(tmp_path, between), frames).ravel(),
                               plain.ravel())
        path = g.save(tmp_path, g.lstm("b", between, 3 * dirs))
        seen[right] += 1
        if right:
            assert_equal(path, frames)
        else:
            with pytest.raises(EseError, match=r"^prefix: must be given.* in another order|"
                                               r"^prefix: .* reads them as"):
                load_stacks(path)
    assert min(seen.values()) > 0


@pytest.mark.parametrize("dims, before", [
    ((2, 6, 3), lambda g: g.node("Transpose", ["x"], perm=[1, 0, 2])),
    (("b", "t", 3), lambda g: g.node("Transpose", ["x"], perm=[1, 0, 2])),
    (("b", 3, "t"), lambda g: g.node("Transpose", ["x"], perm=[2, 0, 1])),
    (("t", 3), lambda g: g.node("Unsqueeze", ["x", g.ints(1)])),
    (("t", "b", 1, 3), lambda g: g.node("Reshape", ["x", g.ints(0, 0, -1)])),
])
def test_frames_come_in_as_they_are(tmp_path, dims, before):
    g = Maker(np.random.default_rng(1), dims)
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
def test_frames_rearranged_on_their_way_in(tmp_path, dims, before, message):
    g = Maker(np.random.default_rng(1), dims)
    path = g.save(tmp_path, g.lstm("a", before(g)))
    with pytest.raises(EseError, match=message):
        load_stacks(path)


def test_what_the_host_computes_before_is_listed(tmp_path):
    g = Maker(np.random.default_rng(1), ("b", SIZE, "t"))
    dense = g.node("Relu", ["x"])
    path = g.save(tmp_path, g.lstm("a", g.node("Transpose", [dense], perm=[2, 0, 1])))
    assert load_stacks(path)[0].network.notes == (
        "nodes of m.onnx outside the LSTM, left to the host: Relu ×1, Transpose ×1",)


def test_not_sorted_or_made_twice(tmp_path):
    for nodes, message in (
            ([helper.make_node("Relu", ["y"], ["z"], name="r")],
             r"Relu node 'r' must read values made before it, but nothing before it makes 'y'"),
            ([helper.make_node("Relu", ["x"], ["x"], name="r")],
             r"Relu node 'r' must make values of its own, but 'x' is there already")):
        g = Maker(np.random.default_rng(1))
        g.nodes += nodes
        g.lstm("a", "x")
        with pytest.raises(EseError, match=message):
            load_stacks(g.save(tmp_path, "a.Y"))


def test_lstm_inside_a_branch(tmp_path):
    inner = Maker(np.random.default_rng(1))
    inner.lstm("a", "x")
    branch = helper.make_graph(inner.nodes, "then", [], [
        helper.make_tensor_value_info("a.Y", FLOAT, None)], inner.constants)
    g = Maker(np.random.default_rng(1))
    g.inputs.append(helper.make_tensor_value_info("which", onnx.TensorProto.BOOL, []))
    g.nodes.append(helper.make_node("If", ["which"], ["y"], name="if", then_branch=branch,
                                    else_branch=branch))
    with pytest.raises(EseError, match=r"must hold an LSTM node in its main graph, but LSTM node "
                                       r"'a' stands inside If node 'if'"):
        load_stacks(g.save(tmp_path, "y"))


def test_branch_that_reads_a_layer_keeps_it_apart(tmp_path):
    g = Maker(np.random.default_rng(1))
    y = squeezed(g, g.lstm("a", "x"))
    top = squeezed(g, g.lstm("b", y))
    g.inputs.append(helper.make_tensor_value_info("which", onnx.TensorProto.BOOL, []))
    branches = [helper.make_graph([helper.make_node("Identity", [name], ["o"])], "g", [],
                                  [helper.make_tensor_value_info("o", FLOAT, None)])
                for name in (y, top)]
    g.nodes.append(helper.make_node("If", ["which"], ["out"], name="if", then_branch=branches[0],
                                    else_branch=branches[1]))
    with pytest.raises(EseError, match=r"If node 'if' reads 'n1' too"):
        load_stacks(g.save(tmp_path, "out"))


def test_missing_external_data(tmp_path):
    g = Maker(np.random.default_rng(1))
    path: Path = g.save(tmp_path, g.lstm("a", "x"))
    onnx.save(onnx.load(str(path)), str(path), save_as_external_data=True, location="m.data",
              size_threshold=0)
    assert len(load_stacks(path)) == 1
    (tmp_path / "m.data").unlink()
    with pytest.raises(EseError, match=r"^checkpoint: m.onnx must be a complete ONNX file, but"):
        load_stacks(path)
