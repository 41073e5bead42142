"""The exported shell, driven through its AXI ports, against the golden model."""

import random
from pathlib import Path

import numpy as np
import pytest

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.packets import pack_frames, row_beats
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.sim.golden.cycles import simulate_model
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel
from ese_lstm.sim.rtl.bench import PATTERNS
from ese_lstm.sim.rtl.shell_runner import (
    image_job,
    run_at_full_speed,
    shell_simulator,
)
from ese_lstm.sim.rtl.verilator import run

TINY = PRESETS["tiny"]
SHELL = SHELL_PRESETS["tiny"]
FRAMES = 12
LAYERS = [LayerShape(6, 3), LayerShape(5, 0)]
# Rows of 32, 64 and 80 bits on streams of 64: less than a beat, one, and more than one.
CHANNELS = (2, 4, 5)


def outputs(case):
    return np.stack([frame.outputs for frame in case.golden()])


@pytest.mark.parametrize("pause", ["none", "half", "bursts"])
@pytest.mark.parametrize("channels", CHANNELS)
def test_outputs_and_counters(make_case, run_shell, seed, channels, pause):
    config = TINY.replace(channels=channels)
    case = make_case(config, np.random.default_rng(seed), 7, LAYERS, 0.4, FRAMES)
    result = run_shell(case.image, SHELL, case.frames, case.active, case.start, pause=pause,
                       seed=seed)
    expected = outputs(case)
    assert expected.size > 0 and np.array_equal(result.outputs, expected)
    counters, beats = result.counters, row_beats(config, SHELL)
    assert counters["frames"] == counters["frames_in"] == counters["frames_out"] == FRAMES
    assert counters["beats_in"] == FRAMES * (1 + case.frames.shape[1]) * beats
    assert counters["beats_out"] == FRAMES * expected.shape[1] * beats
    assert counters["frames_dropped"] == 0
    assert counters["products"] == FRAMES * case.image.manifest.entries
    assert counters["products"] + counters["nulls"] + counters["starved"] == \
        TINY.lanes * counters["cycles"]
    assert result.loaded_counters["beats_load"] == counters["beats_load"] > len(
        case.image.sections["entries"])
    assert result.loaded_counters["cycles"] == result.loaded_counters["frames"] == 0


def test_full_speed(make_case, seed):
    """Without pauses: the same outputs, and counters of the steady state, as a benchmark reads."""
    config = TINY.replace(channels=5)
    case = make_case(config, np.random.default_rng(seed), 7, LAYERS, 0.4, FRAMES)
    model = GoldenModel(decode_image(case.image))
    expected = np.stack([model.step(frame).outputs for frame in case.frames])
    result = run_at_full_speed(case.image, SHELL, case.frames)
    assert np.array_equal(result.outputs, expected) and expected.size > 0
    assert result.first["frames_out"] == 1 and result.steady_frames == FRAMES - 2
    share = result.count("products") / result.steady_frames / case.image.manifest.entries
    assert 0.8 < share < 1.2, "snapshots come in the middle of a frame, both at about its middle"
    bare = simulate_model(decode_image(case.image), FRAMES)
    assert 0.95 * bare.cycles_per_frame < result.cycles_per_frame < 2 * bare.cycles_per_frame


def streamed_case(seed):
    """An image of which all weights are streamed, frames, and what they give."""
    rng = np.random.default_rng(seed)
    config = TINY.replace(fetch_depth=16)
    network = random_network(rng, 7, LAYERS, 0.4)
    image, _ = compress_network(network, config, 1.0, [random_frames(rng, 20, 7)],
                                CompressOptions(resident="none"))
    frames = rng.integers(-1 << 13, 1 << 13, (FRAMES, 7, config.channels))
    model = GoldenModel(decode_image(image))
    return image, frames, np.stack([model.step(frame).outputs for frame in frames])


@pytest.mark.parametrize("pause", ["none", "half"])
def test_streamed_weights(run_shell, seed, pause):
    """Loaded through the shell into a memory behind m_axi, across a 4-KiB boundary, and read back
    from there every frame."""
    image, frames, expected = streamed_case(seed)
    result = run_shell(image, SHELL, frames, pause=pause, weight_base=0x1FC0, seed=seed)
    assert np.array_equal(result.outputs, expected) and expected.size > 0
    counters, size = result.counters, SHELL.memory_bytes
    assert image.rows > 8 and len(image.memory) > 0x40
    assert counters["beats_write"] == -(-len(image.memory) // size)
    assert counters["weight_rows"] >= FRAMES * image.rows
    assert counters["beats_read"] * size >= FRAMES * len(image.memory)
    assert counters["products"] == FRAMES * image.manifest.entries


@pytest.mark.parametrize("scenario", [
    "restarts_without_loading", "bad_input_packets", "bad_load_packets", "bad_accesses",
    "soft_reset_in_mid_input", "soft_reset_in_mid_output", "soft_reset_in_mid_load",
    "reset_in_mid_transfer", "run_lowered_with_frames_in_flight",
    "a_start_waits_for_a_load_packet"])
def test_host(make_case, seed, scenario):
    """Scenarios of ``bench_shell``, each with a random pattern of pauses on every channel."""
    config = TINY.replace(channels=5)
    case = make_case(config, np.random.default_rng(seed), 7, LAYERS, 0.4, FRAMES)
    play(scenario, seed, image_job(case.image, SHELL, case.frames, case.active, case.start),
         outputs(case), config)


@pytest.mark.parametrize("scenario", [
    "restarts_without_loading", "soft_reset_in_mid_input", "soft_reset_in_mid_load",
    "reset_in_mid_transfer", "run_lowered_with_frames_in_flight"])
def test_host_with_streamed_weights(seed, scenario):
    """The same while bursts are under way on the memory port."""
    image, frames, expected = streamed_case(seed)
    play(scenario, seed, image_job(image, SHELL, frames, weight_base=0x1FC0), expected,
         image.config)


@pytest.mark.parametrize("scenario", [
    "a_reset_while_reads_are_outstanding", "a_reset_in_a_burst_of_writes",
    "resets_again_and_again", "the_memory_falls_silent", "the_memory_never_comes_back",
    "the_engine_hangs", "the_host_is_slow"])
def test_the_memory_goes_on_through_a_reset_and_the_shell_without_a_memory(seed, scenario):
    """Scenarios of ``bench_guard``: each hung the shell for good or spoilt its weights."""
    image, frames, expected = streamed_case(seed)
    play(scenario, seed, image_job(image, SHELL, frames, weight_base=0x1FC0), expected,
         image.config, "bench_guard")


def test_a_slow_host_does_not_wake_the_watchdog(make_case, seed):
    case = make_case(TINY, np.random.default_rng(seed), 7, LAYERS, 0.4, FRAMES)
    play("the_host_is_slow", seed, image_job(case.image, SHELL, case.frames, case.active,
                                             case.start), outputs(case), TINY, "bench_guard")


def play(scenario, seed, job, expected, config, bench="bench_shell"):
    pause = random.Random(seed).choice([name for name in PATTERNS if name != "often"])
    row_bytes = row_beats(config, SHELL) * SHELL.stream_bytes
    masks = np.zeros((len(expected), config.channels), bool)
    packets = pack_frames(expected, masks, masks, config, SHELL)[:, row_bytes:]  # without flags
    result = run(shell_simulator(config, SHELL), bench, {
        **job, "outputs": packets, "scenario": scenario, "pause": pause, "seed": seed,
        "lanes": config.lanes, "row_bytes": row_bytes},
        search=Path(__file__).parent, seed=seed)
    assert result["compared"] >= expected.size > 0
