"""Formats of activations from ranges."""

import numpy as np
import pytest

from ese_lstm.compress.calibrate import calibrate, choose_formats
from ese_lstm.compress.inputs import read_inputs, scale_inputs
from ese_lstm.compress.reference import run_float
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError

TINY = PRESETS["tiny"]
SHAPES = [LayerShape(6, 3, True), LayerShape(4)]


def ranges_of(network, utterances=(), scaling="none", limit=None):
    """Ranges, and fraction bits of the input and of each y on the tiny engine."""
    inputs = read_inputs(utterances, network.inputs, scaling, limit)
    ranges = calibrate(scale_inputs(network, inputs.exponents), inputs)
    return ranges, *choose_formats(ranges, network, TINY)


def test_formats_are_the_finest_that_hold_the_frames(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 5, SHAPES)
    utterances = [random_frames(rng, length, 5) for length in (7, 20)]
    ranges, input_frac, output_fracs = ranges_of(network, utterances)
    largest = max(float(np.abs(u).max()) for u in utterances)
    assert ranges.calibrated and ranges.frames == 27 and ranges.x_max == largest
    assert largest < 2.0 ** (15 - input_frac) <= 2 * largest * (1 + 2.0 ** -14)
    y_max = max(float(np.abs(run_float(network.with_layers(network.layers[:1]), u).outputs).max())
                for u in utterances)
    assert ranges.y_max[0] == pytest.approx(y_max, rel=1e-12)
    assert y_max < 2.0 ** (15 - output_fracs[0]) <= 2 * y_max * (1 + 2.0 ** -14)
    assert output_fracs[1] == 15


def test_without_frames_ranges_are_assumed():
    network = random_network(np.random.default_rng(0), 5, SHAPES)
    ranges, input_frac, _ = ranges_of(network)
    assert not ranges.calibrated and ranges.x_max == 8.0 and input_frac == 11
    assert ranges.y_max == (np.abs(network.layers[0].w_m).sum(axis=1).max(), 1.0)


def test_column_scaling_keeps_the_function(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 5, SHAPES)
    scales = np.array([1.0, 1e-5, 300.0, 0.0, 2.0 ** -3])
    frames = random_frames(rng, 12, 5) * scales
    ranges, input_frac, _ = ranges_of(network, [frames], "column")
    scaled = frames * 2.0 ** np.array(ranges.exponents)
    peaks = np.abs(scaled).max(axis=0)
    assert ((peaks >= 0.5) & (peaks < 1) | (scales == 0)).all() and ranges.exponents[3] == 0
    assert input_frac in (14, 15)
    plain, _, _ = ranges_of(network, [frames])
    assert (ranges.y_max, ranges.c_max) == (plain.y_max, plain.c_max)
    np.testing.assert_array_equal(
        run_float(scale_inputs(network, ranges.exponents), scaled).outputs,
        run_float(network, frames).outputs)


def test_input_limit_lets_peaks_saturate(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 5, SHAPES)
    frames = random_frames(rng, 12, 5)
    frames[3, 2] = 1000.0
    ranges, input_frac, _ = ranges_of(network, [frames], limit=2.0)
    assert ranges.x_max == 2.0 and input_frac == 13
    assert ranges_of(network, [frames])[1] == 5
    assert ranges.y_max == ranges_of(network, [np.clip(frames, -2, 2)])[0].y_max
    assert ranges_of(network, limit=1.5)[1] == 14


@pytest.mark.parametrize("limit", [0.0, -1.0, np.inf, np.nan])
def test_input_limit_refused(limit):
    with pytest.raises(EseError, match=r"^input_limit: must be finite and greater than 0, got "):
        read_inputs((), 5, limit=limit)


@pytest.mark.parametrize("utterances, scaling, message", [
    ([np.zeros((3, 4))], "none", r"^frames 0: must have the shape \(T, 5\) .* got \(3, 4\)$"),
    ([np.zeros((3, 5)), np.full((2, 5), np.nan)], "none",
     r"^frames 1: must be finite, but 10 values are NaN or Inf$"),
    ([np.zeros((0, 5))], "none", r"^frames 0: must have the shape \(T, 5\) with T ≥ 1"),
    ([], "column", r"^input_scaling: must be none without calibration frames, got 'column'$"),
    ([], "rows", r"^input_scaling: must be none or column, got 'rows'$"),
])
def test_refused(utterances, scaling, message):
    with pytest.raises(EseError, match=message):
        read_inputs(utterances, 5, scaling)
