"""σ and tanh by table and linear interpolation, one result a cycle."""

from typing import Any

from amaranth.hdl import C, Cat, Elaboratable, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...contract import timing
from ...contract.config import EngineConfig, bits_for
from ...contract.errors import EseError
from ...contract.tables import FUNCTIONS, activation_table
from .numeric import delay


class ActivationUnit(wiring.Component):
    """y = σ(x) or tanh(x), the piecewise linear functions of ``contract.tables``.

        a = min(|x|, 2**(act_bits-1) - 1) = {index, rest}
        v = base[index] + ((slope[index]·rest + half) >> rest_bits)
        y = v for x ≥ 0;  for x < 0: −v (tanh), 2**(act_bits-1) − v (σ)

    The sign is applied before the sum, so that one add/subtract finishes the result:
    −floor(z / 2**n) = floor((2**n − 1 − z) / 2**n) with z = {base, half} + slope·rest.

    Parameters
    ----------
    config: engine configuration; uses act_bits.
    functions: which of contract.tables.FUNCTIONS the table holds, in that order; with one function
    alone the table is half as deep and there is no ``tanh`` member. Raises EseError for others.

    Members
    -------
    x: act_bits, signed, act_bits − 4 fraction bits.
    tanh: 0 = σ, 1 = tanh.
    y: act_bits, signed, act_bits − 1 fraction bits.

    Latency: timing.ACTIVATION = 5: magnitude, table, multiplier operands, product, sum.
    Throughput: one value a cycle, no flow control.
    Resources: one multiplier (operand, product and sum registers are a DSP48E2's A/B, M and P),
    one ROM of 2**index_bits words {base, slope} per function, read synchronously.
    Source: tables after ESE (Han et al., FPGA'17 [rec]);
    interpolation is ours.
    """

    def __init__(self, *, config: EngineConfig, functions: tuple[str, ...] = FUNCTIONS) -> None:
        if not functions or functions != tuple(f for f in FUNCTIONS if f in functions):
            raise EseError(f"ActivationUnit.functions: must be some of {FUNCTIONS} in that order, "
                           f"got {functions}")
        self._table = activation_table(config)
        self._functions = functions
        members = {"x": In(signed(config.act_bits)), "y": Out(signed(config.act_bits))}
        if len(functions) > 1:
            members["tanh"] = In(1)
        super().__init__(members)

    @property
    def latency(self) -> int:
        """Cycles from ``x`` to ``y``."""
        return timing.ACTIVATION

    def elaborate(self, platform: Any) -> Elaboratable:
        """Stages are numbered by the cycle in which their registers hold the value."""
        m = Module()
        table = self._table
        bits, rest_bits = table.act_bits, table.rest_bits
        one = 1 << (bits - 1)
        both = len(self._functions) > 1
        tanh: Value = self.tanh if both else C(int("tanh" in self._functions), 1)

        magnitude = Signal(bits - 1, reset_less=True)
        negative = self.x[-1]
        lowest = negative & ~self.x[:-1].any()
        m.d.sync += magnitude.eq(Mux(lowest, one - 1, Mux(negative, -self.x, self.x)))
        negative_3 = delay(m, negative, 3, "negative")
        tanh_3 = delay(m, tanh, 3, "tanh")

        m.submodules.table = rom = self._rom()
        port = rom.read_port()
        index = magnitude[rest_bits:]
        selected = Signal(1, reset_less=True)
        m.d.sync += selected.eq(tanh)
        m.d.comb += port.addr.eq(Cat(index, selected) if both else index)

        base_3 = Signal(table.base_bits, reset_less=True)
        offset_4 = Signal(signed(bits + 1 + rest_bits), reset_less=True)
        negative_4 = Signal(reset_less=True)
        y_5 = Signal(signed(bits + 1 + rest_bits), reset_less=True)
        lifted = Mux(negative_3, Mux(tanh_3, 0, one) - base_3, base_3)
        half = C((1 << rest_bits) >> 1, rest_bits)
        m.d.sync += [
            base_3.eq(port.data.base),
            offset_4.eq(Cat(half ^ negative_3.replicate(rest_bits), lifted)),
            negative_4.eq(negative_3),
        ]
        if rest_bits:
            rest_2 = Signal(rest_bits, reset_less=True)
            rest_3 = Signal(signed(rest_bits + 1), reset_less=True)
            slope_3 = Signal(signed(table.slope_bits + 1), reset_less=True)
            product_4 = Signal(signed(rest_bits + table.slope_bits + 2), reset_less=True)
            m.d.sync += [
                rest_2.eq(magnitude[:rest_bits]),
                rest_3.eq(rest_2),
                slope_3.eq(port.data.slope),
                product_4.eq(rest_3 * slope_3),
                y_5.eq(Mux(negative_4, offset_4 - product_4, offset_4 + product_4)),
            ]
        else:
            m.d.sync += y_5.eq(offset_4)
        m.d.comb += self.y.eq(y_5 >> rest_bits)
        return m

    def _rom(self) -> Memory:
        table = self._table
        word = data.StructLayout({"base": unsigned(table.base_bits),
                                  "slope": unsigned(table.slope_bits)})
        words = []
        for function in self._functions:
            number = FUNCTIONS.index(function)
            words += [{"base": base, "slope": slope} for base, slope
                      in zip(table.base[number], table.slope[number], strict=True)]
        return Memory(shape=word, depth=1 << bits_for(len(words)), init=words,
                      attrs={"ram_style": "block"})
