"""The gearbox gives every word of a round once, in order, and drops what follows the last row."""

from unittest import mock

import pytest
from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.utils import exact_log2

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.shell import ShellConfig
from ese_lstm.contract.timing import WORD_BITS
from ese_lstm.hw.memory import gearbox

from .proof import Proof

CONFIG = PRESETS["tiny"].replace(lanes=4)
"""Rows of three words."""

LINES = 2
INDEX_BITS = 5
"""Of a word's number in its stream; more than the gearbox holds."""


class _Rows(Proof):
    """Words hold their number in the stream, since the last reset or fall of ``run``."""

    memory_bits: int

    def build(self, m: Module) -> None:
        module = self.source(gearbox)
        shell = ShellConfig(memory_bits=self.memory_bits, burst_beats=2)
        with mock.patch.object(module, "LINES", LINES):
            unit = self.place("gearbox", module.Gearbox(config=CONFIG, shell=shell))
        self.drive(unit, "beats", "count", "rows")
        words, beat_words = unit.row_words, self.memory_bits // WORD_BITS
        count = self.free("count", 2)
        begins = self.reset | ~unit.run
        self.assume("count", (count != 0) & (begins | (count == self.past(count))))
        self.assume("run_after_reset", ~unit.run | self.past(~self.reset))
        m.d.comb += [unit.count.eq(count), unit.beats.valid.eq(self.free("beats_valid")),
                     unit.rows.ready.eq(self.free("rows_ready"))]
        gives, takes = unit.beats.valid & unit.beats.ready, unit.rows.valid & unit.rows.ready
        written, place, row = (Signal(bits, name=name) for bits, name in (
            (INDEX_BITS, "written"), (INDEX_BITS, "place"), (2, "row")))
        last = row == count - 1
        after = Signal(INDEX_BITS, name="after_row")
        rest = (-(place + words))[:exact_log2(beat_words)]
        m.d.comb += [
            after.eq(place + words + Mux(last, rest, 0)),
            unit.beats.payload.eq(Cat(
                Cat((written + k)[:INDEX_BITS], Const(0, WORD_BITS - INDEX_BITS))
                for k in range(beat_words)))]
        m.d.sync += [written.eq(Mux(begins, 0, written + Mux(gives, beat_words, 0)))]
        with m.If(takes):
            m.d.sync += [place.eq(after), row.eq(Mux(last, 0, row + 1))]
        with m.If(begins):
            m.d.sync += [place.eq(0), row.eq(0)]
        held = Signal(INDEX_BITS, name="held")
        m.d.comb += held.eq(written - place)
        for name, value in (("words_written", written), ("words_given", place),
                            ("rows_given", row)):
            self.show(name, value)

        came = unit.rows.payload.as_value()
        self.claim("in_order", ~unit.rows.valid | Cat(
            came[at:at + INDEX_BITS] == (place + k)[:min(INDEX_BITS, len(came) - at)]
            for k, at in enumerate(range(0, len(came), WORD_BITS))).all())
        self.claim("row_is_there", ~unit.rows.valid | (held >= words))
        self.claim("stable", self.past(begins) | self.stable(unit.rows))
        waits = Signal(range(unit.latency + 1), name="waits")
        m.d.sync += waits.eq(Mux(begins | unit.rows.valid | (held < words), 0,
                                 waits + (waits != unit.latency)))
        self.claim("nothing_stuck", (waits != unit.latency) | unit.rows.valid)
        self.claim("room", unit.beats.ready | (held > LINES * unit.banks - beat_words))
        self.reached("full", ~unit.beats.ready)
        a_round = Signal()
        m.d.sync += a_round.eq((a_round | (takes & last)) & ~begins)
        self.reached("second_round", takes & a_round & (row == 1))


class WideBeats(_Rows):
    """A beat is more than a row."""

    depth, reach, memory_bits = 11, 20, 128


class NarrowBeats(_Rows):
    """A row is more than a beat."""

    depth, reach, memory_bits = 11, 20, 64


@pytest.mark.parametrize("proof", [WideBeats, NarrowBeats])
def test_holds(proof, prove) -> None:
    prove(proof)


@pytest.mark.parametrize("proof, claim, mutation", [
    (NarrowBeats, "in_order", ("Mux(turn > bank, next_line, line) if", "line if")),
    (NarrowBeats, "row_is_there", ("level >= words", "level.any()")),
    (WideBeats, "in_order", ("next_level <= capacity - beat_words", "next_level <= capacity")),
    (WideBeats, "row_is_there", ("Mux(read, words + dropped, 0)", "Mux(read, words, 0)")),
])
def test_a_broken_line_is_found(proof, claim, mutation, refute) -> None:
    refute(proof, [(gearbox, *mutation)], claim)
