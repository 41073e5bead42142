"""Rounding and saturation, the two ways in which sums and products give up bits.

Expression functions for shifts known at elaboration, and a pipelined unit for the shift that a
tile's epilogue word carries.
"""

from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...contract import timing
from ...contract.config import SHIFT_BITS
from ...contract.errors import EseError


def round_shift(value: Value, shift: int) -> Value:
    """``floor(value / 2**shift + ½)`` of a signed value; combinational, one carry chain.

    The result is as wide as rounding can make it. Raises EseError for a negative shift.
    """
    if shift < 0:
        raise EseError(f"round_shift.shift: must be 0 or more, got {shift}")
    if shift == 0:
        return value.as_signed()
    return (value.as_signed() + (1 << (shift - 1))).shift_right(shift)


def saturate(value: Value, bits: int) -> Value:
    """A signed value limited to ``-2**(bits-1) … 2**(bits-1)-1``, ``bits`` wide; combinational.

    Raises EseError for bits under 2.
    """
    if bits < 2:
        raise EseError(f"saturate.bits: must be 2 or more, got {bits}")
    if len(value) <= bits:
        extended = Cat(value, value[-1].replicate(bits - len(value)))
        return extended.as_signed()
    upper = value[bits - 1:]
    negative = value[-1]
    limit = Cat((~negative).replicate(bits - 1), negative)
    fits = upper.all() | ~upper.any()
    return Mux(fits, value[:bits], limit).as_signed()


def delay(m: Module, value: Value, cycles: int, name: str, *, reset_less: bool = True) -> Value:
    """``value`` as it was ``cycles`` cycles ago: a chain of registers, by default without reset
    so that synthesis makes it a shift-register LUT; with reset it starts as zeros."""
    shape = signed(len(value)) if value.shape().signed else unsigned(len(value))
    for stage in range(1, cycles + 1):
        register = Signal(shape, name=f"{name}_{stage}", reset_less=reset_less)
        m.d.sync += register.eq(value)
        value = register
    return value


class Requantise(wiring.Component):
    """Right shift by a run-time amount, rounding half up, then saturation.

        y = saturate(floor((value + 2**(shift-1)) / 2**shift)),  y = saturate(value) for shift 0

    Parameters
    ----------
    width, bits: bits of ``value`` and of ``y``, 2 or more, or EseError.

    Members
    -------
    value, shift → y: signed; ``shift`` is 0 … 63, also beyond ``width``.

    Latency: timing.REQUANTISE = 2 (barrel shift with one guard bit; increment and saturate).
    Throughput: one value a cycle, no flow control.
    """

    def __init__(self, *, width: int, bits: int) -> None:
        if width < 2:
            raise EseError(f"Requantise.width: must be 2 or more, got {width}")
        if bits < 2:
            raise EseError(f"Requantise.bits: must be 2 or more, got {bits}")
        self._width = width
        self._bits = bits
        super().__init__({"value": In(signed(width)), "shift": In(SHIFT_BITS),
                          "y": Out(signed(bits))})

    @property
    def latency(self) -> int:
        """Cycles from ``value`` to ``y``."""
        return timing.REQUANTISE

    def elaborate(self, platform: Any) -> Elaboratable:
        """Guard bit = the half's place: shifting 2·value leaves the bit that decides rounding."""
        m = Module()
        guarded = Signal(signed(self._width + 1), reset_less=True)
        result = Signal(signed(self._bits), reset_less=True)
        m.d.sync += [
            guarded.eq(self.value.shift_left(1) >> self.shift),
            result.eq(saturate(round_shift(guarded, 1), self._bits)),
        ]
        m.d.comb += self.y.eq(result)
        return m
