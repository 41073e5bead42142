"""Element-wise unit of one channel: gates, cell state and output from drained accumulators."""

from typing import Any

from amaranth.hdl import C, Elaboratable, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...contract import timing
from ...contract.cells import LSTM
from ...contract.config import SHIFT_BITS, EngineConfig, bits_for
from ...contract.layout import KIND_BITS
from ..layouts import is_kind
from .activation import ActivationUnit
from .numeric import Requantise, delay, round_shift, saturate

GATE_I, GATE_F, GATE_G, GATE_O = range(LSTM.size)
TANH = [number for number, row in enumerate(LSTM.rows) if row.function == "tanh"]


class ElementwiseChannel(wiring.Component):
    """The LSTM's element-wise operations for one channel, one sample (row) a cycle.

    With A = act_bits and integers in the contract's formats:

        pre = saturate(round_shift(acc + bias + peephole·cell_in, shift), A)     of every gate
        i, f, o = σ(pre),  g = tanh(pre)                                      A − 1 fraction bits
        c  = saturate(round_shift(f·c' + i·g, …), cell_bits)                  fractions aligned
        tc = tanh(saturate(round_shift(c, cell_frac − (A − 4)), A))
        m  = round_shift(o·tc, A − 1)
        linear row: y = saturate(round_shift(acc + bias, shift), A)

    ``cell_in`` is c' (the state before this frame, 0 on a stream's first frame) with gates i, f, g
    and c with gate o; a gate without peephole has peephole 0. Samples of a cell come in the order
    i, f, g; o comes CELL cycles after g or later. Idle cycles, o samples of earlier cells and
    linear rows may stand anywhere between them, but no other cell's i, f or g.

    Every channel has its own copy, fed the same valid, kind, gate and shift.

    Parameters
    ----------
    config: engine configuration; uses act_bits, acc_bits, cell_bits, cell_frac, peephole_bits.

    Members
    -------
    valid: a sample is here; 0 in an idle cycle.
    kind, gate: type of its unit; the row's number in it, i f g o = 0 1 2 3.
    acc, bias: acc_bits, signed, accumulator units.
    shift: of the requantiser.
    peephole: peephole_bits, signed, accumulator units per cell unit.
    cell_in: cell_bits, signed.
    active: 0 forces this sample's outputs to 0.
    cell_out, cell_valid: cell_bits, signed, for gate g.
    result, result_valid: act_bits, signed, for gate o and linear rows.

    Outputs mean nothing while not valid. The valids are delayed copies and follow no reset.

    Latency: timing.RESULT = 13 to result, timing.CELL = 14 to cell_out. Throughput: one sample a
    cycle, no flow control.
    Resources: four multipliers, each with operand and product registers as a DSP48E2 has them.
    Source: Han et al., FPGA'17 (peephole LSTMP; g is tanh, as trained models have it).
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self._config = config
        super().__init__({
            "valid": In(1), "kind": In(KIND_BITS), "gate": In(bits_for(LSTM.size)),
            "shift": In(SHIFT_BITS),
            "acc": In(signed(config.acc_bits)), "bias": In(signed(config.acc_bits)),
            "peephole": In(signed(config.peephole_bits)), "cell_in": In(signed(config.cell_bits)),
            "active": In(1),
            "cell_out": Out(signed(config.cell_bits)), "cell_valid": Out(1),
            "result": Out(signed(config.act_bits)), "result_valid": Out(1),
        })

    @property
    def result_latency(self) -> int:
        """Cycles from a sample of gate o or a linear row to ``result``."""
        return timing.RESULT

    @property
    def cell_latency(self) -> int:
        """Cycles from a sample of gate g to ``cell_out``."""
        return timing.CELL

    def elaborate(self, platform: Any) -> Elaboratable:
        """Names end in the cycle, counted from the sample, in which the register holds them."""
        m = Module()
        config = self._config
        act, frac = config.act_bits, config.act_bits - 1
        lstm = is_kind(self.kind, LSTM)

        requantise, cell_1 = self._preactivation(m, lstm)
        summed = 3 + timing.REQUANTISE

        # Gate, and in parallel tanh of the cell state that came with the sample.
        gate_5 = delay(m, self.gate, summed, "gate")
        m.submodules.gate_activation = gate_unit = ActivationUnit(config=config)
        m.d.comb += [gate_unit.x.eq(requantise.y), gate_unit.tanh.eq(gate_5.matches(*TANH))]
        cell_4 = delay(m, cell_1, summed - 2, "cell")
        cell_input_5 = Signal(signed(act), reset_less=True)
        m.submodules.cell_activation = cell_unit = ActivationUnit(
            config=config, functions=("tanh",))
        m.d.sync += cell_input_5.eq(saturate(
            round_shift(cell_4, config.cell_frac - (act - 4)), act))
        m.d.comb += cell_unit.x.eq(cell_input_5)

        assert summed + timing.ACTIVATION == timing.GATE
        gate_10 = delay(m, gate_5, timing.ACTIVATION, "gate_late")
        lstm_10 = delay(m, self.valid & lstm, timing.GATE, "lstm")
        cell_10 = delay(m, cell_4, timing.GATE - summed + 1, "cell_late")
        product_12 = self._multiply(m, lstm_10, gate_10, cell_10, gate_unit.y, cell_unit.y)

        gate_12 = delay(m, gate_10, 2, "gate_product")
        lstm_12 = delay(m, lstm_10, 2, "lstm_product")
        linear_12 = delay(m, self.valid & ~lstm, timing.GATE + 2, "linear")
        active_12 = delay(m, self.active, timing.GATE + 2, "active")

        cell_14 = self._cell(m, product_12, lstm_12 & (gate_12 == GATE_F), active_12)

        # Result: o·tanh(c), below 1 in magnitude as both factors are, or the linear row.
        linear_value_12 = delay(m, requantise.y, timing.GATE + 2 - summed, "linear_value")
        result_13 = Signal(signed(act), reset_less=True)
        rounded_result = round_shift(product_12[:2 * act], frac)[:act].as_signed()
        m.d.sync += result_13.eq(
            Mux(active_12, Mux(linear_12, linear_value_12, rounded_result), C(0)))

        m.d.comb += [
            self.cell_out.eq(cell_14),
            self.cell_valid.eq(delay(m, lstm_12 & (gate_12 == GATE_G), 2, "cell_valid")),
            self.result.eq(result_13),
            self.result_valid.eq(
                delay(m, linear_12 | (lstm_12 & (gate_12 == GATE_O)), 1, "result_valid")),
        ]
        return m

    def _preactivation(self, m: Module, lstm: Value) -> tuple[Requantise, Signal]:
        """acc + bias + peephole·cell_in, shifted and saturated; and the state that came with it."""
        config = self._config
        peephole_1 = Signal(signed(config.peephole_bits), reset_less=True)
        cell_1 = Signal(signed(config.cell_bits), reset_less=True)
        peephole_product_2 = Signal(signed(config.peephole_bits + config.cell_bits),
                                    reset_less=True)
        biased_1 = Signal(signed(config.acc_bits + 1), reset_less=True)
        biased_2 = Signal.like(biased_1)
        sum_3 = Signal(signed(1 + max(len(biased_2), len(peephole_product_2))), reset_less=True)
        m.d.sync += [
            peephole_1.eq(Mux(lstm, self.peephole, 0)),
            cell_1.eq(self.cell_in),
            peephole_product_2.eq(peephole_1 * cell_1),
            biased_1.eq(self.acc + self.bias),
            biased_2.eq(biased_1),
            sum_3.eq(biased_2 + peephole_product_2),
        ]
        m.submodules.requantise = requantise = Requantise(width=len(sum_3), bits=config.act_bits)
        m.d.comb += [requantise.value.eq(sum_3),
                     requantise.shift.eq(delay(m, self.shift, 3, "shift"))]
        return requantise, cell_1

    def _multiply(self, m: Module, lstm_10: Signal, gate_10: Signal, cell_10: Signal,
                  gate_y: Signal, tanh_c: Signal) -> Signal:
        """One multiplier for f·c', i·g and o·tanh(c)."""
        config, act = self._config, self._config.act_bits
        i_11 = Signal(signed(act), reset_less=True)
        factor_11 = Signal(signed(act), reset_less=True)
        other_11 = Signal(signed(config.cell_bits), reset_less=True)
        product_12 = Signal(signed(act + config.cell_bits), reset_less=True)
        with m.If(lstm_10 & (gate_10 == GATE_I)):
            m.d.sync += i_11.eq(gate_y)
        m.d.sync += [
            factor_11.eq(Mux(gate_10 == GATE_G, i_11, gate_y)),
            product_12.eq(factor_11 * other_11),
        ]
        with m.Switch(gate_10):
            with m.Case(GATE_G):
                m.d.sync += other_11.eq(gate_y)
            with m.Case(GATE_O):
                m.d.sync += other_11.eq(tanh_c)
            with m.Default():
                m.d.sync += other_11.eq(cell_10)
        return product_12

    def _cell(self, m: Module, product_12: Signal, is_f: Value, active_12: Value) -> Signal:
        """New cell state: f·c' waits for i·g; the one with fewer fraction bits moves up."""
        config = self._config
        act, frac = config.act_bits, config.act_bits - 1
        kept_lift = max(frac - config.cell_frac, 0)
        gated_lift = max(config.cell_frac - frac, 0)
        kept_13 = Signal(product_12.shape(), reset_less=True)
        kept_term = kept_13.shift_left(kept_lift)
        gated_term = product_12[:2 * act].as_signed().shift_left(gated_lift)
        cell_sum_13 = Signal((kept_term + gated_term).shape(), reset_less=True)
        active_13 = delay(m, active_12, 1, "active_sum")
        cell_14 = Signal(signed(config.cell_bits), reset_less=True)
        with m.If(is_f):
            m.d.sync += kept_13.eq(product_12)
        rounded_cell = round_shift(cell_sum_13, frac + kept_lift)
        m.d.sync += [
            cell_sum_13.eq(kept_term + gated_term),
            cell_14.eq(Mux(active_13, saturate(rounded_cell, config.cell_bits), 0)),
        ]
        return cell_14
