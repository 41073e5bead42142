"""The read master asks for its stretch exactly, and what it gives is of its own run."""

import pytest
from amaranth.hdl import Module, Mux, Signal

from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.axi.memory import page_beats
from ese_lstm.hw.memory import guard, read_master

from .memory import Reads, bursts_fit
from .proof import Proof

SHELL = ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=2,
                    outstanding=2)
LOW = 3
TAG_BITS = 2


class _Master(Proof):
    """The master with a tag for each run; its stretch is any, run may do anything."""

    def build(self, m: Module) -> None:
        self.unit = unit = self.place("master", self.source(read_master).ReadMaster(shell=SHELL))
        self.drive(unit, "ar", "r", "base", "beats")
        base, beats = self.free("base", 29), self.free("beats", 3)
        busy = self.past((unit.run | ~unit.idle) & ~self.reset)
        same = (base == self.past(base)) & (beats == self.past(beats))
        self.assume("stretch", (beats != 0) & (~busy | same))
        m.d.comb += [unit.base.eq(base << LOW), unit.beats.eq(beats)]
        tag, got = Signal(TAG_BITS, name="run_number"), Signal(3, name="beats_got")
        self.tag = tag
        m.d.sync += tag.eq(tag + (self.reset | (unit.idle & unit.run)))
        takes = unit.data.valid & unit.data.ready
        m.d.sync += got.eq(Mux(self.reset | unit.idle, 0,
                               Mux(takes, Mux(got == beats - 1, 0, got + 1), got)))
        data = unit.data.payload
        self.claim("data_in_order", ~unit.data.valid | (data[:29] == (base + got)[:29]))
        self.claim("data_of_this_run", ~unit.data.valid | (data[29:29 + TAG_BITS] == tag))
        self.surround(m)
        bursts_fit(self, unit.ar, LOW, page_beats(SHELL), SHELL.burst_beats)
        self.claim("ar_stable", self.stable(unit.ar))
        self.reached("round", takes & (got == beats - 1) & (beats == 3))
        self.reached("drained", unit.idle & self.past(~unit.idle & ~self.reset))

    def surround(self, m: Module) -> None:
        raise NotImplementedError


class Master(_Master):
    """The memory is reset together with the master."""

    depth, reach = 12, 20

    def surround(self, m: Module) -> None:
        unit = self.unit
        m.d.comb += unit.ar.ready.eq(self.free("ar_ready"))
        reads = Reads(self, unit.ar, unit.r, LOW, self.tag, clear=self.reset)
        self.claim("outstanding", ~reads.asked | (reads.level < SHELL.outstanding))
        self.claim("idle_at_rest", ~unit.idle | (reads.level == 0))


class GuardedMaster(_Master):
    """The memory goes on through every reset; the guard, in the same reset, stands between."""

    depth, reach = 12, 20

    def surround(self, m: Module) -> None:
        unit = self.unit
        between = self.place("guard", self.source(guard).Guard(shell=SHELL))
        m.d.comb += [
            between.inside_ar.valid.eq(unit.ar.valid), unit.ar.ready.eq(between.inside_ar.ready),
            between.inside_ar.payload.eq(unit.ar.payload),
            unit.r.valid.eq(between.inside_r.valid), unit.r.payload.eq(between.inside_r.payload),
            between.inside_r.ready.eq(unit.r.ready),
            between.reset.eq(self.reset), between.ar.ready.eq(self.free("ar_ready"))]
        # A burst's tag is that of its run when the guard took it; it may wait in there.
        tag = Signal.like(self.tag)
        with m.If(unit.ar.valid & unit.ar.ready):
            m.d.sync += tag.eq(self.tag)
        reads = Reads(self, between.ar, between.r, LOW, tag)
        self.show("guard_open", between.open)
        self.claim("outstanding", ~reads.asked | (reads.level < SHELL.outstanding))
        self.claim("memory_ar_stable", self.stable(between.ar, resets=False))
        self.claim("no_stray", ~between.stray)
        self.reached("reopened", between.open & self.past(~between.open) & unit.idle)


@pytest.mark.parametrize("proof", [Master, GuardedMaster])
def test_holds(proof, prove) -> None:
    prove(proof)


@pytest.mark.parametrize("proof, claim, mutation", [
    (Master, "data_in_order", (read_master, "address.eq(address + length), ", "")),
    (Master, "data_of_this_run", (read_master, "m.next = \"drain\"\n                with m.Elif",
                                  "m.next = \"idle\"\n                with m.Elif")),
    (Master, "outstanding", (read_master, "next_outstanding != shell.outstanding", "1")),
    (Master, "burst_in_page", (read_master, "to_page < shell.burst_beats", "0")),
    (Master, "ar_stable", (read_master, "m.d.comb += self.ar.valid.eq(1)",
                           "m.d.comb += self.ar.valid.eq(self.run)")),
    (GuardedMaster, "data_of_this_run", (guard, "inside.valid.eq(opened & due & self.r.valid)",
                                         "inside.valid.eq(due & self.r.valid)")),
    (GuardedMaster, "memory_ar_stable", (
        guard, 'valid = Signal(reset_less=True, name="ar_valid")',
        'valid = Signal(name="ar_valid")')),
])
def test_a_broken_line_is_found(proof, claim, mutation, refute) -> None:
    refute(proof, [mutation], claim)
