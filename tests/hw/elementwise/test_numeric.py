"""Rounding and saturation against integers."""

import random

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_lstm.contract import timing
from ese_lstm.contract.config import SHIFT_BITS
from ese_lstm.contract.errors import EseError
from ese_lstm.hw.elementwise.numeric import Requantise, round_shift, saturate


class Constant(wiring.Component):
    """round_shift and saturate of one input."""

    def __init__(self, width, shift, bits):
        self.shift, self.bits = shift, bits
        super().__init__({"value": In(signed(width)), "rounded": Out(signed(width + 1)),
                          "saturated": Out(signed(width + 1))})

    def elaborate(self, platform):
        m = Module()
        unused = Signal()
        m.d.sync += unused.eq(~unused)
        m.d.comb += [self.rounded.eq(round_shift(self.value, self.shift)),
                     self.saturated.eq(saturate(self.value, self.bits))]
        return m


@pytest.mark.parametrize(("width", "shift", "bits"), [
    (8, 0, 8), (8, 1, 7), (8, 3, 2), (8, 7, 5), (8, 8, 4), (8, 9, 9), (8, 12, 20)])
def test_constant_shift_and_saturation_of_every_code(clocked, twin, width, shift, bits):
    codes = range(-(1 << (width - 1)), 1 << (width - 1))
    seen = clocked(Constant(width, shift, bits), [{"value": code} for code in codes],
                   ["rounded", "saturated"])
    expected = [(twin.round_shift(code, shift), twin.saturate(code, bits)) for code in codes]
    assert seen == expected
    assert len(seen) == 1 << width


def requantised(clocked, twin, width, bits, samples):
    """Expected values and what the unit gives, aligned by its latency."""
    dut = Requantise(width=width, bits=bits)
    assert dut.latency == timing.REQUANTISE == 2
    rows = [{"value": value, "shift": shift} for value, shift in samples]
    seen = clocked(dut, rows + rows[:1] * dut.latency, ["y"])
    expected = [twin.saturate(twin.round_shift(value, shift), bits) for value, shift in samples]
    return expected, [y for (y,) in seen[dut.latency:]]


@pytest.mark.parametrize(("width", "bits"), [(33, 16), (43, 16), (50, 18), (17, 8), (20, 12)])
def test_requantise_extremes_ties_and_random_values_at_every_shift(clocked, twin, seed, width,
                                                                   bits):
    rng = random.Random(seed)
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    samples = []
    for shift in range(1 << SHIFT_BITS):
        half = (1 << shift) >> 1
        edge = (1 << (bits - 1)) << shift
        values = {low, low + 1, high, high - 1, 0, -1, 1, half, -half, 3 * half, -3 * half,
                  half - 1, half + 1, -half - 1, -half + 1, edge - half, edge - half - 1,
                  -edge - half, -edge - half - 1, edge, -edge}
        samples += [(value, shift) for value in sorted(values) if low <= value <= high]
        samples += [(rng.randint(low, high) >> rng.randrange(width), shift) for _ in range(6)]
    rng.shuffle(samples)
    expected, seen = requantised(clocked, twin, width, bits, samples)
    assert seen == expected
    assert len(seen) > 600
    assert {-(1 << (bits - 1)), (1 << (bits - 1)) - 1} <= set(expected)


def test_requantise_every_code_at_every_shift(clocked, twin):
    samples = [(value, shift) for shift in range(10) for value in range(-64, 64)]
    expected, seen = requantised(clocked, twin, 7, 3, samples)
    assert seen == expected
    assert len(seen) == 1280


def test_requantise_latency_is_exact(clocked):
    seen = clocked(Requantise(width=20, bits=16), [{"value": 0}, {"value": 9, "shift": 1}]
                   + [{"value": 0}] * 5, ["y"])
    assert [y for (y,) in seen] == [0, 0, 0, 5, 0, 0, 0]


@pytest.mark.parametrize(("arguments", "message"), [
    ({"width": 1, "bits": 8}, r"Requantise\.width: must be 2 or more, got 1"),
    ({"width": 8, "bits": 1}, r"Requantise\.bits: must be 2 or more, got 1")])
def test_requantise_refuses(arguments, message):
    with pytest.raises(EseError, match=message):
        Requantise(**arguments)


def test_functions_refuse():
    with pytest.raises(EseError, match=r"round_shift\.shift: must be 0 or more, got -1"):
        round_shift(Signal(signed(8)), -1)
    with pytest.raises(EseError, match=r"saturate\.bits: must be 2 or more, got 1"):
        saturate(Signal(signed(8)), 1)
