"""Power-of-two formats of activations, from ranges on real frames.

Dynamic-range analysis as ESE does it, per tensor: the finest fixed-point position at which no
value of the calibration frames saturates. Without frames the input is assumed within
±``ASSUMED_INPUT`` (normalised features) and a projected y within its bound Σ|W_ym| of a row,
which it can't exceed because |m| < 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.formats import FixedFormat, gate_format
from .network import Layer, Network
from .reference import run_float

ASSUMED_INPUT = 8.0

InputScaling = Literal["none", "column"]


@dataclass(frozen=True)
class Calibration:
    """Ranges and the formats they give.

    calibrated: False if ranges are assumed. frames: frames seen. x_max: of the scaled input.
    y_max, c_max: per layer (c_max is 0 if not calibrated). input_frac, output_fracs: fraction
    bits. exponents: (inputs,) powers of two that scale the input columns.
    """

    calibrated: bool
    frames: int
    x_max: float
    y_max: tuple[float, ...]
    c_max: tuple[float, ...]
    input_frac: int
    output_fracs: tuple[int, ...]
    exponents: tuple[int, ...]


def calibrate(network: Network, config: EngineConfig,
              utterances: Sequence[NDArray[np.floating]] = (),
              input_scaling: InputScaling = "none",
              input_limit: float | None = None) -> Calibration:
    """Formats for a network from utterances of shape (T, inputs) each; none: assumed ranges.

    input_scaling "column": each input column is scaled by the power of two that brings its
    largest magnitude into [½, 1), and its weights by the inverse; helps when columns of raw
    features differ by orders of magnitude. Needs utterances. input_limit: magnitude of inputs
    that need not be held; the frames are cut to it, and larger inputs saturate.
    """
    real = _checked(network, utterances, input_limit)
    exponents = column_exponents(network, real, input_scaling, input_limit)
    if not real:
        y_max = tuple(_assumed_output(layer) for layer in network.layers)
        return _formats(network, config, input_limit or ASSUMED_INPUT, y_max, calibrated=False)
    frames, lengths = stack(real)
    if input_limit is not None:
        frames = np.clip(frames, -input_limit, input_limit)
    columns = np.abs(frames).max(axis=(0, 2))
    run = run_float(network, frames, lengths)
    return _formats(network, config, float(np.max(np.ldexp(columns, exponents))), run.y_max,
                    run.c_max, sum(lengths), exponents)


def for_engine(ranges: Calibration, network: Network, config: EngineConfig) -> Calibration:
    """The same ranges of the same network with the formats of another engine."""
    return _formats(network, config, ranges.x_max, ranges.y_max, ranges.c_max, ranges.frames,
                    np.asarray(ranges.exponents), calibrated=ranges.calibrated)


def column_exponents(network: Network, utterances: Sequence[NDArray[np.floating]],
                     input_scaling: InputScaling, input_limit: float | None = None
                     ) -> NDArray[np.int64]:
    """Powers of two, (inputs,), that scale the input columns; zeros for input_scaling "none".

    They follow from the frames alone. Arguments and errors as those of :func:`calibrate`.
    """
    if input_scaling not in ("none", "column"):
        raise EseError(f"input_scaling: must be none or column, got {input_scaling!r}")
    if input_scaling == "none":
        return np.zeros(network.inputs, np.int64)
    real = _checked(network, utterances, input_limit)
    if not real:
        raise EseError("input_scaling: must be none without calibration frames, got 'column'")
    columns = np.max([np.abs(utterance).max(axis=0) for utterance in real], axis=0)
    _, powers = np.frexp(columns if input_limit is None else np.minimum(columns, input_limit))
    return np.where(columns > 0, -powers, 0).astype(np.int64)


def _checked(network: Network, utterances: Sequence[NDArray[np.floating]],
             input_limit: float | None) -> list[NDArray[np.float64]]:
    if input_limit is not None and not 0 < input_limit < np.inf:
        raise EseError(f"input_limit: must be finite and greater than 0, got {input_limit}")
    real = [np.asarray(utterance, np.float64) for utterance in utterances]
    for number, utterance in enumerate(real):
        if utterance.ndim != 2 or utterance.shape[1] != network.inputs or not len(utterance):
            raise EseError(f"frames {number}: must have the shape (T, {network.inputs}) with "
                           f"T ≥ 1, got {utterance.shape}")
        if not np.isfinite(utterance).all():
            raise EseError(f"frames {number}: must be finite, but "
                           f"{int(np.count_nonzero(~np.isfinite(utterance)))} values are NaN or "
                           f"Inf")
    return real


def stack(utterances: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], list[int]]:
    """Utterances of different lengths side by side, padded with zeros: (T, inputs, S), lengths."""
    lengths = [len(utterance) for utterance in utterances]
    frames = np.zeros((max(lengths), utterances[0].shape[1], len(utterances)))
    for number, utterance in enumerate(utterances):
        frames[:len(utterance), :, number] = utterance
    return frames, lengths


def scale_inputs(network: Network, exponents: Sequence[int] | NDArray[np.int64]) -> Network:
    """The network for inputs scaled by 2**exponents: column j of the first W_x by 2**−e_j."""
    if not any(exponents):
        return network
    first = network.layers[0]
    scaled = np.ldexp(first.w_x.astype(np.float64), -np.asarray(exponents))
    return network.with_layers((Layer(scaled, first.w_y, first.bias, first.peepholes, first.w_m),
                                *network.layers[1:]))


def _formats(network: Network, config: EngineConfig, x_max: float, y_max: tuple[float, ...],
             c_max: tuple[float, ...] | None = None, frames: int = 0,
             exponents: NDArray[np.int64] | None = None, *,
             calibrated: bool = True) -> Calibration:
    output_fracs = tuple(
        FixedFormat.fitting(config.act_bits, largest).frac if layer.projection
        else gate_format(config).frac
        for layer, largest in zip(network.layers, y_max, strict=True))
    powers = (0,) * network.inputs if exponents is None else tuple(int(e) for e in exponents)
    return Calibration(calibrated, frames, x_max, y_max, c_max or (0.0,) * len(network.layers),
                       FixedFormat.fitting(config.act_bits, x_max).frac, output_fracs, powers)


def _assumed_output(layer: Layer) -> float:
    if layer.w_m is None:
        return 1.0
    return float(np.abs(layer.w_m).sum(axis=1).max())
