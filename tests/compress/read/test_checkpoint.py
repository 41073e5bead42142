"""Checkpoint files: what is read, and every way in which one is refused."""

import hashlib
import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ese_lstm.compress.read.checkpoint import load_network
from ese_lstm.compress.read.state_dict import network_from_tensors, parse_gate_order
from ese_lstm.contract.errors import EseError


def lstm_state(**options):
    torch.manual_seed(1)
    return dict(torch.nn.LSTM(3, 4, **options).state_dict())


def prefixed(state, prefix):
    return {prefix + key: value for key, value in state.items()}


class Bomb:
    """Runs a command when unpickled by a loader that executes code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin", ".safetensors"])
def test_torch_lstm(tmp_path, suffix):
    state = lstm_state(num_layers=2, proj_size=2)
    path = tmp_path / f"model{suffix}"
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    network = load_network(path)
    assert network.source == path.name
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for number, layer in enumerate(network.layers):
        assert np.array_equal(layer.w_x, state[f"weight_ih_l{number}"].numpy())
        assert np.array_equal(layer.w_y, state[f"weight_hh_l{number}"].numpy())
        assert np.array_equal(layer.w_m, state[f"weight_hr_l{number}"].numpy())
        assert np.array_equal(layer.bias, state[f"bias_ih_l{number}"].numpy().astype(float)
                              + state[f"bias_hh_l{number}"].numpy())
        assert layer.peepholes is None
    assert len(network.layers) == 2


@pytest.mark.parametrize("wrap", [
    lambda s: {"state_dict": s}, lambda s: {"model_state": s, "step": 3},
    lambda s: {"model_state_dict": s, "epoch": 1}, lambda s: {"model": s},
    lambda s: {"model": {"state_dict": s}}])
def test_nested_with_prefix(tmp_path, wrap):
    """As in Resemblyzer's checkpoint: lstm.* beside linear.* under model_state."""
    state = {**prefixed(lstm_state(), "lstm."), "linear.weight": torch.zeros(2, 2),
             "similarity_weight": torch.zeros(1)}
    torch.save(wrap(state), tmp_path / "model.pt")
    network = load_network(tmp_path / "model.pt")
    assert np.array_equal(network.layers[0].w_x, state["lstm.weight_ih_l0"].numpy())


def test_bfloat16_and_float16(tmp_path):
    state = {key: value.bfloat16() for key, value in lstm_state().items()}
    save_file(state, tmp_path / "a.safetensors")
    torch.save({key: value.half() for key, value in lstm_state().items()}, tmp_path / "b.pt")
    a, b = (load_network(tmp_path / name) for name in ("a.safetensors", "b.pt"))
    assert np.array_equal(a.layers[0].w_x, state["weight_ih_l0"].double().numpy())
    assert np.array_equal(b.layers[0].w_x, lstm_state()["weight_ih_l0"].half().double().numpy())


@pytest.mark.parametrize("order", ["iofg", "fiog", "gofi", "iofc", "i,f,c,o"])
def test_gate_order(order):
    state = {key: value.numpy() for key, value in lstm_state().items()}
    letters = order.replace(",", "").replace("c", "g")
    shuffled = {key: np.concatenate([np.split(value, 4)["ifgo".index(gate)] for gate in letters])
                for key, value in state.items()}
    plain, other = network_from_tensors(state), network_from_tensors(shuffled, gate_order=order)
    for name in ("w_x", "w_y", "bias"):
        assert np.array_equal(getattr(plain.layers[0], name), getattr(other.layers[0], name))


@pytest.mark.parametrize("order", ["ifg", "iffo", "ifgox", ""])
def test_gate_order_refused(order):
    with pytest.raises(EseError, match=r"^gate_order: must be a permutation of ifgo, got "):
        parse_gate_order(order)


def test_several_stacks_need_a_prefix(tmp_path):
    state = {**prefixed(lstm_state(), "encoder.lstm."), **prefixed(lstm_state(), "decoder.")}
    state["decoder.weight_ih_l0"] = state["decoder.weight_ih_l0"] + 1
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(EseError, match=r"^prefix: must be given, because model.pt holds several "
                                       r"LSTMs: 'decoder', 'encoder.lstm'$"):
        load_network(tmp_path / "model.pt")
    for prefix in ("decoder", "decoder."):
        layer = load_network(tmp_path / "model.pt", prefix).layers[0]
        assert np.array_equal(layer.w_x, state["decoder.weight_ih_l0"].numpy())
    with pytest.raises(EseError, match=r"^prefix: must be one of 'decoder', 'encoder.lstm' in "
                                       r"model.pt, got 'lstm'$"):
        load_network(tmp_path / "model.pt", "lstm")


def test_peepholes_beside_torch_names():
    state = {key: value.numpy() for key, value in lstm_state(proj_size=2).items()}
    for number, name in enumerate(("ci", "cf", "co")):
        state[f"weight_{name}_l0"] = np.arange(4.0) + 10 * number
    layer = network_from_tensors(state).layers[0]
    assert layer.peepholes.tolist() == [[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]
    del state["weight_cf_l0"]
    with pytest.raises(EseError, match=r"must hold the tensor weight_cf_l0, but holds "
                                       r".*weight_ci_l0"):
        network_from_tensors(state)


def paper_state(suffix=""):
    rng = np.random.default_rng(1)
    shapes = {**{f"W{g}x": (4, 3) for g in "ifco"}, **{f"W{g}r": (4, 2) for g in "ifco"},
              **{f"W{g}c": (4,) for g in "ifo"}, **{f"b{g}": (4,) for g in "ifco"}, "Wym": (2, 4)}
    return {f"net.{name}{suffix}": rng.normal(size=shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("suffix", ["", "_l0"])
def test_paper_names(suffix):
    state = paper_state(suffix)
    layer = network_from_tensors(state).layers[0]
    for stacked, kind in ((layer.w_x, "x"), (layer.w_y, "r")):
        assert np.array_equal(stacked, np.concatenate(
            [state[f"net.W{g}{kind}{suffix}"] for g in "ifco"]))
    assert np.array_equal(layer.bias, np.concatenate([state[f"net.b{g}{suffix}"] for g in "ifco"]))
    assert np.array_equal(layer.peepholes, [state[f"net.W{g}c{suffix}"] for g in "ifo"])
    assert np.array_equal(layer.w_m, state[f"net.Wym{suffix}"])


def test_paper_names_refused():
    state = paper_state()
    with pytest.raises(EseError, match=r"^gate_order: must be ifgo for tensors named per gate"):
        network_from_tensors(state, gate_order="iofg")
    del state["net.Wor"]
    with pytest.raises(EseError, match=r"must hold the tensor net.Wor, but holds net.Wix, "):
        network_from_tensors(state)
    state = paper_state()
    del state["net.Wym"]
    with pytest.raises(EseError, match=r"net.Wir must have 4 columns without a projection Wym, "
                                       r"got 2$"):
        network_from_tensors(state)


def changed(**changes):
    """The state dict of a 2-layer LSTM with tensors replaced (None: removed)."""
    state = {key: value.numpy() for key, value in lstm_state(num_layers=2).items()}
    state.update(changes)
    return {key: value for key, value in state.items() if value is not None}


@pytest.mark.parametrize("changes, message", [
    ({"weight_hh_l1": None}, r"model must hold the tensor weight_hh_l1, but holds weight_ih_l0, "),
    ({"weight_ih_l0": None, "weight_xh_l0": np.zeros((16, 3))},
     r"has the tensor weight_xh_l0, which is no part of an LSTM"),
    ({"bias_hh_l1": None}, r"must hold the tensor bias_hh_l1, but holds"),
    ({"weight_ih_l0": None, "weight_hh_l0": None, "bias_ih_l0": None, "bias_hh_l0": None},
     r"must hold the tensor weight_hh_l0, but holds weight_ih_l1, "),
    ({"weight_ih_l0_reverse": np.zeros((16, 3))},
     r"has the tensor weight_ih_l0_reverse of a bidirectional LSTM; only forward layers"),
    ({"layer_norm": np.zeros(4)}, r"has the tensor layer_norm, which is no part of an LSTM"),
    ({"weight_ih_l0": np.full((16, 3), np.inf)},
     r"^checkpoint: weight_ih_l0: must be finite, but 48 of 48 values are NaN or Inf"),
    ({"weight_ih_l0": np.zeros((15, 3))},
     r"^checkpoint: weight_ih_l0: must have the shape \(16, 3\), got \(15, 3\)$"),
    ({"weight_ih_l0": np.zeros(16)},
     r"^checkpoint: weight_ih_l0 must have two dimensions, got shape \(16,\)$"),
    ({"weight_ih_l1": np.zeros((16, 5))},
     r"layer 1 must read the 4 outputs of layer 0, but has 5 inputs$"),
    ({"bias_ih_l0": np.zeros(12)},
     r"^checkpoint: bias_ih_l0: must have the shape \(16,\), got \(12,\)$"),
    ({"weight_hh_l0": np.zeros((16, 4), np.int8)},
     r"^checkpoint: weight_hh_l0 must be floating point, got int8$"),
    ({"weight_hh_l0": np.zeros((12, 4))}, r"weight_hh_l0 must have .* which is a GRU$"),
    ({"weight_hh_l0": np.zeros((4, 4))}, r"weight_hh_l0 must have .* which is a plain RNN$"),
    ({"weight_hr_l0": np.zeros((4, 4))}, r"must hold the tensor weight_hr_l1, but holds"),
])
def test_tensors_refused(changes, message):
    with pytest.raises(EseError, match=message):
        network_from_tensors(changed(**changes), source="model")


@pytest.mark.parametrize("save", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path, save):
    save({**lstm_state(), "bomb": Bomb(tmp_path / "ran")}, tmp_path / "bad.pt")
    with pytest.raises(EseError, match=r"^checkpoint: bad.pt must hold only tensors and plain "
                                       r"containers, but reading it would .*, which is refused; "
                                       r"save the state_dict\(\) alone: where the file is "
                                       r"trusted, run torch.save\(torch.load\(.*checkpoint\)$"):
        load_network(tmp_path / "bad.pt")
    assert not (tmp_path / "ran").exists()


def test_the_bomb_is_live(tmp_path):
    """The test above can fail: an unsafe loader does run the code."""
    pickle.loads(pickle.dumps(Bomb(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


def test_whole_module_is_refused(tmp_path):
    torch.save(torch.nn.LSTM(3, 4), tmp_path / "module.pt")
    with pytest.raises(EseError, match=r"would load torch.nn.modules.rnn.LSTM, which is refused"):
        load_network(tmp_path / "module.pt")


@pytest.mark.parametrize("name, content, message", [
    ("a.pt", b"", r"^checkpoint: a.pt must be a complete PyTorch file, but reading says: EOFError"),
    ("a.pt", b"hello", r"^checkpoint: a.pt must be a complete PyTorch file"),
    ("a.safetensors", b"hello", r"^checkpoint: a.safetensors must be a complete safetensors file"),
    ("a.h5", b"", r"^checkpoint: must end in .pt, .pth, .ckpt, .bin, .safetensors, .onnx, got "
                  r"'a.h5'$"),
])
def test_not_a_checkpoint(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EseError, match=message):
        load_network(tmp_path / name)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_truncated(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(lstm_state(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EseError, match=rf"^checkpoint: model{suffix} must be a complete "):
        load_network(path)


def test_missing_file(tmp_path):
    with pytest.raises(EseError, match=r"^checkpoint: must be a file, got '.*nothing.pt'$"):
        load_network(tmp_path / "nothing.pt")


@pytest.mark.parametrize("content, message", [
    ({"fc.weight": torch.zeros(2)}, r"must hold an LSTM \(.*\), but holds fc.weight$"),
    ({"optimizer": {}, "epoch": 3}, r"must hold a state dict, but holds "
                                    r"\['optimizer', 'epoch'\]$"),
    ([1, 2], r"must hold a state dict, but holds list$"),
])
def test_no_lstm_inside(tmp_path, content, message):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(EseError, match=message):
        load_network(tmp_path / "model.pt")


def test_no_lstm_in_safetensors(tmp_path):
    save_file({"fc.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(EseError, match=r"must hold an LSTM .* but holds fc.weight$"):
        load_network(tmp_path / "model.safetensors")
