"""Guard of the AXI4 memory port: a reset of the shell, or a memory that falls silent, harms neither
side."""

from typing import NamedTuple

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...contract.shell import ShellConfig
from ..axi.memory import (
    LENGTH_BITS,
    SLVERR,
    UNANSWERED,
    read_layout,
    request_layout,
    response_layout,
    write_layout,
)

TIMEOUT_BITS = 32


class _Side(NamedTuple):
    """What the reads or the writes have to say, a bit each. busy: something is outstanding.
    owed: the inside waits. waits: the memory has something to take or to answer. stray: it offers
    what nothing asked for."""

    busy: Value
    owed: Value
    waits: Value
    stray: Value


class Guard(wiring.Component):
    """Stands between the masters inside, which may be reset at any time, and the memory outside,
    which goes on. Nothing in here is reset by the clock domain's reset.

    *open*: requests and data go out, answers come in. *draining*, from a reset of the inside on:
    bursts of W that are owed are completed with strobes 0, answers are swallowed, requests of the
    inside wait; open again once nothing is outstanding. *isolated*, after ``timeout`` cycles: as
    draining, but what the inside asks for is taken and ended with SLVERR (a read by one beat with
    last), so that it can come to rest; a reset or ``resume`` turns it to draining.

    Parameters
    ----------
    shell: shell configuration; uses memory_bits, memory_address_bits, outstanding.

    Members
    -------
    inside_ar, inside_aw, inside_w; inside_r, inside_b: from and to the masters inside, as
    :mod:`axi.memory` lays them out. A burst's AW comes before its W or with it, one burst's W ends
    before the next AW, and W's ``last`` fits AW's length.
    ar, aw, w; r, b: the memory's side. VALID and payload of ar, aw and w are registers; an offer
    stays as it is until it is taken. W's last is counted here. READY of r and b depends on
    registers and on inside_r.ready, inside_b.ready.
    reset: the inside is in reset; one cycle is enough. Nothing offered in that cycle is taken.
    resume: the host allows isolation to end; it does when the inside waits for nothing.
    forget: the memory has been reset too and answers nothing from before: while not open, drop all
    that is outstanding and offered. timeout: cycles; 0: never.
    open, isolated: see above. busy: something is outstanding at the memory.
    timed_out: ``timeout`` cycles in a row without progress had passed in which the memory had
    something to take or to answer; high for one cycle, then isolated. Progress is a transfer on
    ar, aw or w, and a beat offered on r or b.
    stray: the memory gives a beat that nothing asked for, for a cycle each; it is swallowed.

    Latency: requests and W, 1 cycle; R and B, combinational. Throughput: a beat a cycle on R and W,
    a burst a cycle.
    """

    latency = 1

    def __init__(self, *, shell: ShellConfig) -> None:
        self.shell = shell
        self.emit_key = shell
        request, read = request_layout(shell), read_layout(shell)
        write, response = write_layout(shell), response_layout()
        super().__init__({
            "inside_ar": In(stream.Signature(request)), "inside_r": Out(stream.Signature(read)),
            "inside_aw": In(stream.Signature(request)), "inside_w": In(stream.Signature(write)),
            "inside_b": Out(stream.Signature(response)),
            "ar": Out(stream.Signature(request)), "r": In(stream.Signature(read)),
            "aw": Out(stream.Signature(request)), "w": Out(stream.Signature(write)),
            "b": In(stream.Signature(response)),
            "reset": In(1), "resume": In(1), "forget": In(1), "timeout": In(TIMEOUT_BITS),
            "open": Out(1), "isolated": Out(1), "busy": Out(1), "timed_out": Out(1),
            "stray": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        opened, isolated = Signal(init=1, reset_less=True), Signal(reset_less=True)
        forget = Signal()
        m.d.comb += [self.open.eq(opened), self.isolated.eq(isolated),
                     forget.eq(self.forget & ~opened)]
        reads = self._reads(m, opened, isolated, forget)
        writes = self._writes(m, opened, isolated, forget)
        m.d.comb += [self.busy.eq(reads.busy | writes.busy),
                     self.stray.eq(reads.stray | writes.stray)]

        with m.If(self.reset):
            m.d.sync += [opened.eq(0), isolated.eq(0)]
        with m.Elif(opened):
            m.d.sync += [opened.eq(~self.timed_out), isolated.eq(self.timed_out)]
        with m.Elif(isolated):
            m.d.sync += isolated.eq(~self.resume | reads.owed | writes.owed)
        with m.Else():
            m.d.sync += [opened.eq(~self.busy), isolated.eq(self.timed_out)]

        # Cycles in a row in which the memory is waited for and does nothing.
        waited = Signal(TIMEOUT_BITS, reset_less=True)
        progress, waits = Signal(), Signal()
        m.d.comb += [
            waits.eq(reads.waits | writes.waits),
            progress.eq((self.ar.valid & self.ar.ready) | (self.aw.valid & self.aw.ready)
                        | (self.w.valid & self.w.ready) | self.r.valid | self.b.valid),
            self.timed_out.eq(waits & ~isolated & ~self.reset & self.timeout.any()
                              & (waited >= self.timeout))]
        m.d.sync += waited.eq(waited + ~waited.all())
        with m.If(progress | isolated | self.timed_out | forget | ~waits):
            m.d.sync += waited.eq(0)
        return m

    def _reads(self, m: Module, opened: Signal, isolated: Signal, forget: Signal
               ) -> _Side:
        """AR and R."""
        limit = self.shell.outstanding
        # Bursts that the memory has not ended, the one offered on AR included; and the inside's.
        valid = Signal(reset_less=True, name="ar_valid")
        request = Signal.like(self.ar.payload, reset_less=True, name="ar_payload")
        reads, owed = (Signal(range(limit + 1), reset_less=True, name=name)
                       for name in ("reads", "reads_owed"))
        due, take, ends, answered = (Signal(name=f"r_{name}") for name in (
            "due", "take", "ends", "answered"))
        inside, last = self.inside_r, self.inside_r.payload.last
        m.d.comb += [
            self.ar.valid.eq(valid), self.ar.payload.eq(request),
            self.inside_ar.ready.eq(~self.reset & Mux(
                opened, (~valid | self.ar.ready) & (reads != limit), isolated & (owed != limit))),
            take.eq(self.inside_ar.valid & self.inside_ar.ready),
            due.eq(reads > valid), ends.eq(self.r.valid & self.r.ready & due
                                           & self.r.payload.last),
            self.r.ready.eq(~opened | ~due | inside.ready),
            inside.payload.eq(self.r.payload), inside.valid.eq(opened & due & self.r.valid),
            answered.eq(inside.valid & inside.ready & last)]
        with m.If(isolated):
            m.d.comb += [inside.valid.eq(owed.any()), last.eq(1), inside.payload.resp.eq(SLVERR)]
        with m.If(self.ar.ready):
            m.d.sync += valid.eq(0)
        with m.If(take & opened):
            m.d.sync += [valid.eq(1), request.eq(self.inside_ar.payload)]
        m.d.sync += [reads.eq(reads + (take & opened) - ends), owed.eq(owed + take - answered)]
        with m.If(forget):
            m.d.sync += [valid.eq(0), reads.eq(0)]
        with m.If(self.reset):
            m.d.sync += owed.eq(0)
        return _Side(reads.any(), owed.any() | take, valid | due, self.r.valid & ~due)

    def _writes(self, m: Module, opened: Signal, isolated: Signal, forget: Signal
                ) -> _Side:
        """AW, W and B."""
        asked, valid = (Signal(reset_less=True, name=name) for name in ("aw_valid", "w_valid"))
        request, beat = (Signal.like(port.payload, reset_less=True, name=name)
                         for name, port in (("aw_payload", self.aw), ("w_payload", self.w)))
        # Bursts that the memory has not answered, the ones offered included; and the inside's.
        writes, owed = (Signal(range(UNANSWERED + 1), reset_less=True, name=name)
                        for name in ("writes", "writes_owed"))
        # Beats of the last burst that have not come to W's register; whether the inside has some.
        left, going = Signal(LENGTH_BITS + 1, reset_less=True), Signal(reset_less=True)
        take, data, room, load, due, ends, answered, last = (Signal(name=f"w_{name}") for name in (
            "take", "data", "room", "load", "due", "ends", "answered", "last"))
        length = self.inside_aw.payload.length
        m.d.comb += [
            self.aw.valid.eq(asked), self.aw.payload.eq(request),
            self.w.valid.eq(valid), self.w.payload.eq(beat),
            self.inside_aw.ready.eq(~self.reset & ~going & Mux(
                opened, (~asked | self.aw.ready) & (writes != UNANSWERED),
                isolated & (owed != UNANSWERED))),
            take.eq(self.inside_aw.valid & self.inside_aw.ready),
            room.eq(~valid | self.w.ready),
            self.inside_w.ready.eq(~self.reset & (going | take) & Mux(opened, room, isolated)),
            data.eq(self.inside_w.valid & self.inside_w.ready),
            load.eq(Mux(opened, data, left.any() & room)),
            last.eq(Mux(take & opened, length == 0, left == 1))]
        with m.If(self.aw.ready):
            m.d.sync += asked.eq(0)
        with m.If(take & opened):
            m.d.sync += [asked.eq(1), request.eq(self.inside_aw.payload)]
        with m.If(self.w.ready):
            m.d.sync += valid.eq(0)
        with m.If(load):
            m.d.sync += [valid.eq(1), beat.data.eq(self.inside_w.payload.data), beat.last.eq(last),
                         beat.strobe.eq(Mux(opened, self.inside_w.payload.strobe, 0))]

        # Bursts whose AW, or whose last beat of W, the memory has not taken are not answered yet.
        kept = Signal(2)
        m.d.comb += [
            kept.eq(left.any() + (valid & beat.last)),
            due.eq((writes > asked) & (writes > kept)), ends.eq(self.b.valid & self.b.ready & due),
            self.b.ready.eq(~opened | ~due | self.inside_b.ready),
            self.inside_b.payload.resp.eq(Mux(isolated, SLVERR, self.b.payload.resp)),
            self.inside_b.valid.eq(Mux(isolated, owed.any() & ~going,
                                       opened & due & self.b.valid)),
            answered.eq(self.inside_b.valid & self.inside_b.ready)]
        m.d.sync += [
            left.eq(Mux(take & opened, length + 1, left) - load),
            going.eq((going | take)
                     & ~(data & Mux(opened, last, self.inside_w.payload.last))),
            writes.eq(writes + (take & opened) - ends), owed.eq(owed + take - answered)]
        with m.If(forget):
            m.d.sync += [asked.eq(0), valid.eq(0), left.eq(0), writes.eq(0)]
        with m.If(self.reset):
            m.d.sync += [owed.eq(0), going.eq(0)]
        return _Side(writes.any(), owed.any() | going | take, asked | valid | due,
                     self.b.valid & ~due)
