"""Engine and weight fetch as exported Verilog on a modelled memory: bit-exact at any latency,
cycles as the cycle model says."""

import numpy as np
import pytest

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.memory import MemoryTiming
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.sim.compare import compare
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel
from ese_lstm.sim.golden.streaming import simulate_streamed
from ese_lstm.sim.rtl import run_image
from ese_lstm.sim.rtl.runner import run_memories

SHELL = SHELL_PRESETS["tiny"]
CONFIG = PRESETS["tiny"].replace(fetch_depth=12, stream_depth=400, segment_depth=64)
SHAPES = [LayerShape(9, projection=4, peepholes=True), LayerShape(40, projection=20)]
MEMORIES = [MemoryTiming(64, 1), MemoryTiming(64, 40), MemoryTiming(20, 40),
            MemoryTiming(50, 30, 100, 17), MemoryTiming(64, 300), MemoryTiming(7, 5, 50, 10)]
FRAMES = 4


def make_image(resident: str, seed: int):
    network = random_network(np.random.default_rng(seed), 5, SHAPES, 0.5)
    config = CONFIG if resident == "auto" else CONFIG.replace(stream_depth=4096)
    return compress_network(network, config, options=CompressOptions(resident=resident))[0]


def golden(image, *run):
    return list(GoldenModel(decode_image(image)).steps(*run))


def test_equal_on_every_memory_and_cycles_as_modelled(seed) -> None:
    """One load, a run on each memory: every value, and every frame's cycles and stalls."""
    image = make_image("auto", seed)
    assert image.rows > 0 and len(image.sections["entries"]) > 0
    rng = np.random.default_rng(seed)
    frames = rng.integers(-3000, 3000, (FRAMES, 5, CONFIG.channels))
    expected = golden(image, frames)
    decoded = decode_image(image)
    results = run_memories(image, frames, MEMORIES, SHELL)
    assert len(results) == len(MEMORIES)
    for memory, result in zip(MEMORIES, results, strict=True):
        comparison = compare(result.frames, expected)
        assert comparison.equal, (memory, comparison.first)
        counters = [frame.counters for frame in result.frames]
        model = simulate_streamed(decoded, SHELL, memory, FRAMES,
                                  lead=counters[0]["stall_input"])
        measured = np.diff([counter["cycles"] for counter in counters]).tolist()
        visible = [frame.last_visible for frame in model.frames]
        assert measured == np.diff(visible).tolist(), memory
        for name in ("bank", "dependency", "queue"):
            assert counters[-1][f"stall_{name}"] == sum(
                getattr(frame.stalls, name) for frame in model.frames), (memory, name)
        assert counters[-1]["products"] == FRAMES * image.manifest.entries
    slowest = [result.frames[-1].counters["cycles"] for result in results]
    assert slowest[5] == max(slowest) > 2 * min(slowest)


@pytest.mark.parametrize("pause", ["rare", "half", "bursts"])
def test_equal_when_the_memory_pauses_at_random(pause, seed) -> None:
    image = make_image("none", seed)
    rng = np.random.default_rng(seed)
    frames = rng.integers(-3000, 3000, (3, 5, CONFIG.channels))
    active, start = rng.random((3, CONFIG.channels)) < 0.8, rng.random((3, CONFIG.channels)) < 0.3
    result = run_image(image, frames, active, start, input_pause="half", output_pause="bursts",
                       load_pause="rare", memory_pause=pause, seed=seed, shell=SHELL,
                       memory=MemoryTiming(int(rng.integers(10, 64)), int(rng.integers(1, 90))))
    comparison = compare(result.frames, golden(image, frames, active, start))
    assert comparison.equal, comparison.first


def test_memories_need_rows(seed) -> None:
    image = make_image("auto", seed)
    with pytest.raises(EseError, match="memories: must be at least one"):
        run_memories(image, np.zeros((1, 5, 2), np.int64), [], SHELL)
