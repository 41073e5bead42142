"""Power-of-two formats of activations, from ranges on real frames.

Dynamic-range analysis as ESE does it, per tensor: the finest fixed-point position at which no
value of the calibration frames saturates. Without frames the input is assumed within
±``inputs.ASSUMED_INPUT`` and a projected y within its bound Σ|W_ym| of a row, which it can't
exceed because |m| < 1.
"""

from dataclasses import dataclass

import numpy as np

from ..contract.config import EngineConfig
from ..contract.formats import FixedFormat, gate_format
from .inputs import Inputs
from .network import Layer, Network
from .reference import run_float


@dataclass(frozen=True)
class Ranges:
    """Largest magnitudes of a network's activations, whatever the engine.

    calibrated: False if they are assumed. frames: frames seen. x_max: of the scaled input.
    y_max, c_max: per layer (c_max is 0 if not calibrated). exponents: (inputs,) powers of two
    that scale the input columns.
    """

    calibrated: bool
    frames: int
    x_max: float
    y_max: tuple[float, ...]
    c_max: tuple[float, ...]
    exponents: tuple[int, ...]


def calibrate(network: Network, inputs: Inputs) -> Ranges:
    """Ranges of a network that reads the scaled inputs."""
    if inputs.lengths:
        run = run_float(network, inputs.scaled, inputs.lengths)
        y_max, c_max = run.y_max, run.c_max
    else:
        y_max = tuple(_assumed_output(layer) for layer in network.layers)
        c_max = (0.0,) * len(network.layers)
    return Ranges(bool(inputs.lengths), sum(inputs.lengths), inputs.largest, y_max, c_max,
                  tuple(int(e) for e in inputs.exponents))


def choose_formats(ranges: Ranges, network: Network, config: EngineConfig
                   ) -> tuple[int, list[int]]:
    """Fraction bits of the input and of each layer's y that hold the ranges on an engine."""
    return FixedFormat.fitting(config.act_bits, ranges.x_max).frac, [
        FixedFormat.fitting(config.act_bits, largest).frac if layer.projection
        else gate_format(config).frac
        for layer, largest in zip(network.layers, ranges.y_max, strict=True)]


def _assumed_output(layer: Layer) -> float:
    if layer.w_m is None:
        return 1.0
    return float(np.abs(layer.w_m).sum(axis=1).max())
