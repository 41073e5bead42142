"""The guard completes every burst of W that it asked for, whatever the inside does."""

import pytest
from amaranth.hdl import Module, Mux, Signal

from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.memory import guard

from .memory import Writes
from .proof import Proof

SHELL = ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=2,
                    outstanding=2)
MOST = 4
"""Beats of the inside's bursts."""


class GuardWrites(Proof):
    """The inside is reset at any time and keeps W's order. The memory goes on, falls
    silent, and is reset only where the guard is told to forget."""

    depth, reach = 10, 20

    def build(self, m: Module) -> None:
        unit = self.place("guard", self.source(guard).Guard(shell=SHELL))
        self.drive(unit, "reset", "forget", "b", "inside_r", "inside_ar", "r", "ar")
        m.d.comb += [unit.reset.eq(self.reset), unit.forget.eq(self.free("forget"))]
        aw, w = unit.inside_aw, unit.inside_w
        for port, name in ((aw, "aw"), (w, "w")):
            self.assume(f"inside_{name}_stays", self.stable(port))
        left = Signal(8, name="inside_left")
        takes, gives = aw.valid & aw.ready, w.valid & w.ready
        now = Mux(takes, aw.payload.length + 1, left)
        m.d.sync += left.eq(Mux(self.reset, 0, now - gives))
        self.assume("inside_length", aw.payload.length < MOST)
        self.assume("aw_after_w", ~aw.valid | (left == 0))
        self.assume("w_last", ~w.valid | (w.payload.last == (
            Mux(aw.valid, aw.payload.length + 1, left) == 1)))
        self.assume("w_after_aw", ~w.valid | aw.valid | (left != 0))

        forget = Signal(name="forgets")
        m.d.comb += forget.eq(unit.forget & ~unit.open)
        memory = Writes(self, unit.aw, unit.w, unit.b, clear=forget)
        level, owed, ends = memory.level, memory.owed, memory.ends
        forgot = self.past(forget)
        self.claim("aw_stable", forgot | self.stable(unit.aw, resets=False))
        self.claim("w_stable", forgot | self.stable(unit.w, resets=False))
        self.claim("forgotten", ~forgot | ~(unit.busy | unit.aw.valid | unit.w.valid))
        self.claim("no_stray", ~unit.stray)
        self.claim("opens_at_rest", self.past(unit.open) | ~unit.open
                   | ((owed == 0) & (level == 0)))
        self.reached("completed", ends & (memory.beat == 1) & (unit.w.payload.strobe == 0))
        self.reached("opens_again", unit.open & self.past(~unit.open))
        self.reached("isolated", unit.isolated)
        self.reached("forgets", forget & (level == 1) & (memory.beat == 1))


def test_holds(prove) -> None:
    prove(GuardWrites)


@pytest.mark.parametrize("claim, mutation", [
    ("aw_stable", (guard, 'asked, valid = (Signal(reset_less=True, name=name)',
                   'asked, valid = (Signal(name=name)')),
    ("w_last", (guard, "length == 0, left == 1", "length == 0, left == 2")),
    ("opens_at_rest", (guard, "opened.eq(~self.busy)", "opened.eq(1)")),
    ("w_has_its_aw", (guard, "owed.any() | going | take", "owed.any() | going")),
    ("no_stray", (guard, "(writes > asked) & (writes > kept)", "(writes > asked) & (writes > 1)")),
    ("forgotten", (guard, "[asked.eq(0), valid.eq(0), left", "[asked.eq(0), left")),
    ("w_has_its_aw", (guard, "left.eq(0), writes.eq(0)", "writes.eq(0)")),
    ("w_stable", (guard, "with m.If(self.w.ready):", "with m.If(self.w.ready | ~opened):")),
])
def test_a_broken_line_is_found(claim, mutation, refute) -> None:
    refute(GuardWrites, [mutation], claim)
