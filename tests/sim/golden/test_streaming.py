"""Cycle model of streamed weights: its limits. Against the Verilog: tests/sim/rtl/test_streamed."""

from dataclasses import replace

import numpy as np
import pytest

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.memory import MemoryTiming
from ese_lstm.contract.shell import SHELL_PRESETS, ShellConfig
from ese_lstm.sim.golden.cycles import simulate_model
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.streaming import simulate_streamed

CONFIG = PRESETS["tiny"].replace(fetch_depth=64, stream_depth=4096, segment_depth=64)
SHELL = SHELL_PRESETS["tiny"]


def decoded(resident: str, seed: int, **changes: int):
    network = random_network(np.random.default_rng(seed), 6, [LayerShape(16, 8), LayerShape(12)],
                             0.6)
    image, _ = compress_network(network, CONFIG.replace(**changes),
                                options=CompressOptions(resident=resident))
    return decode_image(image)


def test_a_fast_memory_is_as_good_as_resident_weights(seed) -> None:
    resident = simulate_model(decoded("all", seed), frames=4)
    streamed = simulate_streamed(decoded("none", seed),
                                 ShellConfig(memory_bits=256, burst_beats=64),
                                 MemoryTiming(256, 1), 4)
    assert streamed.weights == resident.weights > 0
    fastest = resident.cycles_per_frame
    assert fastest <= streamed.cycles_per_frame <= 1.05 * fastest


def test_a_slow_memory_is_the_limit(seed) -> None:
    model = simulate_streamed(decoded("none", seed), SHELL, MemoryTiming(16, 20), 4)
    bound = model.memory_bits / 16
    assert bound <= model.cycles_per_frame <= 1.1 * bound
    assert model.starved_rows > 0.4 * model.lanes * model.cycles_per_frame


def test_resident_columns_relieve_the_memory(seed) -> None:
    everything = decoded("none", seed)
    longest = max(int(part.sum(axis=1).max()) for part in everything.counts) * 2
    part = decoded("auto", seed, stream_depth=longest)
    assert part.rows is not None and len(part.rows) < len(everything.rows)
    slow = MemoryTiming(32, 20)
    assert (simulate_streamed(part, SHELL, slow, 3).cycles_per_frame
            < simulate_streamed(everything, SHELL, slow, 3).cycles_per_frame)


def test_lanes_that_block_each_other_are_told(seed) -> None:
    model = decoded("none", seed, fetch_depth=8)
    one = np.flatnonzero(model.rows[:, 0])
    other = np.flatnonzero(model.rows[:, 1])
    rows = np.zeros((len(one) + len(other), 2), bool)
    rows[:len(one), 0] = rows[len(one):, 1] = True
    with pytest.raises(EseError, match="image.rows: lanes must not wait for each other for ever"):
        simulate_streamed(replace(model, rows=rows), SHELL, MemoryTiming(64, 1), 2)


def test_bad_arguments_are_refused(seed) -> None:
    with pytest.raises(EseError, match="frames: must be at least 2, got 1"):
        simulate_streamed(decoded("none", seed), SHELL, MemoryTiming(64), 1)
    with pytest.raises(EseError, match="image: must have streamed weights for this model"):
        simulate_streamed(decoded("all", seed), SHELL, MemoryTiming(64), 2)
