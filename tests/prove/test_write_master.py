"""The write master writes every word once, in order, at its address, in bursts as AXI4 has them."""

from unittest import mock

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal

from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.axi.memory import page_beats
from ese_lstm.hw.memory import write_master

from .memory import bursts_fit
from .proof import Proof

SHELL = ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=2)
LOW = 3
TOKEN_BITS = 2
PATIENCE = 2
"""Instead of the unit's own, so that a burst ends by it within the proof."""


class Writes(Proof):
    """The memory is reset together with the master; a word's data hold its address."""

    depth, reach = 10, 16

    def build(self, m: Module) -> None:
        module = self.source(write_master)
        with mock.patch.object(module, "PATIENCE", PATIENCE):
            unit = self.place("master", module.WriteMaster(shell=SHELL))
        self.drive(unit, "words", "b")
        address, last = self.free("address", 29), self.free("last")
        takes, leaves = unit.words.valid & unit.words.ready, unit.w.valid & unit.w.ready
        data = unit.w.payload.data
        token, _inside = self.tokens("words", takes, TOKEN_BITS, leaves, data[:TOKEN_BITS])
        m.d.comb += [unit.words.valid.eq(self.free("words_valid")),
                     unit.words.payload.address.eq(address << LOW),
                     unit.words.payload.last.eq(last),
                     unit.words.payload.data.eq(Cat(token, address))]
        self.assume("words_stay", self.stable(unit.words))

        # The burst whose data go out: its AW is offered with them or was taken before.
        asked, ends = unit.aw.valid & unit.aw.ready, leaves & unit.w.payload.last
        known, begun = Signal(name="aw_before_w"), Signal(name="w_before_aw")
        taken = Signal.like(unit.aw.payload)
        beat = Signal(8, name="w_beat")
        request = Mux(known, taken.as_value(), unit.aw.payload.as_value())
        base, length = request[LOW:32], request[32:]
        done = (known | asked) & (begun | ends)
        m.d.sync += [known.eq((known | asked) & ~done & ~self.reset),
                     begun.eq((begun | ends) & ~done & ~self.reset),
                     beat.eq(Mux(ends | self.reset, 0, beat + leaves))]
        with m.If(asked):
            m.d.sync += taken.eq(unit.aw.payload)
        owed = Signal(6, name="owed")
        m.d.sync += owed.eq(Mux(self.reset, 0, owed + done - unit.b.valid))
        answers = self.free("b_valid") & (owed != 0)
        m.d.comb += [unit.b.valid.eq(answers), unit.b.payload.resp.eq(0)]

        self.claim("aw_stable", self.stable(unit.aw))
        self.claim("w_stable", self.stable(unit.w))
        bursts_fit(self, unit.aw, LOW, page_beats(SHELL), SHELL.burst_beats)
        self.claim("w_has_its_aw", ~unit.w.valid | known | unit.aw.valid)
        self.claim("last", ~unit.w.valid | (unit.w.payload.last == (beat == length)))
        self.claim("at_its_address", ~unit.w.valid
                   | (data[TOKEN_BITS:TOKEN_BITS + 29] == (base + beat)[:29]))
        self.claim("whole_words", ~unit.w.valid | unit.w.payload.strobe.all())
        self.claim("idle_at_rest", ~unit.idle | ((owed == 0) & ~known & ~begun))
        self.reached("burst_of_two", ends & (length == 1))
        self.reached("at_rest_again", unit.idle & self.past(answers) & ~self.reset)


def test_holds(prove) -> None:
    prove(Writes)


@pytest.mark.parametrize("claim, mutation", [
    ("last", (write_master, "count == shell.burst_beats - 1", "count == shell.burst_beats")),
    ("at_its_address", (write_master, "                    | (coming.valid & ~follows)),",
                        "                    ),")),
    ("burst_in_page", (write_master, "held.address[:exact_log2(page_beats(shell))].all()", "0")),
    ("w_has_its_aw", (write_master, "data.r_rdy & ~w_done & (aw_done | may)",
                      "data.r_rdy & ~w_done")),
    ("idle_at_rest", (write_master, " & (unanswered == 0))]", ")]")),
])
def test_a_broken_line_is_found(claim, mutation, refute) -> None:
    refute(Writes, [mutation], claim)
