"""Collector: the selected lane's row, two cycles later, for any number of lanes."""

import random

import pytest
from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.collector import Collector

TINY = PRESETS["tiny"]


@pytest.mark.parametrize("lanes", [1, 2, 8, 9, 64, 65])
@pytest.mark.parametrize("channels", [1, 3])
def test_selected_row_of_every_lane(clocked, seed, lanes, channels):
    rng = random.Random(seed)
    dut = Collector(config=TINY.replace(lanes=lanes, channels=channels))
    zero, top = [0] * channels, 1 << (TINY.acc_bits - 1)
    selected = [*range(lanes), *(rng.choice([None, rng.randrange(lanes)]) for _ in range(60))]
    inputs, rows = [], []
    for lane in selected:
        row = [rng.choice([-top, top - 1, -1, rng.randrange(-top, top)]) for _ in zero]
        rows.append(zero if lane is None else row)
        inputs.append({f"lane_{k}": row if k == lane else zero for k in range(lanes)})
    assert dut.latency == 2
    seen = clocked(dut, inputs + inputs[:1] * dut.latency, ["row"])
    assert [list(row) for (row,) in seen[dut.latency:]] == rows
    assert sum(any(row) for row in rows) >= lanes
