"""Exported Verilog of the element-wise unit in Verilator against the golden model's arithmetic."""

import random
from collections import deque

import numpy as np
import pytest

from ese_lstm.contract import timing
from ese_lstm.contract.cells import LINEAR, LSTM
from ese_lstm.contract.config import PRESETS, SHIFT_BITS, EngineConfig
from ese_lstm.hw.elementwise.channel import ElementwiseChannel
from ese_lstm.sim.golden.arithmetic import IntegerArithmetic
from ese_lstm.sim.rtl.bench import PATTERNS
from ese_lstm.sim.rtl.lockstep import verilog_trace

CONFIGS = {
    "default": PRESETS["tiny"],
    "narrow": PRESETS["tiny"].replace(weight_bits=8, act_bits=8, acc_bits=20, cell_bits=14,
                                      cell_frac=9),
}
CELLS, LINEAR_ROWS = 150, 100
INPUTS = ("valid", "kind", "gate", "shift", "acc", "bias", "peephole", "cell_in", "active")


def number(rng: random.Random, bits: int) -> int:
    """A signed number: often an extreme, small, or of a random magnitude."""
    top = 1 << (bits - 1)
    return rng.choice([-top, top - 1, 0, -1, rng.randrange(-top, top),
                       rng.randrange(-top, top) >> rng.randrange(bits)])


class Cell:
    """One cell's four samples and what golden makes of them."""

    def __init__(self, config: EngineConfig, rng: random.Random) -> None:
        golden = IntegerArithmetic(config)
        self.shift = rng.randrange(config.acc_bits - config.act_bits + 6)
        self.active = int(rng.random() < 0.8)
        self.before = number(rng, config.cell_bits)
        self.acc = [number(rng, config.acc_bits) for _ in range(LSTM.size)]
        self.bias = [number(rng, config.acc_bits) for _ in range(LSTM.size)]
        self.peephole = [number(rng, config.peephole_bits) for _ in range(LSTM.size)]
        self.peephole[2] = 0

        def gate(k: int, cell: int) -> np.ndarray:
            total = self.acc[k] + self.bias[k] + self.peephole[k] * cell
            pre, _ = golden.gate_input(np.array([total]), self.shift)
            return golden.tanh(pre) if k == 2 else golden.sigmoid(pre)

        i, f, g = (gate(k, self.before) for k in range(3))
        after, _ = golden.cell(f, np.array([self.before]), i, g)
        self.after = int(after[0])
        m, _ = golden.hidden(gate(3, self.after), golden.tanh(golden.tanh_input(after)[0]))
        self.m = int(m[0])

    def sample(self, k: int) -> dict[str, int]:
        return {"valid": 1, "kind": LSTM.kind, "gate": k, "shift": self.shift, "acc": self.acc[k],
                "bias": self.bias[k], "peephole": self.peephole[k], "active": self.active,
                "cell_in": self.after if k == 3 else self.before}


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


@pytest.mark.parametrize("pause", ["none", "half", "bursts"])
@pytest.mark.parametrize("name", CONFIGS)
def test_cells_and_linear_rows(name: str, pause: str, seed: int) -> None:
    config, rng = CONFIGS[name], random.Random(seed)
    golden = IntegerArithmetic(config)
    cells = deque(Cell(config, rng) for _ in range(CELLS))
    linear_left = LINEAR_ROWS
    paused = PATTERNS[pause](rng)
    under_way: Cell | None = None
    gate, waiting = 0, deque()
    trace: dict[str, list[int]] = {key: [] for key in INPUTS}
    expected: dict[str, dict[int, int]] = {"cell_out": {}, "result": {}}
    cycle = last = 0
    while cells or under_way or waiting or linear_left or cycle <= last + timing.CELL:
        sample = {key: rng.getrandbits(1) for key in ("kind", "gate", "active")}
        sample |= {"valid": 0, "shift": rng.getrandbits(SHIFT_BITS),
                   "acc": number(rng, config.acc_bits), "bias": number(rng, config.acc_bits),
                   "peephole": number(rng, config.peephole_bits),
                   "cell_in": number(rng, config.cell_bits)}
        work = bool(cells or under_way or waiting or linear_left) and not next(paused)
        ready = bool(waiting) and waiting[0][0] <= cycle
        if work and ready and (rng.random() < 0.5 or not (cells or under_way)):
            cell = waiting.popleft()[1]
            sample = cell.sample(3)
            expected["result"][cycle + timing.RESULT] = cell.m if cell.active else 0
        elif work and linear_left and rng.random() < 0.2:
            linear_left -= 1
            sample |= {"valid": 1, "kind": LINEAR.kind, "gate": rng.randrange(LSTM.size)}
            y, _ = golden.linear(np.array([sample["acc"] + sample["bias"]]), sample["shift"])
            expected["result"][cycle + timing.RESULT] = int(y[0]) * sample["active"]
        elif work and (under_way or cells):
            under_way = under_way or cells.popleft()
            sample = under_way.sample(gate)
            if gate == 2:
                expected["cell_out"][cycle + timing.CELL] = under_way.after * under_way.active
                waiting.append((cycle + timing.CELL, under_way))
                under_way = None
            gate = (gate + 1) % 3
        last = cycle if sample["valid"] else last
        for key in INPUTS:
            trace[key].append(sample[key])
        cycle += 1

    got = verilog_trace(ElementwiseChannel(config=config), "ese_elementwise_channel", trace)
    compared = 0
    for output, bits, valid in (("cell_out", config.cell_bits, "cell_valid"),
                                ("result", config.act_bits, "result_valid")):
        seen = {at: signed(value, bits) for at, (flag, value) in
                enumerate(zip(got[valid], got[output], strict=True)) if flag}
        assert seen == expected[output]
        compared += len(seen)
    assert compared == 2 * CELLS + LINEAR_ROWS
