"""The write master behind the guard: every reset leaves the memory whole bursts, and no answer
reaches a master that did not ask."""

from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest
from amaranth.hdl import Module, Mux, Signal

from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.axi.memory import page_beats
from ese_lstm.hw.memory import guard, write_master

from .memory import Writes, bursts_fit
from .proof import Proof

SHELL = ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=2,
                    outstanding=2)
LOW = 3
ADDRESS_BITS = 10
"""Of a beat: some on both sides of a page's end."""

PATIENCE, UNANSWERED = 2, 2
"""Instead of the units' own, so that the proof gets to their ends."""


class GuardedWrites(Proof):
    """Master and guard are reset together at any time; the memory goes on, or falls silent, and
    is never reset. A word's data are its address."""

    depth, reach = 11, 20

    def build(self, m: Module) -> None:
        modules = self.source(write_master), self.source(guard)
        with ExitStack() as patched:
            for module in modules:
                patched.enter_context(mock.patch.object(module, "UNANSWERED", UNANSWERED))
            patched.enter_context(mock.patch.object(modules[0], "PATIENCE", PATIENCE))
            master = self.place("master", modules[0].WriteMaster(shell=SHELL))
            unit = self.place("guard", modules[1].Guard(shell=SHELL))
        self.drive(master, "words", "aw", "w", "b")
        self.drive(unit, "reset", "forget", "b", "inside_aw", "inside_w", "inside_b",
                   "inside_ar", "inside_r", "ar", "r", "timeout")
        m.d.comb += [unit.reset.eq(self.reset), unit.timeout.eq(self.free("timeout", 4))]
        for gives, takes in ((master.aw, unit.inside_aw), (master.w, unit.inside_w),
                             (unit.inside_b, master.b)):
            m.d.comb += [takes.valid.eq(gives.valid), takes.payload.eq(gives.payload),
                         gives.ready.eq(takes.ready)]
        address = self.free("address", ADDRESS_BITS)
        m.d.comb += [master.words.valid.eq(self.free("words_valid")),
                     master.words.payload.address.eq(address << LOW),
                     master.words.payload.last.eq(self.free("last")),
                     master.words.payload.data.eq(address)]
        self.assume("words_stay", self.stable(master.words))
        memory = Writes(self, unit.aw, unit.w, unit.b)

        # Bursts that the master asked for since its reset, and those that the guard asked for
        # before it: the memory answers the latter first.
        asks, answers = _moves(master.aw), _moves(master.b)
        due, stale = Signal(4, name="due"), Signal(4, name="stale")
        under_way = Signal(4, name="under_way")
        rest = under_way + (asks & unit.open) - memory.answered
        m.d.sync += [
            due.eq(Mux(self.reset, 0, due + asks - answers)), under_way.eq(rest),
            stale.eq(Mux(self.reset, rest, stale - (memory.answered & (stale != 0))))]
        for name, value in (("due", due), ("stale", stale), ("under_way", under_way)):
            self.show(f"bursts_{name}", value)

        w, strobe = unit.w, unit.w.payload.strobe
        fresh = w.valid & ~self.past(w.valid & ~w.ready)
        opened = self.past(unit.open)
        self.claim("aw_stable", self.stable(unit.aw, resets=False))
        self.claim("w_stable", self.stable(w, resets=False))
        bursts_fit(self, unit.aw, LOW, page_beats(SHELL), SHELL.burst_beats)
        self.claim("strobe", ~fresh | Mux(opened, strobe.all(), ~strobe.any()))
        here = (memory.of_burst.address >> LOW) + memory.beat
        self.claim("at_its_address", ~w.valid | ~strobe.any()
                   | (w.payload.data[:ADDRESS_BITS] == here[:ADDRESS_BITS]))
        self.claim("nothing_unasked", ~master.b.valid | (due != 0))
        self.claim("answers_of_now", ~master.b.valid | unit.isolated | (stale == 0))
        self.claim("unanswered", due <= UNANSWERED)
        self.claim("idle_at_rest", ~master.idle | (due == 0))
        self.claim("no_stray", ~unit.stray)
        self.claim("opens_at_rest", opened | ~unit.open | (under_way == 0))
        self.reached("completed", memory.ends & (memory.beat == 1) & ~strobe.any())
        closed = Signal(name="was_closed")
        m.d.sync += closed.eq(closed | ~unit.open)
        self.reached("written_again", memory.ends & (memory.beat == 1) & strobe.all() & closed)
        self.reached("full", due == UNANSWERED)
        self.reached("stale_answer", memory.answered & (stale != 0))


def _moves(port: Any) -> Any:
    """A beat goes over."""
    return port.valid & port.ready


def test_holds(prove) -> None:
    prove(GuardedWrites)


@pytest.mark.parametrize("claim, mutations", [
    ("strobe", [(guard, "Mux(opened, self.inside_w.payload.strobe, 0)",
                 "self.inside_w.payload.strobe")]),
    ("answers_of_now", [(guard, "opened & due & self.b.valid", "due & self.b.valid")]),
    ("nothing_unasked", [(guard, "[owed.eq(0), going.eq(0)]", "[going.eq(0)]")]),
    ("unanswered", [(guard, "& (writes != UNANSWERED)", ""),
                    (write_master, "requests.r_rdy & (unanswered != UNANSWERED)",
                     "requests.r_rdy")]),
    ("idle_at_rest", [(write_master, " & (unanswered == 0))]", ")]")]),
    ("at_its_address", [(write_master, "Mux(count == 0, held.address, first)", "held.address")]),
])
def test_a_broken_line_is_found(claim, mutations, refute) -> None:
    refute(GuardedWrites, mutations, claim)
