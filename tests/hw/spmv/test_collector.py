"""Collector: the selected lane's row, two cycles later, for any number of lanes."""

import random

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.spmv.collector import Collector

TINY = PRESETS["tiny"]


@pytest.mark.parametrize("lanes", [1, 3, 4, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_selected_row_of_every_lane_and_bank(clocked, seed, lanes, channels):
    rng = random.Random(seed)
    dut = Collector(config=TINY.replace(lanes=lanes), channels=channels)
    zero, top = [0] * channels, 1 << (TINY.acc_bits - 1)
    banks = [(lane, bank) for lane in range(lanes) for bank in range(2)]
    selected = [*banks, *(rng.choice([None, rng.choice(banks)]) for _ in range(60))]
    inputs, rows = [], []
    for source in selected:
        row = [rng.choice([-top, top - 1, -1, rng.randrange(-top, top)]) for _ in zero]
        rows.append(zero if source is None else row)
        inputs.append({f"lane_{lane}_bank_{bank}": row if (lane, bank) == source else zero
                       for lane, bank in banks})
    assert dut.latency == 2
    seen = clocked(dut, inputs + inputs[:1] * dut.latency, ["row"])
    assert [list(row) for (row,) in seen[dut.latency:]] == rows
    assert sum(any(row) for row in rows) >= len(banks)
