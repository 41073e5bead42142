"""One API on three backends: the golden model, its Verilog, the files of a simulated device."""

from collections.abc import Iterator
from contextlib import contextmanager
from pkgutil import iter_modules

import numpy as np
import pytest

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS, EngineConfig
from ese_lstm.contract.image import Image
from ese_lstm.runtime import Engine, backends
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel
from ese_lstm.sim.rtl.device import SimulatedDevice

TINY = PRESETS["tiny"]
BACKENDS = tuple(module.name for module in iter_modules(backends.__path__))
INPUTS, OUTPUTS = 5, 4


def _make_image(seed: int, config: EngineConfig = TINY, resident: str = "auto") -> Image:
    rng = np.random.default_rng(seed)
    network = random_network(rng, INPUTS, [LayerShape(6, bias=False),
                                           LayerShape(7, projection=OUTPUTS, peepholes=True)], 0.6)
    image, _report = compress_network(network, config, 1.0, [random_frames(rng, 20, INPUTS)],
                                      CompressOptions(resident=resident))
    return image


def _alone(image: Image, frames: np.ndarray) -> np.ndarray:
    """Outputs of one utterance of integers, (T, outputs), straight from the golden model."""
    model = GoldenModel(decode_image(image), channels=1)
    return model.run(frames[:, :, None]).outputs[:, :, 0]


def _utterances(seed: int, lengths: list[int], config: EngineConfig = TINY) -> list[np.ndarray]:
    """Integers over the whole range of the input format, extremes among them."""
    rng = np.random.default_rng(seed)
    limit = 1 << (config.act_bits - 1)
    made = []
    for length in lengths:
        frames = rng.integers(-limit, limit, (length, INPUTS)) >> rng.integers(6)
        frames[rng.random(frames.shape) < 0.02] = -limit
        made.append(frames)
    return made


@pytest.fixture(scope="session")
def make_image():
    """``make_image(seed, config, resident)``: a small random stack of LSTM and LSTMP."""
    return _make_image


@pytest.fixture(scope="session")
def alone():
    """``alone(image, integers)``: what the golden model says of one utterance."""
    return _alone


@pytest.fixture(scope="session")
def make_utterances():
    """``make_utterances(seed, lengths)``: random integers, (T, inputs) each."""
    return _utterances


@pytest.fixture
def image(seed) -> Image:
    return _make_image(seed)


@pytest.fixture(scope="module")
def device() -> Iterator[SimulatedDevice]:
    """One for all tests of a module."""
    with SimulatedDevice(TINY) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def rtl() -> Iterator[Engine]:
    with Engine.open("rtl", config=TINY, timeout_s=60) as engine:
        yield engine


@pytest.fixture(params=BACKENDS)
def opened(request):
    """``with opened(image) as engine``: each backend, with the image loaded."""
    @contextmanager
    def opening(image: Image) -> Iterator[Engine]:
        if request.param == "rtl":
            engine = request.getfixturevalue("rtl")
            engine.load(image)
            yield engine
            return
        name = request.param
        if name == "xdma":
            name = f"xdma:{request.getfixturevalue('device').path}"
        with Engine.open(name, timeout_s=60) as engine:
            engine.load(image)
            yield engine
    return opening
