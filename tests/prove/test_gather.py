"""Gathered beats write what the words said, and no word stays."""

from unittest import mock

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal

from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.memory import gather

from .proof import Proof

SHELL = ShellConfig(stream_bits=64, memory_bits=128, memory_address_bits=32, burst_beats=2)
LOW = 4
PATIENCE = 2
"""Instead of the unit's own."""


class Gathers(Proof):
    """Words of half a beat to any address; one of the addresses is looked at."""

    depth, reach = None, 12

    def build(self, m: Module) -> None:
        module = self.source(gather)
        with mock.patch.object(module, "PATIENCE", PATIENCE):
            unit = self.place("gather", module.Gather(shell=SHELL))
        self.drive(unit, "words", "beats")
        watched, address = self.free("watched", 3, fixed=True), self.free("address", 3)
        words, beat = unit.words.payload, unit.beats.payload
        m.d.comb += [unit.words.valid.eq(self.free("words_valid")),
                     words.address.eq(address << (LOW - 1)),
                     words.last.eq(self.free("last")), words.data.eq(self.free("data", 2)),
                     unit.beats.ready.eq(self.free("beats_ready"))]
        self.assume("words_stay", self.stable(unit.words))
        gives, takes = (port.valid & port.ready for port in (unit.words, unit.beats))

        # What has been said of the address and not been written; the last word's last.
        pending, said, ended = (Signal(bits, name=name) for bits, name in (
            (1, "pending"), (2, "said"), (1, "ended")))
        hits = gives & (address == watched)
        writes = (beat.address[:2] == watched[1:]) & Mux(watched[0], *(
            beat.strobe.word_select(k, 8).all() for k in (1, 0)))
        m.d.sync += pending.eq((hits | (pending & ~(takes & writes))) & ~self.reset)
        with m.If(hits):
            m.d.sync += said.eq(words.data)
        with m.If(gives):
            m.d.sync += ended.eq(words.last)
        rest = Signal(range(PATIENCE + 3), name="rest")
        m.d.sync += rest.eq(Mux(self.reset | gives | unit.empty, 0,
                                rest + (rest != PATIENCE + 2)))
        now = Mux(watched[0], *(beat.data.word_select(k, 64)[:2] for k in (1, 0)))

        self.claim("stable", self.stable(unit.beats))
        self.claim("writes_what_was_said", ~unit.beats.valid | ~writes
                   | (pending & (now == said)))
        self.claim("nothing_lost", ~pending | ~unit.beats.valid | writes)
        self.claim("nothing_held", ~unit.empty | ~pending)
        self.claim("strobes_words", ~unit.beats.valid | Cat(
            beat.strobe.word_select(k, 8).all() | ~beat.strobe.word_select(k, 8).any()
            for k in (0, 1)).all())
        self.claim("last", ~unit.beats.valid | (beat.last == ended))
        self.claim("nothing_stuck", unit.empty | (rest <= PATIENCE) | unit.beats.valid)
        self.reached("whole", takes & beat.strobe.all())
        self.reached("by_patience", takes & ~beat.strobe.all() & ~beat.last
                     & ~unit.words.valid)


def test_holds(prove) -> None:
    prove(Gathers)


@pytest.mark.parametrize("claim, mutation", [
    ("writes_what_was_said", ("strobe.eq(0)", "strobe.eq(strobe)")),
    ("nothing_lost", ("(same & ~late)", "~late")),
    ("nothing_stuck", ("(whole | late | (", "(whole | (")),
    ("last", ("held.last.eq(word.last)", "held.last.eq(slot.all())")),
])
def test_a_broken_line_is_found(claim, mutation, refute) -> None:
    refute(Gathers, [(gather, *mutation)], claim)
