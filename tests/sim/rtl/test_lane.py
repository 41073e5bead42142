"""Exported Verilog of a lane in Verilator against sums of products, at every rhythm."""

from pathlib import Path

import numpy as np
import pytest

from ese_lstm.contract.config import PRESETS, EngineConfig
from ese_lstm.contract.layout import entry_layout
from ese_lstm.hw.spmv.lane import Lane
from ese_lstm.hw.verilog.emit import emit
from ese_lstm.sim.rtl.verilator import build, run
from ese_lstm.sim.rtl.words import from_bytes, pack_words, to_bytes, unpack_words

TINY = PRESETS["tiny"]
CONFIGS = {
    "tiny": TINY,
    "relative4, one channel": TINY.replace(index_mode="relative4", channels=1, queue_depth=1,
                                           acc_rows=48, stream_depth=4096),
}
TILES, ROUNDS = 5, 2


def encode(config: EngineConfig, weights: np.ndarray) -> list[int]:
    """Entries of one column of a lane; weights (rows,), 0 where there is none."""
    layout, words, before = entry_layout(config), [], -1
    for row in np.flatnonzero(weights):
        if config.index_mode == "relative4":
            while row - before > 16:
                words.append({"weight": 0, "index": 15, "last": 0})
                before += 16
        index = row - before - 1 if config.index_mode == "relative4" else row
        words.append({"weight": weights[row], "index": index, "last": 0})
        before = row
    words = words or [{"weight": 0, "index": 0, "last": 0}]
    words[-1]["last"] = 1
    return [layout.pack(word) for word in words]


@pytest.mark.parametrize("push_pause, drain_pause", [
    ("none", "none"), ("half", "none"), ("none", "often"), ("bursts", "bursts")])
@pytest.mark.parametrize("name", CONFIGS)
def test_rows_are_sums_of_products(name: str, push_pause: str, drain_pause: str,
                                   seed: int) -> None:
    config = CONFIGS[name]
    rng = np.random.default_rng(seed)
    top_weight, top = 1 << (config.weight_bits - 1), 1 << (config.act_bits - 1)
    lengths = rng.integers(1, 12, TILES)
    columns = int(lengths.sum())
    weights = rng.integers(-top_weight, top_weight, (columns, config.acc_rows))
    weights[rng.random(weights.shape) < 0.02] = -top_weight
    weights[rng.random(weights.shape) >= rng.choice([0.05, 0.3, 1.0], (columns, 1))] = 0
    entries = [word for column in weights for word in encode(config, column)]
    values = rng.integers(-top, top, (ROUNDS * columns, config.channels))
    values[rng.random(values.shape) < 0.1] = -top
    tile_last = np.zeros(ROUNDS * columns, bool)
    ends = np.cumsum(np.tile(lengths, ROUNDS))
    tile_last[ends - 1] = True

    assert len(entries) <= config.stream_depth
    simulator = build(emit(Lane(config=config), "ese_lane", config), "ese_lane")
    result = run(simulator, "bench_lane", {
        "seed": seed, "rows": config.acc_rows, "entries": entries, "tile_last": tile_last,
        "columns": to_bytes(pack_words(values, config.act_bits),
                            config.act_bits * config.channels),
        "push_pause": push_pause, "drain_pause": drain_pause},
        search=Path(__file__).parent, seed=seed)

    expected = np.stack([
        np.tile(weights, (ROUNDS, 1))[begin:end].T @ values[begin:end]
        for begin, end in zip([0, *ends[:-1]], ends, strict=True)])
    wrap = 1 << config.acc_bits
    expected = (expected + wrap // 2) % wrap - wrap // 2
    drained = unpack_words(from_bytes(result["drained"]), config.channels, config.acc_bits)
    assert drained.size == ROUNDS * TILES * config.acc_rows * config.channels > 0
    np.testing.assert_array_equal(drained.reshape(expected.shape), expected)
    assert int(result["fired_product"]) == ROUNDS * np.count_nonzero(weights)
    assert int(result["fired_product"] + result["fired_null"]) == ROUNDS * len(entries)
    assert int(result["full_cycles"]) > 0 or push_pause != "none"
