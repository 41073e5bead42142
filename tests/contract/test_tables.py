"""σ and tanh tables: worst error over every input code, symmetry, widths."""

import numpy as np
import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.tables import FUNCTIONS, activation_table

EXACT = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh}


def evaluate(table, function):
    """The docstring's formula for every code; codes and values as integers."""
    codes = np.arange(-(1 << table.act_bits - 1), 1 << table.act_bits - 1)
    magnitude = np.minimum(np.abs(codes), (1 << table.act_bits - 1) - 1)
    index, rest = magnitude >> table.rest_bits, magnitude & (1 << table.rest_bits) - 1
    half = 1 << table.rest_bits >> 1
    base, slope = np.array(table.base[function]), np.array(table.slope[function])
    values = base[index] + (slope[index] * rest + half >> table.rest_bits)
    one = 1 << table.act_bits - 1
    return codes, np.where(codes >= 0, values, (one if function == 0 else 0) - values)


@pytest.mark.parametrize("function", [0, 1])
@pytest.mark.parametrize("act_bits, bound", [(8, 2.0 ** -7), (12, 2.0 ** -10), (16, 2.0 ** -11),
                                             (18, 2.0 ** -11)])
def test_worst_error_over_every_code(function, act_bits, bound):
    config = PRESETS["tiny"].replace(act_bits=act_bits)
    codes, values = evaluate(activation_table(config), function)
    exact = EXACT[FUNCTIONS[function]](codes * 2.0 ** (4 - act_bits))
    assert len(codes) == 1 << act_bits
    assert np.abs(values * 2.0 ** (1 - act_bits) - exact).max() <= bound
    assert (np.diff(values) >= 0).all()


@pytest.mark.parametrize("act_bits", [8, 12, 16, 18])
def test_entries_fit_their_widths(act_bits):
    table = activation_table(PRESETS["tiny"].replace(act_bits=act_bits))
    assert table.index_bits + table.rest_bits == act_bits - 1
    for base, slope in zip(table.base, table.slope, strict=True):
        assert len(base) == len(slope) == 1 << table.index_bits
        assert min(base) >= 0 and max(base) < 1 << table.base_bits
        assert min(slope) >= 0 and max(slope) < 1 << table.slope_bits


def test_one_table_for_one_width():
    assert activation_table(PRESETS["tiny"]) is activation_table(PRESETS["xcku060-32x32"])
