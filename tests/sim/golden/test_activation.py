"""σ and tanh over every input code."""

import math

import numpy as np
import pytest

from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.tables import activation_table
from ese_lstm.sim.golden.activation import ActivationTables

WIDTHS = list(range(8, 19))


def every_code(act_bits: int) -> tuple[ActivationTables, np.ndarray]:
    config = EngineConfig(lanes=1, channels=1, act_bits=act_bits, weight_bits=8)
    return ActivationTables.of(config), np.arange(-(1 << (act_bits - 1)), 1 << (act_bits - 1))


def bound(act_bits: int) -> float:
    """2**−11, or one step of the output where that is coarser."""
    return max(2.0**-11, 2.0 ** (1 - act_bits))


@pytest.mark.parametrize("act_bits", WIDTHS)
def test_worst_error_over_every_code(act_bits: int) -> None:
    tables, x = every_code(act_bits)
    assert len(x) == 1 << act_bits
    real = x * 2.0 ** (4 - act_bits)
    one = 1 << (act_bits - 1)
    sigmoid = np.abs(tables.sigmoid(x) / one - 1 / (1 + np.exp(-real))).max()
    tanh = np.abs(tables.tanh(x) / one - np.tanh(real)).max()
    print(f"{act_bits} bits: worst error σ {sigmoid:.3e}, tanh {tanh:.3e}")
    assert sigmoid <= bound(act_bits)
    assert tanh <= bound(act_bits)


@pytest.mark.parametrize("act_bits", WIDTHS)
def test_monotone_symmetric_and_in_range(act_bits: int) -> None:
    tables, x = every_code(act_bits)
    one = 1 << (act_bits - 1)
    sigmoid, tanh = tables.sigmoid(x), tables.tanh(x)
    assert (np.diff(sigmoid) >= 0).all() and (np.diff(tanh) >= 0).all()
    assert sigmoid.min() >= 1 and sigmoid.max() <= one - 1
    assert tanh.min() >= 1 - one and tanh.max() <= one - 1
    positive = x[x > 0]
    np.testing.assert_array_equal(tables.sigmoid(-positive), one - tables.sigmoid(positive))
    np.testing.assert_array_equal(tables.tanh(-positive), -tables.tanh(positive))
    assert tables.sigmoid(np.array([0]))[0] == one // 2
    assert tables.tanh(np.array([0]))[0] == 0


@pytest.mark.parametrize("act_bits", [8, 9, 16])
def test_formula_of_the_contract_code_by_code(act_bits: int) -> None:
    config = EngineConfig(lanes=1, channels=1, act_bits=act_bits, weight_bits=8)
    table = activation_table(config)
    tables, x = every_code(act_bits)
    got = [tables.sigmoid(x).tolist(), tables.tanh(x).tolist()]
    one = 1 << (act_bits - 1)
    compared = 0
    for position, code in enumerate(x.tolist()):
        magnitude = min(abs(code), one - 1)
        index, rest = divmod(magnitude, 1 << table.rest_bits)
        for function in range(2):
            v = table.base[function][index] + math.floor(
                table.slope[function][index] * rest / 2**table.rest_bits
                + (0.5 if table.rest_bits else 0))
            if code < 0:
                v = -v if function else one - v
            assert got[function][position] == v, (function, code)
            compared += 1
    assert compared == 2 << act_bits


def test_most_negative_code_is_the_last_magnitude() -> None:
    tables, x = every_code(16)
    assert tables.tanh(x[:1])[0] == tables.tanh(x[1:2])[0] == -tables.tanh(x[-1:])[0]


def test_one_changed_table_word_is_seen() -> None:
    tables, x = every_code(16)
    before = tables.tanh(x)
    tables.base[1][5] += 1
    assert np.count_nonzero(tables.tanh(x) != before) == 2 << tables.rest_bits
