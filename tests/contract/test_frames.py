"""Frames to integers and back."""

import numpy as np
import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.frames import output_format, quantise_frames, real_outputs
from ese_lstm.contract.image import LayerInfo, Manifest

LAYER = LayerInfo(inputs=3, cells=4, projection=0, peepholes=False, bias=False, input_frac=12,
                  output_frac=15, gate_weight_frac=(11, 8), projection_weight_frac=0, cell_base=0)
MANIFEST = Manifest(config=PRESETS["tiny"].model_dump(), source="", source_sha256="", command="",
                    layers=(LAYER,), matrices=(), input_exponents=(0, 3, -1), entries=0,
                    null_entries=0, filler_entries=0, published_fillers=0,
                    dense_weights=0, sections={})


def test_scaling_rounding_and_saturation():
    frames = np.array([[2.0 ** -13, 2.0 ** -16, 1.0], [8.0, 0.5, -16.0], [-8.0, 1.0, 100.0]])
    integers, saturated = quantise_frames(frames, MANIFEST)
    assert integers.tolist() == [[1, 1, 2048], [32767, 16384, -32768], [-32768, 32767, 32767]]
    assert saturated == 3


def test_streams_are_scaled_alike(seed):
    frames = np.random.default_rng(seed).normal(size=(5, 3, 2))
    together, _ = quantise_frames(frames, MANIFEST)
    for stream in range(2):
        assert np.array_equal(together[:, :, stream],
                              quantise_frames(frames[:, :, stream], MANIFEST)[0])


@pytest.mark.parametrize("frames, message", [
    (np.zeros((5, 4)), r"^frames: must have the shape \(T, 3\) or \(T, 3, streams\), "
                       r"got \(5, 4\)$"),
    (np.zeros(3), r"got \(3,\)$"),
    (np.zeros((0, 3)), r"^frames: must be at least one, got none$"),
    (np.array([[0, np.nan, np.inf]]), r"^frames: must be finite, but 2 of 3 values are NaN or"),
    (np.zeros((2, 3), complex), r"^frames: must be real numbers, got complex128$"),
    (np.array([["a", "b", "c"]]), r"^frames: must be real numbers, got <U1$"),
])
def test_refused(frames, message):
    with pytest.raises(EseError, match=message):
        quantise_frames(frames, MANIFEST)


def test_outputs():
    assert real_outputs(np.array([-32768, 1]), MANIFEST).tolist() == [-1.0, 2.0 ** -15]
    assert output_format(MANIFEST).bits == 16
