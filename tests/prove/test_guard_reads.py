"""The guard gives the inside its own bursts of R and no others, whenever it is reset."""

import pytest
from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream

from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.axi.memory import SLVERR, read_layout
from ese_lstm.hw.memory import guard

from .memory import Reads
from .proof import Proof

SHELL = ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=2,
                    outstanding=2)
LOW = 3
MOST = 4
"""Beats of the inside's bursts."""


class GuardReads(Proof):
    """The inside asks for anything and is reset at any time. The memory goes on, falls silent,
    gives beats that nothing asked for, and is reset only where the guard is told to forget."""

    depth, reach = 12, 20

    def build(self, m: Module) -> None:
        unit = self.place("guard", self.source(guard).Guard(shell=SHELL))
        self.drive(unit, "reset", "forget", "r", "inside_aw", "inside_w", "b")
        m.d.comb += [unit.reset.eq(self.reset), unit.forget.eq(self.free("forget"))]
        limit, ar, r = SHELL.outstanding, unit.inside_ar, unit.inside_r
        self.assume("inside_ar_stays", self.stable(ar))
        self.assume("inside_length", ~ar.valid | (ar.payload.length < MOST))

        # The memory. What it gives unasked is anything.
        forget = Signal(name="forgets")
        m.d.comb += forget.eq(unit.forget & ~unit.open)
        memory = stream.Signature(read_layout(SHELL)).create(path=("memory_r",))
        reads = Reads(self, unit.ar, memory, LOW, Const(0, 1), clear=forget)
        stray = Signal(name="memory_stray")
        anything = self.free("stray_payload", len(unit.r.payload.as_value()))
        m.d.comb += [
            stray.eq(self.free("stray_valid") & (reads.level == 0)),
            unit.r.valid.eq(memory.valid | stray), memory.ready.eq(unit.r.ready),
            unit.r.payload.eq(Mux(stray, anything, memory.payload.as_value()))]
        outstanding = self.show("outstanding", reads.level + unit.ar.valid)

        # What the inside has asked for since its last reset and is not at an end.
        takes, ends = ar.valid & ar.ready, r.valid & r.ready & r.payload.last
        level, beat = Signal(range(limit + 2), name="inside_level"), Signal(8, name="inside_beat")
        bursts = [Signal(len(ar.payload.as_value()), name=f"inside_burst_{k}")
                  for k in range(limit + 1)]
        after = level - ends
        m.d.sync += [level.eq(Mux(self.reset, 0, after + takes)),
                     beat.eq(Mux(self.reset | ends, 0, beat + (r.valid & r.ready)))]
        for k, (burst, following) in enumerate(zip(bursts, [*bursts[1:], 0], strict=True)):
            m.d.sync += burst.eq(Mux(takes & (after == k), Cat(ar.payload),
                                     Mux(ends, following, burst)))
        address, length = bursts[0][LOW:32], bursts[0][32:]
        self.show("inside_due", level)

        gives = r.valid & ~unit.isolated
        self.claim("ar_stable", self.past(forget) | self.stable(unit.ar, resets=False))
        self.claim("nothing_unasked", ~r.valid | (level != 0))
        self.claim("of_its_burst", ~gives | (r.payload.data[:29] == (address + beat)[:29]))
        self.claim("last", ~gives | (r.payload.last == (beat == length)))
        self.claim("isolated_ends", ~unit.isolated | (
            (r.valid == (level != 0)) & r.payload.last & (r.payload.resp == SLVERR)))
        self.claim("isolated_takes", ~unit.isolated
                   | (ar.ready == (~self.reset & (level != limit))))
        self.claim("takes", ~unit.open | (ar.ready == (
            ~self.reset & (outstanding != limit) & (~unit.ar.valid | unit.ar.ready))))
        self.claim("drains", unit.open | unit.isolated
                   | (~ar.ready & ~r.valid & (level == 0)))
        self.claim("limit", (outstanding <= limit) & (level <= limit))
        self.claim("busy", unit.busy == (outstanding != 0))
        self.claim("stray_swallowed", (unit.stray == stray) & (~stray | unit.r.ready))
        self.claim("forgotten", ~self.past(forget) | ~unit.busy)
        begun = Signal(name="begun")
        m.d.sync += begun.eq(1)
        rests = self.past(~unit.open & ~unit.isolated & ~unit.busy & ~self.reset)
        self.claim("opens_at_rest", ~begun | self.past(unit.open) | (unit.open == rests))
        self.reached("swallowed", self.past(self.reset) & unit.r.valid & unit.r.ready & ~stray)
        self.reached("opens_again", unit.open & self.past(~unit.open) & (level == 0))
        self.reached("ended_by_guard", unit.isolated & ends & (beat == 1))
        self.reached("forgets", forget & (outstanding == limit))


def test_holds(prove) -> None:
    prove(GuardReads)


@pytest.mark.parametrize("claim, mutation", [
    ("ar_stable", ('valid = Signal(reset_less=True, name="ar_valid")',
                   'valid = Signal(name="ar_valid")')),
    ("nothing_unasked", ("inside.valid.eq(opened & due & self.r.valid)",
                         "inside.valid.eq(due & self.r.valid)")),
    ("of_its_burst", ("due.eq(reads > valid)", "due.eq(reads.any())")),
    ("isolated_ends", ("inside.valid.eq(owed.any()), last.eq(1)", "inside.valid.eq(owed.any())")),
    ("limit", ("(~valid | self.ar.ready) & (reads != limit)", "(~valid | self.ar.ready)")),
    ("drains", ("reads.any(), owed.any() | take", "reads.any(), owed.any()")),
    ("stray_swallowed", ("self.r.ready.eq(~opened | ~due |", "self.r.ready.eq(~opened |")),
    ("forgotten", ("[valid.eq(0), reads.eq(0)]", "[valid.eq(0)]")),
])
def test_a_broken_line_is_found(claim, mutation, refute) -> None:
    refute(GuardReads, [(guard, *mutation)], claim)
