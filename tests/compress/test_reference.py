"""The floating-point network against torch.nn.LSTM, and peepholes by hand."""

import numpy as np
import pytest
import torch

from ese_lstm.compress.network import Layer, Network
from ese_lstm.compress.read.state_dict import network_from_tensors
from ese_lstm.compress.reference import run_float
from ese_lstm.contract.errors import EseError


@pytest.mark.parametrize("layers, projection, bias", [(1, 0, True), (3, 0, False), (2, 4, True)])
def test_equals_torch(seed, layers, projection, bias):
    torch.manual_seed(seed)
    lstm = torch.nn.LSTM(5, 7, num_layers=layers, proj_size=projection, bias=bias).double()
    network = network_from_tensors({k: v.numpy() for k, v in lstm.state_dict().items()})
    frames = torch.randn(11, 3, 5, dtype=torch.float64)
    with torch.no_grad():
        expected = lstm(frames)[0].numpy().transpose(0, 2, 1)
    outputs = run_float(network, frames.numpy().transpose(0, 2, 1)).outputs
    assert outputs.shape == expected.shape == (11, projection or 7, 3)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12)


def test_peepholes_by_hand():
    """One cell, only peepholes and biases: i and f see the old c, o the new one."""
    layer = Layer(np.zeros((4, 1)), np.zeros((4, 1)), np.array([0.0, 0.0, 1.0, 0.0]),
                  np.array([[0.5], [0.25], [2.0]]))
    run = run_float(Network((layer,)), np.zeros((2, 1)))

    def sigma(x):
        return 1 / (1 + np.exp(-x))
    c1 = 0.5 * np.tanh(1.0)
    c2 = sigma(0.25 * c1) * c1 + sigma(0.5 * c1) * np.tanh(1.0)
    expected = [sigma(2 * c) * np.tanh(c) for c in (c1, c2)]
    np.testing.assert_allclose(run.outputs.ravel(), expected, atol=1e-15)
    assert run.c_max == (pytest.approx(c2, abs=1e-15),)


def test_padding_does_not_enter_the_maxima(seed):
    rng = np.random.default_rng(seed)
    layer = Layer(rng.normal(size=(8, 2)), rng.normal(size=(8, 2)))
    short, long = rng.normal(size=(3, 2)), rng.normal(size=(9, 2))
    frames = np.full((9, 2, 2), 100.0)
    frames[:3, :, 0], frames[:, :, 1] = short, long
    both = run_float(Network((layer,)), frames, [3, 9])
    alone = [run_float(Network((layer,)), utterance) for utterance in (short, long)]
    assert both.y_max[0] == pytest.approx(max(run.y_max[0] for run in alone), abs=1e-12)
    assert both.c_max[0] == pytest.approx(max(run.c_max[0] for run in alone), abs=1e-12)


def test_wrong_width():
    layer = Layer(np.zeros((4, 3)), np.zeros((4, 1)))
    with pytest.raises(EseError, match=r"^frames: must have the shape \(T, 3\) or .* got \(5, 4\)"):
        run_float(Network((layer,)), np.zeros((5, 4)))
