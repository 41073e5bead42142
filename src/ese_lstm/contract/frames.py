"""Frames as an engine reads them: real features to integers, and its outputs back to real values.
"""

import numpy as np
from numpy.typing import NDArray

from .config import EngineConfig
from .errors import EseError
from .formats import FixedFormat
from .image import Manifest


def input_format(manifest: Manifest) -> FixedFormat:
    """Format of the (scaled) input columns."""
    return FixedFormat(_config(manifest).act_bits, manifest.layers[0].input_frac)


def output_format(manifest: Manifest) -> FixedFormat:
    """Format of the output frame, the last layer's y."""
    return FixedFormat(_config(manifest).act_bits, manifest.layers[-1].output_frac)


def quantise_frames(frames: NDArray[np.floating],
                    manifest: Manifest) -> tuple[NDArray[np.int64], int]:
    """Integers of the same shape, (T, inputs) or (T, inputs, streams), and how many saturated.

    Input column j is multiplied by 2**input_exponents[j] first. Raises EseError if the frames
    have another width or contain NaN or Inf.
    """
    values = np.asarray(frames)
    width = manifest.layers[0].inputs
    if values.ndim not in (2, 3) or values.shape[1] != width:
        raise EseError(f"frames: must have the shape (T, {width}) or (T, {width}, streams), "
                       f"got {values.shape}")
    if values.dtype.kind not in "fiu":
        raise EseError(f"frames: must be real numbers, got {values.dtype}")
    if len(values) == 0:
        raise EseError("frames: must be at least one, got none")
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise EseError(f"frames: must be finite, but {bad} of {values.size} values are NaN or Inf")
    exponents = np.asarray(manifest.input_exponents, np.int64)
    scaled = np.ldexp(values.astype(np.float64),
                      exponents.reshape((width,) + (1,) * (values.ndim - 2)))
    return input_format(manifest).quantise(scaled)


def integer_frames(values: NDArray[np.integer], bits: int) -> NDArray[np.int64]:
    """The same as 64-bit integers. Raises EseError for other numbers and for integers that ``bits``
    bits don't hold."""
    if values.dtype.kind not in "iu":
        raise EseError(f"frames: must be integers, got {values.dtype}")
    limit = 1 << (bits - 1)
    if values.size and (values.min() < -limit or values.max() >= limit):
        raise EseError(f"frames: must be integers of {bits} bits, got {values.min()} to "
                       f"{values.max()}")
    return values.astype(np.int64)


def real_outputs(outputs: NDArray[np.integer], manifest: Manifest) -> NDArray[np.float64]:
    """Real values of an engine's output integers, any shape."""
    return output_format(manifest).real(outputs)


def _config(manifest: Manifest) -> EngineConfig:
    return EngineConfig(**manifest.config)
