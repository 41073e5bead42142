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
        segments = memory(m, "segments", shape=struct(segment_layout(config)),
                          depth=config.segment_depth, style="distributed")
        writer, reader = segments.write_port(), segments.read_port(domain="comb")
        now = _State(config)
        m.d.comb += [writer.en.eq(self.write), writer.addr.eq(self.write_address),
                     writer.data.eq(self.write_data), reader.addr.eq(now.pointer)]
        m.d.comb += [
            now.ending.eq(now.remaining == 1),
            now.waiting.eq(self.run & self.frame_ready),
            now.issue.eq(now.go & ~self.full), self.issue.eq(now.issue),
            self.frame_take.eq(Mux(now.issue, now.ending & now.frame_end, ~now.valid)
                               & now.waiting),
            self.frame_release.eq(now.issue & now.ending & now.frame_end),
            self.frame_parity.eq(now.parity ^ now.opening)]
        m.d.sync += self.issued.eq(now.issue)

        self._decide(m, now, reader.data)
        self._load(m, now, reader.data)
        self._read(m, now)
        if config.fetch_depth:
            streamed, read_streamed = Signal(reset_less=True), Signal(reset_less=True)
            with m.If((~now.valid | now.issue) & (~now.valid | now.ending)):
                m.d.sync += streamed.eq(reader.data.streamed)
            m.d.sync += [read_streamed.eq(streamed), self.streamed.eq(read_streamed)]

        blocked = Signal()
        m.d.comb += [
            blocked.eq(now.first & now.busy.bit_select(now.bank, 1)),
            self.stall.input.eq(~now.valid), self.stall.bank.eq(now.valid & blocked),
            self.stall.dependency.eq(now.valid & ~blocked & ~now.ready),
            self.stall.queue.eq(now.valid & ~blocked & now.ready & self.full)]
        return m

    def _decide(self, m: Module, now: "_State", following: data.View) -> None:
        """Whether the next column may be read and its bank is free is decided a cycle ahead, in
        case a column is issued now and in case none is, as the lanes' queues say so late."""
        ending, issue, first, bank = now.ending, now.issue, now.first, now.bank
        lead_stay, lead_step, lead_load = (
            Signal(signed(SEQUENCE_BITS), name=f"lead_{name}") for name in ("stay", "step", "load"))
        m.d.comb += [
            now.following_needed.eq(Mux(now.opening, now.target, now.base) + following.need),
            lead_stay.eq(self.written - now.needed), lead_step.eq(self.written - now.needed - 1),
            lead_load.eq(self.written - now.following_needed)]
        held = Signal(2)
        next_bank = bank ^ (ending & now.tile_end)
        blocked_stay = first & held.bit_select(bank, 1)
        blocked_step = now.opens & (held.bit_select(next_bank, 1) | (first & (next_bank == bank)))
        m.d.comb += [
            now.ready_stay.eq(~now.wait | (lead_stay >= 0)),
            now.ready_step.eq(~now.wait | (lead_step >= 0)),
            now.ready_load.eq(~following.wait | (lead_load >= 0)),
            now.opens.eq(ending & (now.tile_end | now.frame_end)),
            held.eq(now.busy & ~self.bank_clear)]
        m.d.sync += now.go.eq(Mux(
            issue,
            (~(ending & now.frame_end) | now.waiting) & Mux(ending, now.ready_load, now.ready_step)
            & ~blocked_step,
            Mux(now.valid, now.ready_stay, now.waiting & now.ready_load) & ~blocked_stay))

    def _load(self, m: Module, now: "_State", following: data.View) -> None:
        """The next column or segment. While no frame is under way the first segment is loaded over
        and over, so that nothing but ``valid`` waits for a frame."""
        ending, issue, load = now.ending, now.issue, Signal()
        m.d.comb += load.eq(Mux(issue, ending & (~now.frame_end | now.waiting),
                                ~now.valid & now.waiting))
        with m.If(~now.valid | issue):
            with m.If(~now.valid | ending):
                m.d.sync += [
                    now.ready.eq(now.ready_load),
                    now.address.eq(Mux(self.frame_parity, following.base_odd,
                                       following.base_even)),
                    now.remaining.eq(following.length), now.wait.eq(following.wait),
                    now.needed.eq(now.following_needed), now.recurrent.eq(following.recurrent),
                    now.tile_end.eq(following.last), now.frame_end.eq(following.end)]
            with m.Else():
                m.d.sync += [now.ready.eq(now.ready_step), now.address.eq(now.address + 1),
                             now.remaining.eq(now.remaining - 1), now.needed.eq(now.needed + 1)]
        with m.Else():
            m.d.sync += now.ready.eq(now.ready_stay)
        with m.If(issue):
            m.d.sync += now.first.eq(now.opens)
            with m.If(ending & now.tile_end):
                m.d.sync += now.bank.eq(~now.bank)
            with m.If(ending & now.frame_end):
                m.d.sync += now.valid.eq(0)
        with m.If(load):
            m.d.sync += [now.valid.eq(1), now.opening.eq(following.end),
                         now.pointer.eq(Mux(following.end, 0, now.pointer + 1))]
        with m.If(self.frame_take):
            m.d.sync += [now.parity.eq(~now.parity), now.base.eq(now.target),
                         now.target.eq(now.target + self.header.results),
                         now.starting.eq(self.frame_start)]

        for number in range(2):
            with m.If(self.bank_clear[number]):
                m.d.sync += now.busy[number].eq(0)
            with m.If(issue & now.first & (now.bank == number)):
                m.d.sync += now.busy[number].eq(1)
        written = Signal(SEQUENCE_BITS)
        m.d.sync += written.eq(self.written)
        m.d.comb += self.done.eq(~now.valid & (now.busy == 0) & (written == now.target))

    def _read(self, m: Module, now: "_State") -> None:
        """Read, gate starting channels, hand to the lanes."""
        read, read_last = Signal(), Signal()
        mask = Signal(self.config.channels, reset_less=True)
        m.d.comb += self.read_address.eq(now.address)
        m.d.sync += [read.eq(now.issue), read_last.eq(now.ending & now.tile_end),
                     mask.eq(Mux(now.recurrent, now.starting, 0)),
                     self.push.eq(read), self.tile_last.eq(read_last)]
        for channel in range(self.config.channels):
            m.d.sync += self.column[channel].eq(
                Mux(mask[channel], 0, self.read_data[channel]))


class _State:
    """Registers and wires that the parts above share.

    The next segment stands at the read port, at ``pointer``; the current one in registers: valid,
    its flags, whether its column is the tile's first and ready, where it lies, how many are left,
    the result it needs. base, target: results before this frame and with it. opening: the next
    segment is the program's first.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.pointer = Signal(bits_for(config.segment_depth))
        self.valid, self.recurrent, self.wait = Signal(), Signal(), Signal()
        self.tile_end, self.frame_end = Signal(), Signal()
        self.first, self.ready = Signal(init=1), Signal()
        self.remaining = Signal(config.activation_address_bits + 1)
        self.address = Signal(config.activation_address_bits)
        self.needed, self.following_needed = Signal(SEQUENCE_BITS), Signal(SEQUENCE_BITS)
        self.parity, self.opening = Signal(init=1), Signal(init=1)
        self.base, self.target = Signal(SEQUENCE_BITS), Signal(SEQUENCE_BITS)
        self.bank, self.busy = Signal(), Signal(2)
        self.starting = Signal(config.channels)
        # The lanes' queues come from far away: what follows from them follows from this one wire.
        self.issue = Signal(attrs={"keep": "true"})
        self.go, self.ending, self.waiting, self.opens = Signal(), Signal(), Signal(), Signal()
        self.ready_stay, self.ready_step, self.ready_load = Signal(), Signal(), Signal()
