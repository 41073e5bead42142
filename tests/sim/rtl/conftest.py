"""Networks on which the exported engine is compared with the golden model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ese_lstm.compress.pipeline import compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.image import Image
from ese_lstm.contract.packets import unpack_results
from ese_lstm.contract.registers import COUNTERS
from ese_lstm.contract.shell import ShellConfig
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import FrameResult, GoldenModel
from ese_lstm.sim.rtl.shell_runner import image_job, shell_simulator
from ese_lstm.sim.rtl.verilator import run


@dataclass(frozen=True)
class Case:
    """An image and frames with masks."""

    image: Image
    frames: np.ndarray
    active: np.ndarray
    start: np.ndarray

    def golden(self) -> list[FrameResult]:
        model = GoldenModel(decode_image(self.image))
        return list(model.steps(self.frames, self.active, self.start))


def _make_case(config: EngineConfig, rng: np.random.Generator, inputs: int,
               shapes: list[LayerShape], density: float, count: int) -> Case:
    network = random_network(rng, inputs, shapes, density)
    image, _report = compress_network(network, config, 1.0, [random_frames(rng, 20, inputs)])
    limit = 1 << (config.act_bits - 1)
    frames = rng.integers(-limit, limit, (count, inputs, config.channels)) >> rng.integers(6)
    frames[rng.random(frames.shape) < 0.02] = -limit
    mask = (count, config.channels)
    return Case(image, frames, rng.random(mask) < 0.85, rng.random(mask) < 0.15)


@dataclass(frozen=True)
class ShellResult:
    """A run. outputs: (T, output_width, channels). counters: read at the end, loaded_counters:
    before the first frame."""

    outputs: np.ndarray
    counters: dict[str, int]
    loaded_counters: dict[str, int]


def _run_shell(image: Image, shell: ShellConfig, frames: np.ndarray,
               active: np.ndarray | None = None, start: np.ndarray | None = None, *,
               pause: str = "none", weight_base: int = 0, seed: int = 0) -> ShellResult:
    raw = run(shell_simulator(image.config, shell), "bench_axi",
              {**image_job(image, shell, frames, active, start, weight_base), "pause": pause,
               "seed": seed}, search=Path(__file__).parent, seed=seed)
    counters = [{name: int(value) for name, value in zip(COUNTERS, raw[which], strict=True)}
                for which in ("counters", "loaded_counters")]
    return ShellResult(unpack_results(raw["outputs"], image.config, shell), *counters)


@pytest.fixture
def run_shell():
    """``run_shell(image, shell, frames, active, start, pause=, weight_base=, seed=)``: the frames
    through the exported shell, with pauses on every AXI channel → :class:`ShellResult`."""
    return _run_shell


@pytest.fixture
def make_case():
    """``make_case(config, rng, inputs, shapes, density, frames)`` → :class:`Case`."""
    return _make_case
