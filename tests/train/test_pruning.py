import numpy as np
import pytest
import torch

from ese_lstm.compress.prune import lane_tiles, prune_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.formats import FixedFormat
from ese_lstm.train.lstmp import Lstmp
from ese_lstm.train.options import PruneOptions, cubic
from ese_lstm.train.pruning import (
    RoundWeight,
    apply_masks,
    density_of,
    masks_for,
    masks_of,
    network_from,
    remove_masks,
    round_weights,
)

CONFIG = PRESETS["tiny"]


def lane_counts(lstm: Lstmp) -> list[np.ndarray]:
    """Kept weights of each lane, for each of the nine matrices."""
    layer, = network_from(lstm).layers
    found = []
    for _name, matrix in layer.matrices():
        lanes = lane_tiles(len(matrix), CONFIG.lanes, len(matrix)) % CONFIG.lanes
        found.append(np.array([np.count_nonzero(matrix[lanes == lane])
                               for lane in range(CONFIG.lanes)]))
    return found


def train_a_little(lstm: Lstmp, steps: int) -> None:
    optimiser = torch.optim.Adam(lstm.parameters(), lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        frames = torch.randn(6, 3, lstm.inputs)
        outputs, _ = lstm(frames, lstm.zero_state(3), torch.ones(6, 3, 1))
        outputs.square().sum().backward()
        optimiser.step()


def test_masks_are_those_of_compress(seed: int) -> None:
    torch.manual_seed(seed)
    lstm = Lstmp(6, 8, 4)
    options = PruneOptions(CONFIG, 0.5, {"Wix": 0.25}, "tile", keep_one=True)
    expected = prune_network(network_from(lstm), CONFIG, 0.5, "tile", True, {"Wix": 0.25})
    apply_masks(lstm, masks_for(lstm, options))
    mine, theirs = network_from(lstm).layers[0], expected.layers[0]
    assert theirs.w_m is not None
    np.testing.assert_array_equal(mine.w_x, theirs.w_x)
    np.testing.assert_array_equal(mine.w_y, theirs.w_y)
    np.testing.assert_array_equal(mine.w_m, theirs.w_m)


def test_masked_weights_stay_zero_in_training(seed: int) -> None:
    torch.manual_seed(seed)
    lstm = Lstmp(6, 8, 4)
    apply_masks(lstm, masks_for(lstm, PruneOptions(CONFIG, 0.3)))
    before = {name: getattr(lstm, name).detach().clone() for name in masks_of(lstm)}
    train_a_little(lstm, 10)
    compared = 0
    for name, mask in masks_of(lstm).items():
        weight = getattr(lstm, name)
        assert not weight[~mask].any()
        assert (weight[mask] != before[name][mask]).any()
        compared += int((~mask).sum())
    assert compared > 200


def test_counts_are_equal_at_every_step_of_a_gradual_schedule(seed: int) -> None:
    torch.manual_seed(seed)
    lstm = Lstmp(6, 8, 4)
    options = PruneOptions(CONFIG, 0.125, schedule="gradual", ramp=0.8, every=2)
    densities, renewals = [], 0
    for step in range(20):
        due = options.due(step, 20)
        if due is not None:
            apply_masks(lstm, masks_for(lstm, options, due))
            renewals += 1
        train_a_little(lstm, 1)
        for counts in lane_counts(lstm):
            assert (counts == counts[0]).all(), f"step {step}"
        densities.append(density_of(lstm)["all"])
    assert renewals == 9
    assert densities == sorted(densities, reverse=True)
    assert densities[0] == 1.0 and densities[-1] == 0.125


def test_the_last_renewal_reaches_the_density() -> None:
    for steps in (1, 7, 100):
        options = PruneOptions(CONFIG, 0.1, ramp=0.5, every=50)
        due = [options.due(step, steps) for step in range(steps)]
        assert max(value for value in due if value is not None) == (1.0 if steps > 1 else 0.0)
    one = PruneOptions(CONFIG, 0.1, schedule="one-shot")
    assert [one.due(step, 3) for step in range(3)] == [1.0, None, None]


def test_cubic() -> None:
    assert [cubic(p) for p in (-1, 0, 0.5, 1, 2)] == [0, 0, 0.875, 1, 1]


def test_plain_magnitude_is_not_balanced() -> None:
    torch.manual_seed(0)
    lstm = Lstmp(6, 8, 4)
    apply_masks(lstm, masks_for(lstm, PruneOptions(CONFIG, 0.3, balance="none")))
    assert any((counts != counts[0]).any() for counts in lane_counts(lstm))


def test_dsd_frees_weights_from_zero(seed: int) -> None:
    torch.manual_seed(seed)
    lstm = Lstmp(6, 8, 4)
    apply_masks(lstm, masks_for(lstm, PruneOptions(CONFIG, 0.25)))
    train_a_little(lstm, 2)
    sparse = network_from(lstm).layers[0].w_x.copy()
    remove_masks(lstm)
    assert not masks_of(lstm)
    np.testing.assert_array_equal(network_from(lstm).layers[0].w_x, sparse)
    with torch.no_grad():  # a cell without any weight left would have no gradient
        for name, bias in lstm.named_parameters():
            if "bias" in name:
                bias.add_(0.5)
    train_a_little(lstm, 5)
    assert density_of(lstm)["all"] == 1.0


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_rounding_is_the_contracts(bits: int, seed: int) -> None:
    torch.manual_seed(seed)
    for scale in (1e-3, 0.7, 0.9999, 1.0, 30.0):
        weight = torch.randn(40, dtype=torch.double)
        weight = weight / weight.abs().max() * scale
        fmt = FixedFormat.fitting(bits, float(weight.abs().max()))
        expected = fmt.real(fmt.quantise(weight.numpy())[0])
        np.testing.assert_array_equal(RoundWeight(bits)(weight).numpy(), expected)


def test_rounded_and_masked_weights_train(seed: int) -> None:
    torch.manual_seed(seed)
    lstm = Lstmp(6, 8, 4)
    apply_masks(lstm, masks_for(lstm, PruneOptions(CONFIG, 0.5)))
    round_weights(lstm, 6)
    before = lstm.weight_hh_l0.detach().clone()
    train_a_little(lstm, 10)
    weight = lstm.weight_hh_l0.detach()
    assert (weight != before).any()
    assert not weight[~masks_of(lstm)["weight_hh_l0"]].any()
    assert len(weight.unique()) <= 64


@pytest.mark.parametrize("options, message", [
    ({"schedule": "never"}, "schedule: must be one-shot or gradual, got 'never'"),
    ({"ramp": 0.0}, "ramp: must be over 0 and at most 1, got 0.0"),
    ({"every": 0}, "every: must be at least 1, got 0")])
def test_wrong_options(options: dict, message: str) -> None:
    with pytest.raises(EseError, match=message):
        PruneOptions(CONFIG, **options)


def test_unreachable_density_is_named() -> None:
    lstm = Lstmp(6, 8, 4)
    with pytest.raises(EseError, match="density: must leave room for one weight in every"):
        masks_for(lstm, PruneOptions(CONFIG, 0.01, keep_one=True))
