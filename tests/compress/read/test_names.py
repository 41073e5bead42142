"""LSTMCells stacked, key maps, Lightning's nesting."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ese_lstm.cli.main import main
from ese_lstm.compress.bidirectional import calibration_frames, run_float_stack, run_joined
from ese_lstm.compress.read.checkpoint import load_network, load_stacks
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.frames import quantise_frames
from ese_lstm.contract.image import read_image
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel


def cells(*names, sizes=(3, 4, 4, 4)):
    torch.manual_seed(2)
    return {f"{name}.{key}": value for name, (a, b) in zip(names, pairwise(sizes), strict=False)
            for key, value in torch.nn.LSTMCell(a, b).state_dict().items()}


def test_lightning_checkpoint(tmp_path):
    """As trainer.save_checkpoint writes it, apart from what needs code."""
    torch.manual_seed(1)
    state = {f"model.lstm.{k}": v for k, v in torch.nn.LSTM(3, 4).state_dict().items()}
    torch.save({"epoch": 3, "global_step": 10, "pytorch-lightning_version": "2.4.0",
                "state_dict": state, "optimizer_states": [{"state": {}}], "lr_schedulers": [],
                "hyper_parameters": {"lr": 1e-3}}, tmp_path / "m.ckpt")
    layer = load_network(tmp_path / "m.ckpt").layers[0]
    assert np.array_equal(layer.w_x, state["model.lstm.weight_ih_l0"].numpy())


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_cells_are_layers_in_order_of_their_number(tmp_path, suffix):
    state = cells("cells.9", "cells.10", "cells.11")
    path = tmp_path / f"m{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    for prefix in (None, "cells"):
        network = load_network(path, prefix)
        assert len(network.layers) == 3
        for layer, name in zip(network.layers, ("cells.9", "cells.10", "cells.11"), strict=True):
            assert np.array_equal(layer.w_x, state[f"{name}.weight_ih"].numpy())
            assert np.array_equal(layer.w_y, state[f"{name}.weight_hh"].numpy())
            assert np.array_equal(layer.bias, state[f"{name}.bias_ih"].double().numpy()
                                  + state[f"{name}.bias_hh"].double().numpy())
    assert len(load_network(path, "cells.9").layers) == 1


def test_cells_equal_torch(tmp_path, seed):
    torch.manual_seed(seed)
    made = [torch.nn.LSTMCell(3, 4), torch.nn.LSTMCell(4, 5)]
    torch.save(torch.nn.ModuleList(made).state_dict(), tmp_path / "m.pt")
    frames, states, want = torch.randn(6, 3), [None, None], []
    for value in frames[:, None]:
        for k, cell in enumerate(made):
            states[k] = cell(value, states[k])
            value = states[k][0]
        want.append(value[0].detach().numpy())
    got = run_float_stack(load_stacks(tmp_path / "m.pt")[0], frames.numpy())
    np.testing.assert_allclose(got, want, atol=1e-6, rtol=0)


def test_cells_without_order_need_a_prefix(tmp_path):
    state = cells("second", "first")
    torch.save(state, tmp_path / "m.pt")
    with pytest.raises(EseError, match=r"^prefix: must list the LSTMCells of m.pt in the order of "
                                       r"the layers .*: 'first', 'second'$"):
        load_network(tmp_path / "m.pt")
    layers = load_network(tmp_path / "m.pt", "second,first").layers
    assert np.array_equal(layers[0].w_x, state["second.weight_ih"].numpy())
    assert np.array_equal(layers[1].w_x, state["first.weight_ih"].numpy())
    with pytest.raises(EseError, match=r"^prefix: must be one of 'first', 'second' in m.pt, got"):
        load_network(tmp_path / "m.pt", "third")


def test_gru_cell_is_refused(tmp_path):
    torch.save(torch.nn.GRUCell(3, 4).state_dict(), tmp_path / "m.pt")
    with pytest.raises(EseError, match=r"which is a GRU$"):
        load_network(tmp_path / "m.pt")


def test_key_map(tmp_path, monkeypatch):
    from click.testing import CliRunner
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    lstm = dict(torch.nn.LSTM(3, 4).state_dict())
    theirs = {"weight_ih_l0": "rnn/kernel", "weight_hh_l0": "rnn/recurrent",
              "bias_ih_l0": "rnn/b1", "bias_hh_l0": "rnn/b2"}
    torch.save({"state_dict": {**{theirs[k]: v for k, v in lstm.items()},
                               "head": torch.zeros(2)}}, "m.ckpt")
    layer = load_network(tmp_path / "m.ckpt", key_map=theirs).layers[0]
    assert np.array_equal(layer.w_y, lstm["weight_hh_l0"].numpy())
    with pytest.raises(EseError, match=r"^key_map: must name tensors of m.ckpt, but it has no "
                                       r"'nothing', only rnn/kernel, "):
        load_network(tmp_path / "m.ckpt", key_map={**theirs, "bias_hh_l0": "nothing"})
    with pytest.raises(EseError, match=r"^key_map: must name tensors of m.ckpt, but it has no "
                                       r"'nothing', only state_dict.rnn/kernel, "):
        load_network(tmp_path / "m.ckpt", key_map={"weight_ih_l0": "nothing"})
    (tmp_path / "map.json").write_text(json.dumps(dict(list(theirs.items())[:2])))
    options = ["--config", "tiny", "-o", "m.ese", "--key-map", "map.json"]
    for ours, name in list(theirs.items())[2:]:
        options += ["--key-map", f"{ours}={name}"]
    result = CliRunner().invoke(main, ["compress", "m.ckpt", *options])
    assert result.exit_code == 0, result.output
    assert "--key-map map.json" in read_image(tmp_path / "m.ese").manifest.command
    for wrong in ("none.json", "m.ckpt"):
        result = CliRunner().invoke(main, ["compress", "m.ckpt", *options, "--key-map", wrong])
        assert result.exit_code == 2 and "--key-map: must be OURS=THEIRS" in result.stderr


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("options", [{}, {"proj_size": 3}])
def test_bidirectional_equals_torch(tmp_path, seed, layers, options):
    torch.manual_seed(seed)
    lstm = torch.nn.LSTM(3, 4, num_layers=layers, bidirectional=True, **options)
    torch.save({f"net.{k}": v for k, v in lstm.state_dict().items()}, tmp_path / "m.pt")
    frames = torch.randn(6, 3)
    stacks = load_stacks(tmp_path / "m.pt")
    names = ["forward", "reverse"]
    assert [s.name for s in stacks] == (names if layers == 1 else
                                        [f"l{k}.{n}" for k in (0, 1) for n in names])
    got = run_joined(stacks, frames.numpy(), run_float_stack)
    want = lstm(frames)[0].detach().numpy()
    assert got.shape == want.shape and got.size > 0
    np.testing.assert_allclose(got, want, atol=1e-6, rtol=0)
    assert load_stacks(tmp_path / "m.pt", "net")[-1].name == stacks[-1].name


def test_bidirectional_images_through_the_golden_model(tmp_path, monkeypatch, seed):
    """`ese compress` writes an image per direction; run and joined they are torch's outputs up to
    16-bit quantisation (2**-15 steps; 20 of them allowed)."""
    from click.testing import CliRunner
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(seed)
    lstm = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    torch.save(lstm.state_dict(), "m.pt")
    frames = torch.randn(9, 3).clamp(-3, 3)
    np.save("f.npy", frames.numpy())
    result = CliRunner().invoke(main, [
        "compress", "m.pt", "--config", "tiny", "--channels", "1", "--weight-bits", "16",
        "--frames", "f.npy", "-o", "m.ese", "--report", "m.json"])
    assert result.exit_code == 0, result.output
    stacks = load_stacks(tmp_path / "m.pt")

    def run(stack, values):
        image = read_image(tmp_path / f"m.{stack.name}.ese")
        assert (tmp_path / f"m.{stack.name}.json").exists()
        steps, saturated = quantise_frames(values[:, :, None], image.manifest)
        assert saturated == 0
        outputs = GoldenModel(decode_image(image), 1).run(steps).outputs
        return outputs[:, :, 0] / 2.0 ** image.manifest.layers[-1].output_frac
    got = run_joined(stacks, frames.numpy(), run)
    want = lstm(frames)[0].detach().numpy()
    assert got.shape == want.shape == (9, 8)
    assert np.abs(got - want).max() < 20 * 2.0 ** -15
    assert np.abs(want).max() > 0.05


def test_calibration_frames_are_reversed(tmp_path):
    torch.save(torch.nn.LSTM(3, 4, bidirectional=True).state_dict(), tmp_path / "m.pt")
    frames = np.arange(6.0).reshape(2, 3)
    forward, reverse = calibration_frames(load_stacks(tmp_path / "m.pt"), [frames])
    assert np.array_equal(forward[0], frames) and np.array_equal(reverse[0], frames[::-1])


def test_directions_that_do_not_join_are_refused(tmp_path):
    state = dict(torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True).state_dict())
    for name in ("weight_ih_l1", "weight_ih_l1_reverse"):
        state[name] = state[name][:, :5]
    torch.save(state, tmp_path / "m.pt")
    with pytest.raises(EseError, match=r"layer 1 must read the 8 joined outputs of layer 0, but "
                                       r"reads 5, 5$"):
        load_stacks(tmp_path / "m.pt")
