"""Column broadcaster: executes the program's segments, one column a cycle to all lanes."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...contract import timing
from ...contract.config import SEQUENCE_BITS, EngineConfig, bits_for
from ...contract.layout import header_layout, segment_layout
from ..layouts import stall_layout, struct
from ..parts import memory


class Broadcaster(wiring.Component):
    """Issue a column when every lane has room and the column has been written.

    A column of a waiting segment may be issued once
    ``written − (frame base + need + k) ≥ 0`` (mod 2**SEQUENCE_BITS), the only interlock between
    the sparse matrix-vector unit and the element-wise unit besides the two banks: a tile starts
    when the bank it alternates to has been drained. Frames follow one another without a gap.

    Parameters
    ----------
    config: engine configuration; uses segment_depth, activation_depth, channels.

    Members
    -------
    write, write_address, write_data: store a segment (``contract.layout.segment_layout``).
    header: ``contract.layout.header_layout``; uses results.
    run: start new frames. frame_ready, frame_start: an input frame waits; channels that start in
    it (one bit a channel). frame_take: its first segment is loaded now; its parity is
    frame_parity then. frame_release: its last column is issued now.
    full: any lane's queue is full, counting the column issued in the last cycle. issue: a column
    is issued now; issued: one was issued in the last cycle.
    read_address, read_data: the activation buffer, answered in the next cycle.
    push, column, tile_last: the column, ``timing.BROADCAST − 1`` cycles after its issue; with a
    ``fetch_depth`` also streamed: its entries come from the fetch FIFOs.
    written: results that can be read from the next cycle on. bank_clear: one bit a bank, drained.
    done: no frame is under way, every bank is drained and every result written.
    stall: ``layouts.stall_layout``.

    Latency: issue → column at a lane's queue input, 2 cycles, at its head, timing.BROADCAST.
    Throughput: one column a cycle, across segments, tiles and frames.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        column = data.ArrayLayout(signed(config.act_bits), config.channels)
        super().__init__({
            "write": In(1), "write_address": In(bits_for(config.segment_depth)),
            "write_data": In(segment_layout(config).bits),
            "header": In(struct(header_layout(config))),
            "run": In(1), "frame_ready": In(1), "frame_start": In(config.channels),
            "frame_take": Out(1), "frame_parity": Out(1), "frame_release": Out(1),
            "full": In(1), "issue": Out(1), "issued": Out(1),
            "read_address": Out(config.activation_address_bits), "read_data": In(column),
            "push": Out(1), "column": Out(column), "tile_last": Out(1),
            "written": In(SEQUENCE_BITS), "bank_clear": In(2), "done": Out(1),
            "stall": Out(stall_layout()),
            **({"streamed": Out(1)} if config.fetch_depth else {}),
        })

    @property
    def latency(self) -> int:
        """Cycles from issue to the head of an empty lane queue."""
        return timing.BROADCAST

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        layout = struct(segment_layout(config))

        segments = memory(m, "segments", shape=layout, depth=config.segment_depth,
                          style="distributed")
        writer, reader = segments.write_port(), segments.read_port(domain="comb")
        m.d.comb += [writer.en.eq(self.write), writer.addr.eq(self.write_address),
                     writer.data.eq(self.write_data)]

        # The next segment stands at the read port; the current one in registers.
        pointer = Signal(bits_for(config.segment_depth))
        following = reader.data
        m.d.comb += reader.addr.eq(pointer)
        valid, recurrent, wait, tile_end, frame_end = (
            Signal(name=name) for name in ("valid", "recurrent", "wait", "tile_end", "frame_end"))
        first = Signal(init=1)
        remaining = Signal(config.activation_address_bits + 1)
        address = Signal(config.activation_address_bits)
        needed = Signal(SEQUENCE_BITS)
        parity = Signal(init=1)
        base, target = Signal(SEQUENCE_BITS), Signal(SEQUENCE_BITS)
        bank, busy = Signal(), Signal(2)
        opening = Signal(init=1)  # the next segment is the program's first

        # The lanes' queues come from far away: what follows from them follows from this one wire.
        issue = Signal(attrs={"keep": "true"})
        go, ready, ending, waiting, load = (
            Signal(name=name) for name in ("go", "ready", "ending", "waiting", "load"))
        m.d.comb += [
            ending.eq(remaining == 1),
            waiting.eq(self.run & self.frame_ready),
            issue.eq(go & ~self.full), self.issue.eq(issue),
            self.frame_take.eq(Mux(issue, ending & frame_end, ~valid) & waiting),
            self.frame_release.eq(issue & ending & frame_end),
            self.frame_parity.eq(parity ^ opening),
            load.eq(Mux(issue, ending & (~frame_end | waiting), ~valid & waiting)),
        ]

        m.d.sync += self.issued.eq(issue)

        # Whether the next column may be read and its bank is free is decided a cycle ahead, in case
        # a column is issued now and in case none is, as the lanes' queues say so late.
        following_needed = Signal(SEQUENCE_BITS)
        lead_stay, lead_step, lead_load = (
            Signal(signed(SEQUENCE_BITS), name=f"lead_{name}") for name in ("stay", "step", "load"))
        m.d.comb += [
            following_needed.eq(Mux(opening, target, base) + following.need),
            lead_stay.eq(self.written - needed), lead_step.eq(self.written - needed - 1),
            lead_load.eq(self.written - following_needed)]
        ready_stay, ready_step, ready_load, opens = (
            Signal(name=name) for name in ("ready_stay", "ready_step", "ready_load", "opens"))
        held = Signal(2)
        next_bank = bank ^ (ending & tile_end)
        blocked_stay = first & held.bit_select(bank, 1)
        blocked_step = opens & (held.bit_select(next_bank, 1) | (first & (next_bank == bank)))
        m.d.comb += [
            ready_stay.eq(~wait | (lead_stay >= 0)), ready_step.eq(~wait | (lead_step >= 0)),
            ready_load.eq(~following.wait | (lead_load >= 0)),
            opens.eq(ending & (tile_end | frame_end)), held.eq(busy & ~self.bank_clear)]
        m.d.sync += go.eq(Mux(
            issue,
            (~(ending & frame_end) | waiting) & Mux(ending, ready_load, ready_step)
            & ~blocked_step,
            Mux(valid, ready_stay, waiting & ready_load) & ~blocked_stay))

        # While no frame is under way the first segment is loaded over and over, so that nothing
        # but ``valid`` waits for a frame.
        with m.If(~valid | issue):
            with m.If(~valid | ending):
                m.d.sync += [
                    ready.eq(ready_load),
                    address.eq(Mux(self.frame_parity, following.base_odd, following.base_even)),
                    remaining.eq(following.length), wait.eq(following.wait),
                    needed.eq(following_needed), recurrent.eq(following.recurrent),
                    tile_end.eq(following.last), frame_end.eq(following.end)]
            with m.Else():
                m.d.sync += [ready.eq(ready_step), address.eq(address + 1),
                             remaining.eq(remaining - 1), needed.eq(needed + 1)]
        with m.Else():
            m.d.sync += ready.eq(ready_stay)
        with m.If(issue):
            m.d.sync += first.eq(opens)
            with m.If(ending & tile_end):
                m.d.sync += bank.eq(~bank)
            with m.If(ending & frame_end):
                m.d.sync += valid.eq(0)
        with m.If(load):
            m.d.sync += [valid.eq(1), opening.eq(following.end),
                         pointer.eq(Mux(following.end, 0, pointer + 1))]
        starting = Signal(config.channels)
        with m.If(self.frame_take):
            m.d.sync += [parity.eq(~parity), base.eq(target),
                         target.eq(target + self.header.results),
                         starting.eq(self.frame_start)]

        for number in range(2):
            with m.If(self.bank_clear[number]):
                m.d.sync += busy[number].eq(0)
            with m.If(issue & first & (bank == number)):
                m.d.sync += busy[number].eq(1)
        written = Signal(SEQUENCE_BITS)
        m.d.sync += written.eq(self.written)
        m.d.comb += self.done.eq(~valid & (busy == 0) & (written == target))

        # Read, gate starting channels, hand to the lanes.
        read, read_last = Signal(), Signal()
        mask = Signal(config.channels, reset_less=True)
        m.d.comb += self.read_address.eq(address)
        m.d.sync += [read.eq(issue), read_last.eq(ending & tile_end),
                     mask.eq(Mux(recurrent, starting, 0)),
                     self.push.eq(read), self.tile_last.eq(read_last)]
        for channel in range(config.channels):
            m.d.sync += self.column[channel].eq(
                Mux(mask[channel], 0, self.read_data[channel]))
        if config.fetch_depth:
            streamed, read_streamed = Signal(reset_less=True), Signal(reset_less=True)
            with m.If((~valid | issue) & (~valid | ending)):
                m.d.sync += streamed.eq(following.streamed)
            m.d.sync += [read_streamed.eq(streamed), self.streamed.eq(read_streamed)]

        blocked = Signal()
        m.d.comb += [
            blocked.eq(first & busy.bit_select(bank, 1)),
            self.stall.input.eq(~valid), self.stall.bank.eq(valid & blocked),
            self.stall.dependency.eq(valid & ~blocked & ~ready),
            self.stall.queue.eq(valid & ~blocked & ready & self.full)]
        return m
