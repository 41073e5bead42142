"""Formats of activations from ranges."""

import numpy as np
import pytest

from ese_lstm.compress.calibrate import calibrate, scale_inputs
from ese_lstm.compress.reference import run_float
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError

TINY = PRESETS["tiny"]
SHAPES = [LayerShape(6, 3, True), LayerShape(4)]


def test_formats_are_the_finest_that_hold_the_frames(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 5, SHAPES)
    utterances = [random_frames(rng, length, 5) for length in (7, 20)]
    ranges = calibrate(network, TINY, utterances)
    largest = max(float(np.abs(u).max()) for u in utterances)
    assert ranges.calibrated and ranges.frames == 27 and ranges.x_max == largest
    assert largest < 2.0 ** (15 - ranges.input_frac) <= 2 * largest * (1 + 2.0 ** -14)
    y_max = max(float(np.abs(run_float(network.with_layers(network.layers[:1]), u).outputs).max())
                for u in utterances)
    assert ranges.y_max[0] == pytest.approx(y_max, rel=1e-12)
    assert y_max < 2.0 ** (15 - ranges.output_fracs[0]) <= 2 * y_max * (1 + 2.0 ** -14)
    assert ranges.output_fracs[1] == 15


def test_without_frames_ranges_are_assumed():
    network = random_network(np.random.default_rng(0), 5, SHAPES)
    ranges = calibrate(network, TINY)
    assert not ranges.calibrated and ranges.x_max == 8.0 and ranges.input_frac == 11
    assert ranges.y_max == (np.abs(network.layers[0].w_m).sum(axis=1).max(), 1.0)


def test_column_scaling_keeps_the_function(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 5, SHAPES)
    scales = np.array([1.0, 1e-5, 300.0, 0.0, 2.0 ** -3])
    frames = random_frames(rng, 12, 5) * scales
    ranges = calibrate(network, TINY, [frames], "column")
    scaled = frames * 2.0 ** np.array(ranges.exponents)
    peaks = np.abs(scaled).max(axis=0)
    assert ((peaks >= 0.5) & (peaks < 1) | (scales == 0)).all() and ranges.exponents[3] == 0
    assert ranges.input_frac in (14, 15)
    np.testing.assert_array_equal(
        run_float(scale_inputs(network, ranges.exponents), scaled).outputs,
        run_float(network, frames).outputs)


def test_input_limit_lets_peaks_saturate(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 5, SHAPES)
    frames = random_frames(rng, 12, 5)
    frames[3, 2] = 1000.0
    ranges = calibrate(network, TINY, [frames], input_limit=2.0)
    assert ranges.x_max == 2.0 and ranges.input_frac == 13
    assert calibrate(network, TINY, [frames]).input_frac == 5
    assert ranges.y_max == calibrate(network, TINY, [np.clip(frames, -2, 2)]).y_max
    assert calibrate(network, TINY, input_limit=1.5).input_frac == 14


@pytest.mark.parametrize("limit", [0.0, -1.0, np.inf, np.nan])
def test_input_limit_refused(limit):
    network = random_network(np.random.default_rng(0), 5, SHAPES)
    with pytest.raises(EseError, match=r"^input_limit: must be finite and greater than 0, got "):
        calibrate(network, TINY, input_limit=limit)


@pytest.mark.parametrize("utterances, scaling, message", [
    ([np.zeros((3, 4))], "none", r"^frames 0: must have the shape \(T, 5\) .* got \(3, 4\)$"),
    ([np.zeros((3, 5)), np.full((2, 5), np.nan)], "none",
     r"^frames 1: must be finite, but 10 values are NaN or Inf$"),
    ([np.zeros((0, 5))], "none", r"^frames 0: must have the shape \(T, 5\) with T ≥ 1"),
    ([], "column", r"^input_scaling: must be none without calibration frames, got 'column'$"),
    ([], "rows", r"^input_scaling: must be none or column, got 'rows'$"),
])
def test_refused(utterances, scaling, message):
    network = random_network(np.random.default_rng(0), 5, SHAPES)
    with pytest.raises(EseError, match=message):
        calibrate(network, TINY, utterances, scaling)
