"""Rounding, saturation and the element-wise steps against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest

from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.formats import FixedFormat
from ese_lstm.sim.golden.arithmetic import FloatArithmetic, IntegerArithmetic, round_shift, saturate

CONFIG = EngineConfig(lanes=1, channels=1)


@pytest.mark.parametrize("shift", [0, 1, 2, 7, 15, 31, 47, 63])
def test_round_shift_is_half_up(shift: int) -> None:
    half = 1 << max(shift - 1, 0)
    values = [0, 1, -1, half, -half, half - 1, half + 1, -half - 1, 1 - half, 3 * half, -3 * half,
              5, -5, (1 << 50) - 1, -(1 << 50)]
    values = [value for value in values if abs(value) < 1 << 62]
    got = round_shift(np.array(values, dtype=np.int64), shift)
    want = [math.floor(Fraction(value, 1 << shift) + Fraction(1, 2)) if shift else value
            for value in values]
    assert got.tolist() == want


def test_ties_go_up() -> None:
    assert round_shift(np.array([-3, -1, 1, 3]), 1).tolist() == [-1, 0, 1, 2]


@pytest.mark.parametrize("bits", [2, 16, 24, 48])
def test_saturate_limits_and_counts(bits: int) -> None:
    fmt = FixedFormat(bits, 0)
    low, high = fmt.minimum, fmt.maximum
    values = np.array([low, low - 1, high, high + 1, 0, -1, low * 2, high * 2], dtype=np.int64)
    limited, count = saturate(values, fmt)
    assert limited.tolist() == [low, low, high, high, 0, -1, low, high]
    assert count == 4


def exact(value: Fraction, fmt: FixedFormat) -> tuple[int, bool]:
    rounded = math.floor(value * Fraction(2) ** fmt.frac + Fraction(1, 2))
    limited = min(max(rounded, fmt.minimum), fmt.maximum)
    return limited, limited != rounded


CELL_FORMATS = [(16, 24, 16), (16, 24, 12), (8, 27, 23), (18, 27, 14), (12, 12, 8), (16, 27, 15)]


@pytest.mark.parametrize("act_bits, cell_bits, cell_frac", CELL_FORMATS)
def test_cell_state_and_hidden_are_the_rounded_exact_values(
        act_bits: int, cell_bits: int, cell_frac: int) -> None:
    config = CONFIG.replace(act_bits=act_bits, cell_bits=cell_bits, cell_frac=cell_frac,
                            weight_bits=8)
    arithmetic = IntegerArithmetic(config)
    gate, cell = FixedFormat(act_bits, act_bits - 1), FixedFormat(cell_bits, cell_frac)
    pre = FixedFormat(act_bits, act_bits - 4)
    rng = np.random.default_rng(1)
    edges = [gate.minimum, gate.maximum, 0, 1, -1]
    f, i, g, o = (np.concatenate([np.array(np.meshgrid(edges, edges, edges)).reshape(3, -1)[k % 3],
                                  rng.integers(gate.minimum, gate.maximum + 1, 500)])
                  for k in range(4))
    c = np.concatenate([np.tile([cell.minimum, cell.maximum, 0, 1, -1], 25),
                        rng.integers(cell.minimum, cell.maximum + 1, 500)])
    new, saturated = arithmetic.cell(f, c, i, g)
    level, clipped = arithmetic.tanh_input(c)
    hidden, none = arithmetic.hidden(o, g)
    counts = [0, 0, 0]
    for k in range(len(c)):
        fk, ik, gk, ok = (Fraction(int(v[k]), 1 << gate.frac) for v in (f, i, g, o))
        ck = Fraction(int(c[k]), 1 << cell.frac)
        for which, (value, fmt, got) in enumerate((
                (fk * ck + ik * gk, cell, new), (ck, pre, level), (ok * gk, gate, hidden))):
            want, outside = exact(value, fmt)
            assert got[k] == want, (which, k)
            counts[which] += outside
    assert counts == [saturated, clipped, none]
    assert len(c) == 625 and saturated > 0
    assert none == np.count_nonzero((o == gate.minimum) & (g == gate.minimum))


@pytest.mark.parametrize("shift", [0, 1, 12, 40])
def test_gate_input_and_linear(shift: int) -> None:
    arithmetic = IntegerArithmetic(CONFIG)
    top = 32767 << shift
    half = (1 << shift) >> 1
    totals = np.array([0, top, top + half, top + half - 1, -(32768 << shift),
                       -(32768 << shift) - half, -(32768 << shift) - half - 1, 1, -1])
    fmt = FixedFormat(16, 0)
    want = [exact(Fraction(int(total), 1 << shift), fmt) for total in totals]
    for method in (arithmetic.gate_input, arithmetic.linear):
        got, count = method(totals, shift)
        assert got.tolist() == [value for value, _ in want]
        assert count == sum(outside for _, outside in want) > 0


def test_accumulator_range() -> None:
    arithmetic = IntegerArithmetic(CONFIG)
    limit = 1 << 31
    assert arithmetic.check_accumulators(np.array([[limit - 1, -limit]])) is None
    assert arithmetic.check_accumulators(np.array([[0, 0], [0, limit]])) == (1, 1)
    assert arithmetic.check_accumulators(np.array([[-limit - 1]])) == (0, 0)


@pytest.mark.parametrize("frame, message", [
    (np.array([[0.5]]), "frame: must hold integers of 16 bits, got float64"),
    (np.array([[32768]]), "frame: must hold integers of 16 bits, got 32768"),
    (np.array([[-32769]]), "frame: must hold integers of 16 bits, got -32769"),
])
def test_bad_frames(frame: np.ndarray, message: str) -> None:
    with pytest.raises(EseError, match=f"^{message}$"):
        IntegerArithmetic(CONFIG).check_input(frame)


def test_float_steps() -> None:
    arithmetic = FloatArithmetic()
    x = np.linspace(-800, 800, 33)
    with np.errstate(over="raise"):
        sigmoid = arithmetic.sigmoid(x)
    assert sigmoid[0] == 0 and sigmoid[16] == 0.5 and sigmoid[-1] == 1
    assert arithmetic.gate_input(x, 5)[0] is x and arithmetic.linear(x, 5)[0] is x
    with pytest.raises(EseError, match="^frame: must hold finite numbers"):
        arithmetic.check_input(np.array([np.nan]))
