"""Networks on which the exported engine is compared with the golden model."""

from dataclasses import dataclass

import numpy as np
import pytest

from ese_lstm.compress.pipeline import compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.image import Image
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import FrameResult, GoldenModel


@dataclass(frozen=True)
class Case:
    """An image and frames with masks."""

    image: Image
    frames: np.ndarray
    active: np.ndarray
    start: np.ndarray

    def golden(self) -> list[FrameResult]:
        model = GoldenModel(decode_image(self.image))
        return [model.step(*step) for step in
                zip(self.frames, self.active, self.start, strict=True)]


def _make_case(config: EngineConfig, rng: np.random.Generator, inputs: int,
               shapes: list[LayerShape], density: float, count: int) -> Case:
    network = random_network(rng, inputs, shapes, density)
    image, _report = compress_network(network, config, 1.0, [random_frames(rng, 20, inputs)])
    limit = 1 << (config.act_bits - 1)
    frames = rng.integers(-limit, limit, (count, inputs, config.channels)) >> rng.integers(6)
    frames[rng.random(frames.shape) < 0.02] = -limit
    mask = (count, config.channels)
    return Case(image, frames, rng.random(mask) < 0.85, rng.random(mask) < 0.15)


@pytest.fixture
def make_case():
    """``make_case(config, rng, inputs, shapes, density, frames)`` → :class:`Case`."""
    return _make_case
