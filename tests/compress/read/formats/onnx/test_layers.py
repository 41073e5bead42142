"""What an LSTM node of an ONNX file is made of: weights, states, lengths, shapes, gate order."""

import numpy as np
import pytest
from click.testing import CliRunner

from ese_lstm.cli.main import main
from ese_lstm.compress.bidirectional import run_float_stack
from ese_lstm.compress.read.checkpoint import load_network, load_stacks
from ese_lstm.contract.errors import EseError

onnx = pytest.importorskip("onnx", reason="extra onnx is not installed")
reference = pytest.importorskip("onnx.reference")
helper, numpy_helper, FLOAT = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT

INPUTS, CELLS = 3, 4


def arrays(rng, dirs=1):
    """Weights that half precision holds exactly."""
    return {name: rng.normal(0, 0.5, shape).astype(np.float16).astype(np.float32)
            for name, shape in (("W", (dirs, 4 * CELLS, INPUTS)), ("R", (dirs, 4 * CELLS, CELLS)),
                                ("B", (dirs, 8 * CELLS)))}


def save(folder, weights, nodes=(), inputs=("W", "R", "B"), *, constants=(), more_inputs=(),
         outputs=("Y",), shapes=None, dims=("t", "b", INPUTS), opset=20):
    """One LSTM node ``a``; weights: arrays or TensorProtos by name."""
    lstm = helper.make_node("LSTM", ["x", *inputs], list(outputs), name="a", hidden_size=CELLS)
    graph = helper.make_graph(
        [*nodes, lstm], "g",
        [helper.make_tensor_value_info("x", FLOAT, dims), *more_inputs],
        [helper.make_tensor_value_info(name, FLOAT, (shapes or {}).get(name))
         for name in outputs if name],
        [value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(value, name)
         for name, value in [*weights.items(), *constants]])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]),
              str(folder / "m.onnx"))
    return folder / "m.onnx"


def info(name, *dims):
    return helper.make_tensor_value_info(name, FLOAT, dims)


def assert_same_layer(path, weights):
    """The layer is that of the plain file with these weights."""
    layer = load_network(path).layers[0]
    plain = load_network(save(path.parent, weights)).layers[0]
    assert np.array_equal(layer.w_x, plain.w_x) and np.array_equal(layer.w_y, plain.w_y)
    assert layer.bias is not None and np.array_equal(layer.bias, plain.bias)


@pytest.mark.parametrize("order", ["iofc", "iofg", "I,O,F,C", None])
def test_gates_are_brought_into_order_once(tmp_path, seed, order):
    """ONNX's own order, given as an option, is true of the file and changes nothing."""
    rng = np.random.default_rng(seed)
    path = save(tmp_path, arrays(rng))
    frames = rng.normal(size=(5, INPUTS))
    want, = reference.ReferenceEvaluator(str(path)).run(
        None, {"x": frames[:, None].astype(np.float32)})
    (stack,) = load_stacks(path, None, order)
    np.testing.assert_allclose(run_float_stack(stack, frames), want[:, 0, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("option, message", [
    (("--gate-order", "ifgo"), "gate_order: must be iofc or not be given for m.onnx, because ONNX "
                               "fixes the order, got 'ifgo'"),
    (("--gate-order", "ifco"), "gate_order: must be iofc or not be given for m.onnx"),
    (("--gate-order", ""), "gate_order: must be a permutation of ifgo, got ''"),
    (("--key-map", "weight_ih_l0=W"), "key_map: must not be given for m.onnx, because ONNX's LSTM "
                                      "nodes say which tensor is which, got weight_ih_l0"),
    (("--prefix", "b"), "prefix: must be one of 'a' in m.onnx, got 'b'"),
])
def test_options_that_onnx_fixes_itself(tmp_path, option, message):
    path = save(tmp_path, arrays(np.random.default_rng(1)))
    result = CliRunner().invoke(main, ["compress", str(path), "--config", "tiny", *option,
                                       "-o", str(tmp_path / "m.ese")])
    assert result.exit_code == 2 and message in result.stderr
    assert not (tmp_path / "m.ese").exists()
    assert load_network(path, "a").layers[0].cells == CELLS


FOLDED = {
    "half": lambda w: ({k: v.astype(np.float16) for k, v in w.items()}, [], w),
    "half, cast": lambda w: (
        {f"{k}_h": v.astype(np.float16) for k, v in w.items()},
        [helper.make_node("Cast", [f"{k}_h"], [k], to=FLOAT) for k in w], w),
    "transposed": lambda w: (
        {**w, "W": w["W"].transpose(0, 2, 1).copy()},
        [helper.make_node("Transpose", ["W"], ["Wt"], perm=[0, 2, 1])], w),
    "identity": lambda w: (
        {"k": w["W"], "R": w["R"], "B": w["B"]}, [helper.make_node("Identity", ["k"], ["W"])], w),
    "constant node": lambda w: (
        {"R": w["R"], "B": w["B"]},
        [helper.make_node("Constant", [], ["W"], value=numpy_helper.from_array(w["W"]))], w),
    "joined": lambda w: (
        {"R": w["R"], "B": w["B"], **{f"p{k}": part for k, part in
                                      enumerate(np.split(w["W"], 4, axis=1))}},
        [helper.make_node("Concat", ["p0", "p1", "p2", "p3"], ["W"], axis=1)], w),
}


@pytest.mark.parametrize("kind", FOLDED)
def test_constant_weights_are_computed(tmp_path, seed, kind):
    given, nodes, wanted = FOLDED[kind](arrays(np.random.default_rng(seed)))
    inputs = ("Wt" if kind == "transposed" else "W", "R", "B")
    assert_same_layer(save(tmp_path, given, nodes, inputs), wanted)


def test_bfloat16_weights(tmp_path, seed):
    weights = {name: (value.view(np.uint32) & 0xffff0000).view(np.float32)
               for name, value in arrays(np.random.default_rng(seed)).items()}
    kind = onnx.TensorProto.BFLOAT16
    given = {name: helper.make_tensor(name, kind, value.shape, value.ravel().tolist())
             for name, value in weights.items()}
    assert_same_layer(save(tmp_path, given, opset=22), weights)


def test_quantised_weights(tmp_path, seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(-128, 128, (1, 4 * CELLS, INPUTS)).astype(np.int8)
    weights = {**arrays(rng), "W": codes.astype(np.float32) * np.float32(0.25)}
    scale = {"s": np.float32(0.25), "z": np.int8(0)}
    path = save(tmp_path, {**weights, "W": codes, **scale},
                [helper.make_node("DequantizeLinear", ["W", "s", "z"], ["Wd"])], ("Wd", "R", "B"))
    assert_same_layer(path, weights)


def test_initializer_that_is_an_input_too(tmp_path, seed):
    """Old files list every initializer among the inputs; its values are the defaults."""
    weights = arrays(np.random.default_rng(seed))
    assert_same_layer(save(tmp_path, weights, more_inputs=[info("W", 1, 4 * CELLS, INPUTS)]),
                      weights)


@pytest.mark.parametrize("change, message", [
    ({"W": np.zeros((4 * CELLS, INPUTS), np.float32)}, r"must have W of three dimensions, got the "
                                                       r"shape \(16, 3\)"),
    ({"R": np.zeros((1, 4 * CELLS, CELLS + 1), np.float32)}, r"must have R of the shape "
                                                             r"\(1, 16, 4\), got \(1, 16, 5\)"),
    ({"B": np.zeros((1, 4 * CELLS), np.float32)}, r"must have B of the shape \(1, 32\), got"),
    ({"W": np.zeros((1, 4 * CELLS, INPUTS), np.int32)}, r"must have W of floating point, got int"),
    ({"W": np.zeros((2, 4 * CELLS, INPUTS), np.float32)}, r"must have W of the shape \(1, 16, 3\)"),
    ({"W": np.float32(1)}, r"must have W of three dimensions, got the shape \(\)"),
])
def test_weights_of_other_shapes(tmp_path, change, message):
    path = save(tmp_path, {**arrays(np.random.default_rng(1)), **change})
    with pytest.raises(EseError, match=rf"^checkpoint: m.onnx LSTM node 'a' {message}"):
        load_stacks(path)


def test_weights_that_are_computed_from_frames(tmp_path):
    weights = arrays(np.random.default_rng(1))
    nodes = [helper.make_node("ReduceSum", ["x"], ["s"], name="sum"),
             helper.make_node("Mul", ["W", "s"], ["Wx"], name="times")]
    with pytest.raises(EseError, match=r"must have W constant in the file, got what Mul node "
                                       r"'times' makes"):
        load_stacks(save(tmp_path, weights, nodes, ("Wx", "R", "B")))


def zeros(*dims):
    """Nodes that make zeros (…, streams of x, …) from x's shape, as PyTorch's exporter does."""
    return [helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("Gather", ["shape", "one"], ["streams"], axis=0),
            helper.make_node("Concat", [*dims], ["dims"], axis=0),
            helper.make_node("ConstantOfShape", ["dims"], ["zeros"])]


def with_states(folder, h, c, nodes=(), constants=(), **options):
    shapes = [("one", np.array([1])), ("cells", np.array([CELLS])), ("two", np.array([2]))]
    return save(folder, arrays(np.random.default_rng(1)), nodes, ("W", "R", "B", "", h, c),
                constants=[*shapes, *constants], **options)


@pytest.mark.parametrize("kind", ["computed", "sliced", "expanded", "given", "sliced input"])
def test_states_that_start_from_zero(tmp_path, kind):
    start, end = ("start", np.array([0])), ("end", np.array([1]))
    cut = helper.make_node("Slice", ["zeros", "start", "end"], ["h"])
    h, nodes, more = {
        "computed": ("zeros", zeros("one", "streams", "cells"), []),
        "sliced": ("h", [*zeros("two", "streams", "cells"), cut], []),
        "expanded": ("h", [*zeros("one", "streams", "cells"), helper.make_node(
            "Expand", ["null", "dims"], ["h"])], []),
        "given": ("h", [], [info("h", 1, "b", CELLS)]),
        "sliced input": ("h", [cut], [info("zeros", 2, "b", CELLS)]),
    }[kind]
    path = with_states(tmp_path, h, h, nodes, [start, end, ("null", np.zeros(1, np.float32))],
                       more_inputs=more)
    network = load_network(path)
    name = more[0].name if more else ""
    assert network.notes == ((f"inputs of m.onnx that are states, which an image keeps itself, "
                              f"from zeros on: {name}",) if more else ())


def test_zero_states_of_frames_that_the_host_makes(tmp_path):
    """Their sizes follow from the input's, though the file does not say those of what Relu makes;
    null states of three streams don't fit any other number."""
    nodes = [helper.make_node("Relu", ["frames"], ["x"]), *zeros("one", "streams", "cells")[:-1],
             helper.make_node("Expand", ["null", "dims"], ["h"])]
    path = with_states(tmp_path, "h", "h", nodes, [("null", np.zeros((1, 3, CELLS), np.float32))])
    model = onnx.load(str(path))
    model.graph.input[0].CopyFrom(info("frames", 5, 3, INPUTS))
    onnx.save(model, str(path))
    assert load_network(path).notes == (
        "nodes of m.onnx outside the LSTM, left to the host: Relu ×1",)


@pytest.mark.parametrize("what, shape", [
    ("initial_c", (1, 1, 6)), ("initial_h", (1, 1, 2)), ("initial_c", (2, 1, CELLS)),
    ("initial_c", (1, CELLS))])
def test_lost_projection_is_seen_in_the_states(tmp_path, what, shape):
    """A file of 4 cells whose state has 6 values: the projection from 6 to 4 got lost."""
    names = ("s", "") if what == "initial_h" else ("", "s")
    path = with_states(tmp_path, *names, constants=[("s", np.zeros(shape, np.float32))])
    hint = "; a file whose exporter dropped the projection" if shape[-1] != CELLS else ""
    with pytest.raises(EseError, match=rf"node 'a' must have {what} of the shape "
                                       rf"\(1, \?, 4\), got .*{hint}"):
        load_stacks(path)
    given = with_states(tmp_path, *names, more_inputs=[info("s", *shape)])
    with pytest.raises(EseError, match=rf"must have {what} of the shape"):
        load_stacks(given)


def test_lost_projection_is_seen_in_computed_states_and_outputs(tmp_path):
    path = with_states(tmp_path, "", "zeros", [*zeros("one", "streams", "six")],
                       [("six", np.array([6]))])
    with pytest.raises(EseError, match=r"initial_c of the shape \(1, \?, 4\), got \(1, \?, 6\); a"):
        load_stacks(path)
    for name, shape in (("Y_c", (1, 1, 6)), ("Y", (5, 1, 1, 6))):
        path = save(tmp_path, arrays(np.random.default_rng(1)), outputs=("Y", "Y_h", "Y_c"),
                    shapes={name: shape})
        with pytest.raises(EseError, match=rf"must have {name} of the shape .* got .*6\); a file"):
            load_stacks(path)


def test_states_other_than_zero(tmp_path):
    ones = [("s", np.ones((1, 1, CELLS), np.float32))]
    expand = [*zeros("one", "streams", "cells"), helper.make_node("Expand", ["s", "dims"], ["e"])]
    for name, nodes in (("s", []), ("e", expand)):
        with pytest.raises(EseError, match=r"must have initial_c zero, because streams start from "
                                           r"zero states, but it is a constant other than 0"):
            load_stacks(with_states(tmp_path, "", name, nodes, ones))


def test_states_made_of_the_frames(tmp_path):
    """A first frame of as many values as cells has the shape of a state, but is none."""
    cut = helper.make_node("Slice", ["x", "start", "one"], ["h"])
    weights = arrays(np.random.default_rng(1))
    weights["W"] = np.zeros((1, 4 * CELLS, CELLS), np.float32)
    path = save(tmp_path, weights, [cut], ("W", "R", "B", "", "h"), dims=("t", "b", CELLS),
                constants=[("start", np.array([0])), ("one", np.array([1]))])
    with pytest.raises(EseError, match=r"must have initial_h zero or an input of its own, but it "
                                       r"is made of the frames 'x'$"):
        load_stacks(path)


def test_decoder_that_starts_from_an_encoder(tmp_path):
    weights = arrays(np.random.default_rng(1))
    encoder = helper.make_node("LSTM", ["x", "W", "R", "B"], ["", "h", ""], name="encoder",
                               hidden_size=CELLS)
    path = save(tmp_path, weights, [encoder], ("W", "R", "B", "", "h"))
    with pytest.raises(EseError, match=r"several LSTMs: 'encoder', 'a'$"):
        load_stacks(path)
    with pytest.raises(EseError, match=r"node 'a' must have initial_h zero or an input of the "
                                       r"graph, but LSTM node 'encoder' makes it"):
        load_stacks(path, "a")
    assert "LSTM ×1" in load_stacks(path, "encoder")[0].network.notes[0]


def test_sequence_lengths(tmp_path):
    """Lengths that are the number of frames itself change nothing."""
    whole = [helper.make_node("Shape", ["x"], ["shape"]),
             helper.make_node("Gather", ["shape", "zero"], ["steps"], axis=0),
             helper.make_node("Gather", ["shape", "one"], ["streams"], axis=0),
             helper.make_node("Expand", ["steps", "streams"], ["long"]),
             helper.make_node("Cast", ["long"], ["lengths"], to=onnx.TensorProto.INT32)]
    places = [("zero", np.array([0])), ("one", np.array([1]))]
    weights = arrays(np.random.default_rng(1))
    inputs = ("W", "R", "B", "lengths")
    assert load_stacks(save(tmp_path, weights, whole, inputs, constants=places))
    given = [("lengths", np.array([5], np.int32))]
    assert load_stacks(save(tmp_path, weights, (), inputs, constants=given, dims=(5, 1, INPUTS)))
    for dims in ((6, 1, INPUTS), ("t", 1, INPUTS)):
        with pytest.raises(EseError, match=r"must read whole sequences, but has sequence_lens"):
            load_stacks(save(tmp_path, weights, (), inputs, constants=given, dims=dims))
