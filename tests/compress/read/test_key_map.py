"""Names and shapes that are not PyTorch's: key maps, transposed kernels, one bias."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from ese_lstm.cli.main import main
from ese_lstm.compress.read.checkpoint import load_network
from ese_lstm.contract.errors import EseError


def under(prefix, module):
    return {f"{prefix}.{key}": value.detach() for key, value in module.state_dict().items()}


def load(tmp_path, content, **options):
    torch.save(content, tmp_path / "m.pt")
    return load_network(tmp_path / "m.pt", **options)


@pytest.mark.parametrize("name", ["bias", "bias_ih", "bias_hh"])
def test_one_bias(tmp_path, name):
    state = {k: v for k, v in under("l", nn.LSTM(3, 4, num_layers=2)).items() if "bias" not in k}
    biases = {f"l.{name}_l{k}": torch.randn(16) for k in range(2)}
    network = load(tmp_path, {**state, **biases})
    for number, layer in enumerate(network.layers):
        assert np.array_equal(layer.bias, biases[f"l.{name}_l{number}"].numpy())


KERAS = {"weight_ih_l0": "transpose(rnn.kernel)", "weight_hh_l0": "transpose(rnn.recurrent_kernel)",
         "bias_l0": "rnn.bias"}


def keras(inputs=3):
    lstm = nn.LSTM(inputs, 4, bias=False)
    bias = torch.randn(16)
    return {"rnn.kernel": lstm.weight_ih_l0.detach().T.contiguous(), "rnn.bias": bias,
            "rnn.recurrent_kernel": lstm.weight_hh_l0.detach().T.contiguous(),
            "dense": torch.ones(2, 16)}, lstm


@pytest.mark.parametrize("inputs", [3, 16])
def test_kernels_of_keras(tmp_path, inputs):
    """Stored (inputs, 4·cells), square or not, and one bias."""
    state, lstm = keras(inputs)
    network = load(tmp_path, state, key_map=KERAS)
    layer, = network.layers
    assert np.array_equal(layer.w_x, lstm.weight_ih_l0.detach().numpy())
    assert np.array_equal(layer.w_y, lstm.weight_hh_l0.detach().numpy())
    assert np.array_equal(layer.bias, state["rnn.bias"].numpy())
    assert network.notes == ("tensors of m.pt that the key map does not name, left to the host: "
                             "dense",)


@pytest.mark.parametrize("changes, message", [
    ({"weight_ih_l0": "rnn.kernel"},
     r"^checkpoint: weight_ih_l0: must have the shape \(16, 16\), got \(3, 16\), which looks "
     r"transposed, as Keras .*--key-map 'weight_ih_l0=transpose\(NAME\)'$"),
    ({"weight_hh_l0": "rnn.recurrent_kernel"},
     r"weight_hh_l0: must have the shape \(16, 4\), got \(4, 16\), which looks transposed"),
    ({"bias_ih_l0": "rnn.bias"}, r"^key_map: must use a tensor once, but 'rnn.bias' is both "
                                 r"bias_l0 and bias_ih_l0; the only bias of a layer is bias_l0"),
    ({"bias_l0": "dense"},
     r"^checkpoint: bias_l0: must have the shape \(16,\), got \(2, 16\)$"),
    ({"bias_l0": "transpose(rnn.bias)"}, r"^key_map: transpose\(rnn.bias\) must be of a matrix"),
    ({"bias_l0": "transpose(rnn.b)"}, r"^key_map: must name .* no 'rnn.b', only "),
    ({"bais_l0": "dense"}, r"^key_map: must give an LSTM's names .*, got 'bais_l0'$"),
])
def test_key_maps_refused(tmp_path, changes, message):
    with pytest.raises(EseError, match=message):
        load(tmp_path, keras()[0], key_map={**KERAS, **changes})


def test_a_key_map_of_names_in_two_state_dicts_needs_their_places(tmp_path):
    state, _ = keras()
    other = {key: value + 1 for key, value in state.items()}
    content = {"model": state, "ema": other}
    with pytest.raises(EseError, match=r"no 'rnn.kernel', only model.rnn.kernel, ema.rnn.kernel"):
        load(tmp_path, content, key_map=KERAS)
    placed = {ours: name.replace("rnn.", "ema.rnn.") for ours, name in KERAS.items()}
    layer, = load(tmp_path, content, key_map=placed).layers
    assert np.array_equal(layer.bias, other["rnn.bias"].numpy())


def test_a_key_map_names_one_tensor_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(nn.LSTM(3, 4).state_dict(), "m.pt")
    (tmp_path / "a.json").write_text('{"bias_l0": "a", "bias_l0": "b"}')
    for options in (["--key-map", "a.json"], ["--key-map", "bias_l0=a", "--key-map", "bias_l0=b"]):
        result = CliRunner().invoke(main, ["compress", "m.pt", "-o", "m.ese", *options])
        assert result.exit_code == 2
        assert "--key-map: must name one tensor for bias_l0, but names a and b" in result.stderr
