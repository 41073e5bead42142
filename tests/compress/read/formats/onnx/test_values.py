"""Nodes between, before and around LSTM nodes: followed to the right numbers, or refused."""

import numpy as np
import pytest

from ese_lstm.compress.bidirectional import run_float_stack, run_joined
from ese_lstm.compress.read.checkpoint import load_stacks
from ese_lstm.contract.errors import EseError

onnx = pytest.importorskip("onnx", reason="extra onnx is not installed")
reference = pytest.importorskip("onnx.reference")
helper = onnx.helper
FLOAT = onnx.TensorProto.FLOAT

SIZE = 4
"""Frames, streams, inputs and cells alike: every swap of axes gives a valid graph."""
END = np.iinfo(np.int64).max


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


def turned(*perm):
    return lambda g, y: g.node("Transpose", [g.squeezed(y)], perm=perm)


def op(kind, *constants, **attributes):
    return lambda g, y: g.node(kind, [g.squeezed(y), *(g.constant(c) for c in constants)],
                               **attributes)


def sliced(*values):
    return lambda g, y: g.node("Slice", [g.squeezed(y), *(g.ints(v) for v in values)])


def split_joined(order):
    def join(g, y):
        g.nodes.append(helper.make_node("Split", [y], ["p0", "p1"], name="split", axis=1))
        parts = [g.squeezed("p0"), g.squeezed("p1")]
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
    "features picked": (lambda g, y: g.node("Gather", [g.squeezed(y), g.ints(1, 0, 2, 3)],
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
def test_wrong_node_between_layers(tmp_path, onnx_maker, wrong):
    between, reason = WRONG[wrong]
    g = onnx_maker(np.random.default_rng(1))
    path = g.save(tmp_path, g.lstm("b", between(g, g.lstm("a", "x"))))
    with pytest.raises(EseError, match=rf"^prefix: must be given, because m.onnx holds several "
                                       rf"LSTMs: 'a', 'b'; LSTM node 'b' must read the outputs of "
                                       rf"LSTM node 'a' alone and in place, but .*{reason}"):
        load_stacks(path)
    (alone,) = load_stacks(path, "a")
    assert len(alone.network.layers) == 1 and "LSTM ×1" in alone.network.notes[0]


RIGHT = {
    "squeezed": lambda g, y: g.squeezed(y),
    "there and back": lambda g, y: g.node("Transpose", [turned(2, 0, 1)(g, y)], perm=[1, 2, 0]),
    "reshaped": lambda g, y: g.node("Reshape", [g.node("Transpose", [y], perm=[0, 2, 1, 3]),
                                                g.ints(0, 0, -1)]),
    "by its shape": shaped,
    "whole slice": sliced(0, END, 0),
    "gathered": lambda g, y: g.node("Gather", [y, g.constant(0, np.int64)], axis=1),
    "half": op("Cast", to=onnx.TensorProto.FLOAT),
    "dropout": op("Dropout"),
    "split and merged": lambda g, y: g.node("Reshape", [
        g.node("Reshape", [g.squeezed(y), g.ints(0, 0, 2, 2)]), g.ints(0, 0, 4)]),
}


@pytest.mark.parametrize("dims", [(SIZE, SIZE, SIZE), ("t", "b", SIZE), (None, 1, SIZE)])
@pytest.mark.parametrize("right", RIGHT)
def test_moves_between_layers_equal_reference(tmp_path, onnx_maker, seed, right, dims):
    g = onnx_maker(np.random.default_rng(seed), dims)
    path = g.save(tmp_path, g.lstm("b", RIGHT[right](g, g.lstm("a", "x"))))
    streams = 1 if dims[1] == 1 else SIZE
    assert_equal(path, np.random.default_rng(seed).normal(size=(SIZE, streams, SIZE)))
    assert load_stacks(path)[0].network.notes == ()


@pytest.mark.parametrize("join", [shaped, split_joined((0, 1))])
@pytest.mark.usefixtures("two_directions")
def test_bidirectional_layers_equal_reference(tmp_path, onnx_maker, seed, join):
    g = onnx_maker(np.random.default_rng(seed), ("t", "b", 3))
    y = g.lstm("a", "x", 3, dirs=2)
    path = g.save(tmp_path, g.lstm("b", join(g, y), 2 * SIZE, dirs=2))
    assert len(load_stacks(path)) == 4
    assert_equal(path, np.random.default_rng(seed).normal(size=(6, 2, 3)))


@pytest.mark.parametrize("join", [
    split_joined((1, 0)), split_joined((0, 0)),
    lambda g, y: g.node("Reshape", [y, g.ints(SIZE, SIZE, -1)])])
def test_directions_must_be_joined_forward_first(tmp_path, onnx_maker, join):
    g = onnx_maker(np.random.default_rng(1))
    y = g.lstm("a", "x", dirs=2)
    path = g.save(tmp_path, g.lstm("b", join(g, y), 2 * SIZE))
    with pytest.raises(EseError, match=r"'a', 'b'; LSTM node 'b' must .* in another order after"):
        load_stacks(path)


def test_slice_that_cuts_long_utterances(tmp_path, onnx_maker):
    """All frames of short utterances pass: only the bound tells that longer ones are cut."""
    for end, right in ((1000, False), (END, True)):
        g = onnx_maker(np.random.default_rng(1), ("t", "b", SIZE))
        path = g.save(tmp_path, g.lstm("b", sliced(0, end, 0)(g, g.lstm("a", "x"))))
        if right:
            assert len(load_stacks(path)[0].network.layers) == 2
        else:
            with pytest.raises(EseError, match=r"Slice node '\S+' cuts at 1000"):
                load_stacks(path)


def test_layer_that_others_read_too(tmp_path, onnx_maker):
    def path(change):
        g = onnx_maker(np.random.default_rng(1))
        y = g.squeezed(g.lstm("a", "x"))
        return g.save(tmp_path, change(g, y, g.lstm("b", y)))

    def output(g, y, top):
        g.more_outputs.append(y)
        return top

    for change, reason in ((lambda g, y, top: g.node("Add", [y, g.squeezed(top)]),
                            r"Add node '\S+' reads 'n1' too"),
                           (output, r"'n1' is an output of the graph too"),
                           (lambda g, y, top: g.node("Add", [top, g.lstm("c", y)]),
                            r"LSTM node 'c' reads 'n1' too")):
        with pytest.raises(EseError, match=rf"alone and in place, but {reason}"):
            load_stacks(path(change))


def test_layer_of_which_others_read_the_sizes_alone(tmp_path, onnx_maker):
    """Zero states of two batch-first modules: the exporter joins their transposes, and keeps one
    for its shape."""
    g = onnx_maker(np.random.default_rng(1), ("t", "b", SIZE))
    y = g.squeezed(g.lstm("a", "x"))
    turned_back = g.node("Transpose", [y], perm=[1, 0, 2])
    streams = g.node("Slice", [g.node("Shape", [turned_back]), g.ints(0), g.ints(1)])
    shape = g.node("Concat", [g.ints(1), streams, g.ints(SIZE)], axis=0)
    top = g.lstm("b", y)
    g.nodes[-1].input.extend(["", *[g.node("ConstantOfShape", [shape])] * 2])
    g.nodes.append(g.nodes.pop(-2))
    network = load_stacks(g.save(tmp_path, top))[0].network
    assert len(network.layers) == 2 and network.notes == ()


def test_layer_that_no_output_needs_is_none(tmp_path, onnx_maker):
    """The outputs are the first node's: the second is a remnant."""
    g = onnx_maker(np.random.default_rng(1))
    y = g.squeezed(g.lstm("a", "x"))
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


@pytest.mark.usefixtures("two_directions")
def test_random_moves_are_accepted_exactly_if_they_change_nothing(tmp_path, onnx_maker, seed):
    """Sizes are declared, so that each graph is right or wrong: the evaluator tells which."""
    rng = np.random.default_rng(seed)
    seen = {True: 0, False: 0}
    for _ in range(60):
        streams, dirs = int(rng.choice([1, 2, 3])), int(rng.integers(1, 3))
        g = onnx_maker(rng, (3, streams, SIZE))
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
