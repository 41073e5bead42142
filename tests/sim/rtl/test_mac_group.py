"""Exported Verilog of a group of channels in Verilator against a plain model of its pipeline."""

import numpy as np
import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.spmv.mac import MacGroup
from ese_lstm.sim.rtl.lockstep import verilog_trace
from ese_lstm.sim.rtl.words import pack_words, unpack_words

CONFIG = PRESETS["tiny"].replace(queue_depth=3, acc_rows=12, channels=4)
CYCLES = 2000


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("idle", [0.0, 0.5])
def test_accumulates_and_drains(channels: int, idle: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    act, acc, rows = CONFIG.act_bits, CONFIG.acc_bits, CONFIG.acc_rows
    queue = np.zeros((CONFIG.queue_depth, channels), np.int64)
    banks = np.zeros((2, rows, channels), np.int64)
    names = ("push", "push_slot", "column", "pop_slot", "weight", "row", "write", "bank", "fresh",
             "read_row_0", "read_row_1", "drain_select")
    stimulus: dict[str, list[int]] = {name: [] for name in names}
    products = [np.zeros(channels, np.int64)] * 2   # of the entries fired in the last two cycles
    drains = [np.zeros((2, channels), np.int64)]    # of each bank, a cycle later
    for _ in range(CYCLES):
        column = rng.choice([-1 << act - 1, (1 << act - 1) - 1, rng.integers(-9, 9)], channels)
        values = {"push": rng.random() >= idle, "push_slot": rng.integers(CONFIG.queue_depth),
                  "column": pack_words(column[None], act)[0],
                  "pop_slot": rng.integers(CONFIG.queue_depth),
                  "weight": rng.integers(-1 << CONFIG.weight_bits - 1,
                                         1 << CONFIG.weight_bits - 1),
                  "row": rng.integers(rows), "bank": rng.integers(2), "fresh": rng.integers(2)}
        bank, row = int(values["bank"]), int(values["row"])
        write = rng.random() >= idle
        drained = int(rng.integers(rows))
        select = rng.random(2) >= idle
        values |= {"write": write << bank, f"read_row_{bank}": row,
                   f"read_row_{1 - bank}": drained, "drain_select": select @ [1, 2]}
        drains.append(select[:, None] * banks[[0, 1], [values["read_row_0"],
                                                       values["read_row_1"]]])
        if write:
            total = products[0] + (0 if values["fresh"] else banks[bank, row])
            banks[bank, row] = (total + (1 << acc - 1)) % (1 << acc) - (1 << acc - 1)
        products = [products[1], queue[values["pop_slot"]] * int(values["weight"])]
        if values["push"]:
            queue[values["push_slot"]] = column
        for name in names:
            stimulus[name].append(int(values[name]))
    trace = verilog_trace(MacGroup(config=CONFIG, channels=channels), "ese_macs", stimulus)
    for bank in range(2):
        got = unpack_words(trace[f"drain_{bank}"], channels, acc)
        expected = np.array(drains[:-1])[:, bank]
        assert np.count_nonzero(expected) > CYCLES * channels // 4
        np.testing.assert_array_equal(got, expected)
