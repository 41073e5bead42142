"""Quantisers off: the same program on real numbers is the LSTM that was trained."""

from typing import Any

import numpy as np
import pytest

from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.sim.golden.decode import DecodedModel
from ese_lstm.sim.golden.model import GoldenModel

CONFIG = EngineConfig(lanes=3, channels=4, acc_rows=8, activation_depth=256, cell_depth=64,
                      param_depth=512)
TOLERANCE = 1e-12


def golden_of(nets: Any, layers: list[Any]) -> GoldenModel:
    program, tiles, bias, peephole = nets.build(CONFIG, layers)
    return GoldenModel(DecodedModel(CONFIG, program, tuple(tiles), bias, peephole))


@pytest.mark.parametrize("layers, inputs, cells, projection", [
    (1, 5, 13, 0), (3, 4, 9, 0), (1, 3, 17, 5), (2, 6, 11, 7), (1, 1, 1, 0)])
def test_equals_torch(nets: Any, seed: int, layers: int, inputs: int, cells: int, projection: int
                      ) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed % 2**31)
    network = torch.nn.LSTM(inputs, cells, layers, proj_size=projection).double()
    frames = 2 * torch.randn(7, CONFIG.channels, inputs, dtype=torch.float64)
    with torch.no_grad():
        want = network(frames)[0].numpy()
        made = []
        for number in range(layers):
            get = {name.removesuffix(f"_l{number}"): part.numpy() for name, part in
                   network.state_dict().items() if name.endswith(f"_l{number}")}
            made.append(nets.Layer(
                get["weight_ih"].reshape(4, cells, -1), get["weight_hh"].reshape(4, cells, -1),
                (get["bias_ih"] + get["bias_hh"]).reshape(4, cells), np.zeros((4, cells)), 12,
                get.get("weight_hr"), np.zeros(projection) if projection else None, 12))
    got = golden_of(nets, made).run(frames.numpy().transpose(0, 2, 1))
    assert got.outputs.shape == (7, projection or cells, CONFIG.channels)
    worst = np.abs(got.outputs.transpose(0, 2, 1) - want).max()
    print(f"worst difference {worst:.1e} over {want.size} values")
    assert worst < TOLERANCE
    assert vars(got.saturations) == dict.fromkeys(vars(got.saturations), 0)


def test_peepholes_and_projection_bias(nets: Any, seed: int) -> None:
    """i and f see the old cell state, o the new one, g none."""
    rng = np.random.default_rng(seed)
    layer = nets.Layer(rng.normal(size=(4, 7, 5)), rng.normal(size=(4, 7, 6)),
                       rng.normal(size=(4, 7)), rng.normal(size=(4, 7)), 12,
                       rng.normal(size=(6, 7)), rng.normal(size=6), 12)
    frames = rng.normal(size=(6, 5, CONFIG.channels))
    got = golden_of(nets, [layer]).run(frames).outputs
    y, c = np.zeros((6, CONFIG.channels)), np.zeros((7, CONFIG.channels))

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    compared = 0
    for number, x in enumerate(frames):
        i, f, g, o = (layer.wx[k] @ x + layer.wr[k] @ y + layer.bias[k][:, None]
                      for k in range(4))
        wi, wf, _, wo = layer.peephole[:, :, None]
        c = sigmoid(f + wf * c) * c + sigmoid(i + wi * c) * np.tanh(g)
        y = layer.wp @ (sigmoid(o + wo * c) * np.tanh(c)) + layer.bias_p[:, None]
        assert np.abs(got[number] - y).max() < TOLERANCE
        compared += y.size
    assert compared == 6 * 6 * CONFIG.channels


def test_start_and_active_without_quantisers(nets: Any) -> None:
    rng = np.random.default_rng(1)
    layer = nets.Layer(rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 3, 3)),
                       rng.normal(size=(4, 3)), np.zeros((4, 3)), 12)
    model = golden_of(nets, [layer])
    frames = rng.normal(size=(3, 2, 4))
    start, active = np.zeros((3, 4), dtype=bool), np.ones((3, 4), dtype=bool)
    start[1, 2], active[1, 3] = True, False
    outputs = model.run(frames, active, start).outputs
    model.reset()
    fresh = model.run(frames[1:]).outputs
    np.testing.assert_array_equal(outputs[1:, :, 2], fresh[:, :, 2])
    assert not outputs[1, :, 3].any() and outputs[2, :, 3].any()


def test_not_a_number_is_refused(nets: Any) -> None:
    layer = nets.Layer(np.ones((4, 1, 1)), np.ones((4, 1, 1)), np.ones((4, 1)), np.ones((4, 1)), 0)
    with pytest.raises(EseError, match="^frame: must hold finite numbers"):
        golden_of(nets, [layer]).step(np.full((1, 4), np.inf))
