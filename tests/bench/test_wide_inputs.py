"""Inputs spread over several columns compute the same, and hold ranges that one column can't."""

import numpy as np
import pytest

from ese_lstm.bench.wide_inputs import widen
from ese_lstm.compress.network import Layer, Network
from ese_lstm.compress.pipeline import compress_network
from ese_lstm.compress.reference import run_float
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.frames import quantise_frames, real_outputs
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel

CONFIG = PRESETS["tiny"].replace(stream_depth=4096)
SCALES = np.array([30.0, 6.0, 1.0, 0.05, 0.002])


def network(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    return Network((Layer(rng.normal(size=(32, 5)) * 4, rng.normal(size=(32, 8)),
                          rng.normal(size=32)),
                    Layer(rng.normal(size=(32, 8)), rng.normal(size=(32, 8)),
                          rng.normal(size=32))))


def frames(seed: int, count: int = 40) -> np.ndarray:
    """Powers: not negative, of very different size between and within columns."""
    rng = np.random.default_rng([seed, 1])
    return SCALES * 10.0 ** rng.uniform(-4, 0, (count, 5))


def golden(network: Network, calibration: np.ndarray, values: np.ndarray) -> np.ndarray:
    image, _ = compress_network(network, CONFIG, 1.0, [calibration])
    integers, _ = quantise_frames(values[:, :, None], image.manifest)
    return real_outputs(GoldenModel(decode_image(image), 1).run(integers).outputs, image.manifest)


@pytest.mark.parametrize("shift", [3, 7])
def test_the_widened_network_is_equivalent(seed: int, shift: int) -> None:
    plain = network(seed)
    wide, spread = widen(plain, SCALES, CONFIG, shift)
    steps = np.random.default_rng([seed, 2]).integers(0, 1 << (15 - shift), (40, 5))
    values = np.ldexp(steps.astype(float), np.array(spread.exponents) + shift - 15)
    fine = np.array(spread.exponents) + spread.fine_frac > spread.frac
    assert fine.any()
    values += fine * 2.0 ** -spread.fine_frac
    found = run_float(wide, spread.spread(values)).outputs
    np.testing.assert_allclose(found, run_float(plain, values).outputs, atol=1e-12)


def test_the_golden_model_comes_nearer(seed: int) -> None:
    plain, values = network(seed), frames(seed)
    wide, spread = widen(plain, values.max(axis=0), CONFIG, fine_frac=18)
    wanted = run_float(plain, values).outputs
    near = np.abs(golden(wide, spread.spread(values), spread.spread(values)) - wanted)
    far = np.abs(golden(plain, values, values) - wanted)
    assert np.sqrt(np.mean(near ** 2)) < 0.3 * np.sqrt(np.mean(far ** 2))


def test_columns_lie_within_one_and_saturate(seed: int) -> None:
    values = frames(seed)
    _, spread = widen(network(seed), values.max(axis=0), CONFIG)
    columns = spread.spread(np.concatenate([values, -values, values * 100]))
    assert columns.shape == (120, 15)
    assert np.abs(columns).max() <= 1 and columns.max() > 0.99
    step = np.ldexp(columns, spread.frac)
    np.testing.assert_array_equal(step, np.round(step))
    streams = spread.spread(np.stack([values, values / 2], axis=-1))
    np.testing.assert_array_equal(streams[:, :, 0], spread.spread(values))


def test_zero_weights_stay_zero(seed: int) -> None:
    plain = network(seed)
    sparse = np.where(np.abs(plain.layers[0].w_x) > 3, plain.layers[0].w_x, 0)
    first = plain.layers[0]
    pruned = plain.with_layers((Layer(sparse, first.w_y, first.bias), plain.layers[1]))
    wide, _ = widen(pruned, SCALES, CONFIG)
    for part in np.split(wide.layers[0].w_x, 3, axis=1):
        assert not part[sparse == 0].any()


def test_what_cannot_be_widened(seed: int) -> None:
    plain = network(seed)
    with pytest.raises(EseError, match="must have two layers, the first without projection"):
        widen(plain.with_layers(plain.layers[:1]), SCALES, CONFIG)
    with pytest.raises(EseError, match="shift: must be 1 to 14, got 15"):
        widen(plain, SCALES, CONFIG, shift=15)
