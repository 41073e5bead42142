"""σ/tanh unit against its integer twin, over every input code."""

import dataclasses
import math
import random

import pytest

from ese_lstm.contract import timing
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.tables import activation_table
from ese_lstm.hw.elementwise import activation
from ese_lstm.hw.elementwise.activation import ActivationUnit

NAMES = ("sigmoid", "tanh")


def config(act_bits=16):
    return EngineConfig(lanes=1, channels=1, act_bits=act_bits)


def evaluate(clocked, dut, samples):
    """Outputs of the unit for (function, x) samples, one a cycle, aligned by its latency."""
    assert dut.latency == timing.ACTIVATION == 5
    rows = [{"x": x, "tanh": NAMES.index(name)} for name, x in samples]
    seen = clocked(dut, rows + rows[:1] * dut.latency, ["y"])
    return [y for (y,) in seen[dut.latency:]]


def test_every_code_at_16_bits(clocked, twin):
    reference = twin(config())
    samples = [(name, x) for x in range(-(1 << 15), 1 << 15) for name in NAMES]
    seen = evaluate(clocked, ActivationUnit(config=config()), samples)
    assert seen == [reference.activation(name, x) for name, x in samples]
    assert len(seen) == 2 << 16
    errors = {name: max(abs(y / 32768 - exact(name, x / 4096)) for (of, x), y
                        in zip(samples, seen, strict=True) if of == name) for name in NAMES}
    assert max(errors.values()) <= 2 ** -11


def exact(name, x):
    return math.tanh(x) if name == "tanh" else 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("act_bits", [8, 9, 12, 18])
def test_other_widths(clocked, twin, seed, act_bits):
    rng = random.Random(seed)
    reference = twin(config(act_bits))
    half = 1 << (act_bits - 1)
    if act_bits <= 9:
        codes = list(range(-half, half))
    else:
        knots = range(0, half, 1 << reference.table.rest_bits)
        near = {knot + step for knot in knots for step in (-1, 0, 1)} | {half - 1, half}
        codes = sorted({s * code for code in near for s in (-1, 1)} & set(range(-half, half)))
        codes += [rng.randrange(-half, half) for _ in range(500)]
    samples = [(name, x) for x in codes for name in NAMES]
    rng.shuffle(samples)
    seen = evaluate(clocked, ActivationUnit(config=config(act_bits)), samples)
    assert seen == [reference.activation(name, x) for name, x in samples]
    assert len(seen) >= 2 * 256


@pytest.mark.parametrize("name", NAMES)
def test_one_function_alone_has_half_the_table(clocked, twin, name):
    reference = twin(config())
    dut = ActivationUnit(config=config(), functions=(name,))
    assert not hasattr(dut, "tanh")
    codes = list(range(-(1 << 15), 1 << 15, 61)) + [(1 << 15) - 1]
    seen = clocked(dut, [{"x": x} for x in codes] + [{"x": 0}] * dut.latency, ["y"])
    assert [y for (y,) in seen[dut.latency:]] == [reference.activation(name, x) for x in codes]


def test_latency_is_exact(clocked):
    one = (1 << 15) - 1
    seen = clocked(ActivationUnit(config=config()), [{"x": 0, "tanh": 1}] * 6 + [{"x": one}]
                   + [{"x": 0}] * 7, ["y"])
    assert [cycle for cycle, (y,) in enumerate(seen) if y > 32000] == [6 + timing.ACTIVATION]


def test_one_flipped_table_bit_is_seen(clocked, twin, monkeypatch):
    """The comparison above can fail: one wrong knot shows in its segment's codes only."""
    table = activation_table(config())
    wrong = list(table.base[1])
    wrong[5] ^= 1
    monkeypatch.setattr(activation, "activation_table", lambda config: dataclasses.replace(
        table, base=(table.base[0], tuple(wrong))))
    reference = twin(config())
    samples = [(name, x) for x in range(4096) for name in NAMES]
    seen = evaluate(clocked, ActivationUnit(config=config()), samples)
    mismatches = {sample for sample, y in zip(samples, seen, strict=True)
                  if y != reference.activation(*sample)}
    assert mismatches == {("tanh", x) for x in range(5 * 256, 6 * 256)}


@pytest.mark.parametrize("functions", [(), ("tanh", "sigmoid"), ("relu",)])
def test_refuses_unknown_functions(functions):
    with pytest.raises(EseError, match=r"ActivationUnit\.functions: must be some of"):
        ActivationUnit(config=config(), functions=functions)
