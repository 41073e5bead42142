"""The guard completes every burst of W that it asked for, whatever the inside does."""

import pytest
from amaranth.hdl import Module, Mux, Signal

from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.memory import guard

from .proof import Proof

SHELL = ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=2,
                    outstanding=2)
MOST = 4
"""Beats of the inside's bursts."""
AHEAD = 2
"""Bursts asked for whose W the memory has not taken, at most."""


class GuardWrites(Proof):
    """The inside is reset at any time and keeps W's order; the memory goes on, or is silent."""

    depth, reach = 10, 20

    def build(self, m: Module) -> None:
        unit = self.place("guard", self.source(guard).Guard(shell=SHELL))
        self.drive(unit, "reset", "forget", "b", "inside_r", "inside_ar", "r", "ar")
        m.d.comb += unit.reset.eq(self.reset)
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

        # The memory: beats of the bursts asked for that have not come, no reset ever.
        asked, came = unit.aw.valid & unit.aw.ready, unit.w.valid & unit.w.ready
        level, begun = Signal(2, name="aw_before_w"), Signal(name="w_before_aw")
        lengths = [Signal(8, name=f"length_{k}") for k in range(AHEAD)]
        beat = Signal(8, name="beat")
        of_burst = Mux(level == 0, unit.aw.payload.length, lengths[0])
        ends = came & unit.w.payload.last
        first = ends & (level == 0)
        pops, pushes = ends & (level != 0), asked & ~begun & ~first
        after = level - pops
        m.d.sync += [level.eq(after + pushes), begun.eq((begun | first) & ~asked),
                     beat.eq(Mux(ends, 0, beat + came))]
        for k, (length, following) in enumerate(zip(lengths, [*lengths[1:], 0], strict=True)):
            m.d.sync += length.eq(Mux(pushes & (after == k), unit.aw.payload.length,
                                      Mux(pops, following, length)))
        done = pops | (asked & (begun | first))
        owed = Signal(5, name="owed")
        answers = self.free("b_valid") & (owed != 0)
        m.d.sync += owed.eq(owed + done - (answers & unit.b.ready))
        self.assume("b_stays", ~self.past(answers & ~unit.b.ready) | answers)
        m.d.comb += unit.b.valid.eq(answers)

        self.claim("aw_stable", self.stable(unit.aw, resets=False))
        self.claim("w_stable", self.stable(unit.w, resets=False))
        self.claim("w_last", ~unit.w.valid
                   | (unit.w.payload.last == (beat == of_burst)))
        self.claim("w_has_its_aw", ~unit.w.valid | (level != 0)
                   | (unit.aw.valid & ~begun))
        self.claim("aw_ahead", ~pushes | (after < AHEAD))
        self.claim("no_stray", ~unit.stray)
        self.claim("opens_at_rest", self.past(unit.open) | ~unit.open
                   | ((owed == 0) & (level == 0)))
        self.reached("completed", ends & (beat == 1) & (unit.w.payload.strobe == 0))
        self.reached("opens_again", unit.open & self.past(~unit.open))
        self.reached("isolated", unit.isolated)


def test_holds(prove) -> None:
    prove(GuardWrites)


@pytest.mark.parametrize("claim, mutation", [
    ("aw_stable", (guard, 'asked, valid = (Signal(reset_less=True, name=name)',
                   'asked, valid = (Signal(name=name)')),
    ("w_last", (guard, "length == 0, left == 1", "length == 0, left == 2")),
    ("opens_at_rest", (guard, "opened.eq(~self.busy)", "opened.eq(1)")),
    ("w_has_its_aw", (guard, "owed.any() | going | take", "owed.any() | going")),
    ("no_stray", (guard, "(writes > asked) & (writes > kept)", "(writes > asked) & (writes > 1)")),
])
def test_a_broken_line_is_found(claim, mutation, refute) -> None:
    refute(GuardWrites, [mutation], claim)
