"""Seeded random networks and frames, for tests and for throughput figures of a given shape."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..contract import published
from ..contract.cells import LSTM
from .network import Layer, Network


@dataclass(frozen=True)
class LayerShape:
    """Shape of one random layer; projection 0 means none."""

    cells: int
    projection: int = 0
    peepholes: bool = False
    bias: bool = True


GOOGLE_LSTMP = LayerShape(published.CELLS, published.PROJECTION, peepholes=True)
"""ESE's layer; its input has ``published.INPUTS`` features."""


def random_network(rng: np.random.Generator, inputs: int, shapes: Sequence[LayerShape],
                   density: float = 1.0) -> Network:
    """Normal weights of deviation 1/√(non-zero inputs of a row), each kept with ``density``."""
    layers = []
    for shape in shapes:
        outputs = shape.projection or shape.cells
        scale = 1.0 / np.sqrt(max(1.0, density * (inputs + outputs)))
        layers.append(Layer(
            w_x=_sparse(rng, (LSTM.size * shape.cells, inputs), scale, density),
            w_y=_sparse(rng, (LSTM.size * shape.cells, outputs), scale, density),
            bias=rng.normal(0, 0.3, LSTM.size * shape.cells) if shape.bias else None,
            peepholes=rng.normal(0, 0.3, (3, shape.cells)) if shape.peepholes else None,
            w_m=_sparse(rng, (shape.projection, shape.cells),
                        2.0 / np.sqrt(max(1.0, density * shape.cells)), density)
            if shape.projection else None))
        inputs = outputs
    return Network(tuple(layers), source="synthetic")


def random_frames(rng: np.random.Generator, frames: int, inputs: int) -> NDArray[np.float64]:
    """Normal frames of deviation 1, smoothed over time as features are; shape (frames, inputs)."""
    noise = rng.normal(0, 1, (frames + 2, inputs))
    return np.asarray((noise[:-2] + noise[1:-1] + noise[2:]) / np.sqrt(3.0))


def _sparse(rng: np.random.Generator, shape: tuple[int, int], scale: float,
            density: float) -> NDArray[np.float64]:
    values = rng.normal(0, scale, shape)
    values[rng.random(shape) >= density] = 0.0
    return values
