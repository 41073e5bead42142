"""Sparse matrix-vector unit: segments and columns in, finished rows out."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ...contract.config import SEQUENCE_BITS, EngineConfig, bits_for
from ...contract.layout import header_layout, row_layout, segment_layout
from ..layouts import (
    drain_signature,
    entries_signature,
    events_signature,
    frames_signature,
    struct,
    write_signature,
)
from ..place import place
from . import collector
from .broadcaster import Broadcaster
from .lane import Lane
from .mac import group_sizes


class SpmvUnit(wiring.Component):
    """One broadcaster, its lanes and their collectors.

    The engine knows of it only what stands here, so that another dataflow can take its place.

    Parameters
    ----------
    config: engine configuration.

    Members
    -------
    running: while low, all but what has been loaded is forgotten. run: start new frames.
    segments: the program's segments (``contract.layout.segment_layout``), entries: the weights;
    see ``layouts.write_signature`` and ``layouts.entries_signature``. header: the program's
    (``contract.layout.header_layout``).
    frames: ``layouts.frames_signature``. read_address, read_data: a column of the activation
    buffer, answered in the next cycle. result: in the next cycle a result is written there.
    drain: ``layouts.drain_signature``. row: that row (acc_bits a channel), ``timing.DRAIN`` cycles
    after it was asked for.
    done: no frame is under way, every row is drained and every result written.
    events: ``layouts.events_signature``.
    rows: rows of streamed weights, see ``Engine``; only with a ``fetch_depth``.

    Throughput: one column or, per lane, one entry a cycle, whichever takes longer.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        streaming = {"rows": In(stream.Signature(struct(row_layout(config))))} \
            if config.fetch_depth else {}
        super().__init__({
            "running": In(1), "run": In(1), "done": Out(1),
            "segments": In(write_signature(bits_for(config.segment_depth),
                                           segment_layout(config).bits)),
            "entries": In(entries_signature(config)),
            "header": In(struct(header_layout(config))),
            "frames": In(frames_signature(config)),
            "read_address": Out(config.activation_address_bits),
            "read_data": In(data.ArrayLayout(signed(config.act_bits), config.channels)),
            "result": In(1), "drain": Out(drain_signature(config)),
            "row": Out(data.ArrayLayout(signed(config.acc_bits), config.channels)),
            "events": Out(events_signature(config)), **streaming,
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        broadcaster = Broadcaster(config=config)
        lanes = [Lane(config=config) for _ in range(config.lanes)]
        stop = Signal()
        m.d.comb += stop.eq(~self.running)
        place(m, platform, "broadcaster", broadcaster, module="ese_broadcaster", clear=stop)
        for number, lane in enumerate(lanes):
            place(m, platform, f"lane_{number}", lane, module="ese_lane", clear=stop)

        written = Signal(SEQUENCE_BITS)
        with m.If(~self.running):
            m.d.sync += written.eq(0)
        with m.Else(), m.If(self.result):
            m.d.sync += written.eq(written + 1)

        frames, events = self.frames, self.events
        m.d.comb += [
            broadcaster.write.eq(self.segments.write),
            broadcaster.write_address.eq(self.segments.address),
            broadcaster.write_data.eq(self.segments.data),
            broadcaster.header.eq(self.header), broadcaster.run.eq(self.run),
            broadcaster.frame_ready.eq(frames.ready), broadcaster.frame_start.eq(frames.start),
            frames.take.eq(broadcaster.frame_take), frames.parity.eq(broadcaster.frame_parity),
            frames.issue.eq(broadcaster.issue), frames.release.eq(broadcaster.frame_release),
            self.read_address.eq(broadcaster.read_address),
            broadcaster.read_data.eq(self.read_data), broadcaster.written.eq(written),
            broadcaster.bank_clear.eq(self.drain.bank_clear),
            broadcaster.full.eq(self._full(m, broadcaster, lanes)),
            self.done.eq(broadcaster.done),
            self.drain.done.eq(Cat(Cat(lane.done[bank] for lane in lanes).all()
                                   for bank in range(2))),
            events.frame.eq(broadcaster.frame_release), events.stall.eq(broadcaster.stall),
            events.fired_product.eq(Cat(lane.fired_product for lane in lanes)),
            events.fired_null.eq(Cat(lane.fired_null for lane in lanes))]
        self._lanes(m, broadcaster, lanes)
        self._collect(m, platform, lanes)
        if config.fetch_depth:
            self._stream_rows(m, broadcaster, lanes)
        return m

    def _full(self, m: Module, broadcaster: Broadcaster, lanes: list[Lane]) -> Value:
        """Whether any lane's queue is full, counting the column issued in the last cycle."""
        # Two lanes and the last issue fill a LUT, then six of those; kept so. This copy of the last
        # issue drives nothing far away.
        issued = Signal(reset_less=True)
        m.d.sync += issued.eq(broadcaster.issue)
        full = Cat(_kept(m, f"full_{first}", Cat(
            lane.full | (issued & lane.nearly_full) for lane in lanes[first:first + 2]).any())
            for first in range(0, len(lanes), 2))
        return Cat(_kept(m, f"full_group_{first}", full[first:first + 6].any())
                   for first in range(0, len(full), 6)).any()

    def _lanes(self, m: Module, broadcaster: Broadcaster, lanes: list[Lane]) -> None:
        """Columns, entries and what is asked for, to every lane."""
        entries, drain = self.entries, self.drain
        for number, lane in enumerate(lanes):
            m.d.comb += [
                lane.issue.eq(broadcaster.issued), lane.push.eq(broadcaster.push),
                lane.column.eq(broadcaster.column), lane.tile_last.eq(broadcaster.tile_last),
                lane.write.eq(entries.entry[number]), lane.write_last.eq(entries.last[number]),
                lane.address.eq(entries.address), lane.data.eq(entries.data),
                lane.bank_clear.eq(drain.bank_clear), lane.drain_row.eq(drain.row),
                lane.drain_select.eq(Cat(drain.select_0[number], drain.select_1[number]))]

    def _collect(self, m: Module, platform: object, lanes: list[Lane]) -> None:
        """Drained rows of all lanes to the one that was asked for."""
        first = 0
        for number, channels in enumerate(group_sizes(self.config.channels, collector.GROUP)):
            unit = collector.Collector(config=self.config, channels=channels)
            place(m, platform, f"collector_{number}", unit, module=f"ese_collector_{channels}")
            for channel in range(channels):
                m.d.comb += self.row[first + channel].eq(unit.row[channel])
                for position, lane in enumerate(lanes):
                    for bank, drain in enumerate((lane.drain_0, lane.drain_1)):
                        m.d.comb += getattr(unit, f"lane_{position}_bank_{bank}")[channel].eq(
                            drain[first + channel])
            first += channels

    def _stream_rows(self, m: Module, broadcaster: Broadcaster, lanes: list[Lane]) -> None:
        """Rows to the lanes' fetch FIFOs. A row waits in one stage; whether it fits is a register
        that was decided a cycle ahead, for the row that waits or for the one that comes."""
        waiting = Signal(struct(row_layout(self.config)), reset_less=True)
        valid, fits, advance = (Signal(name=f"row_{name}") for name in ("valid", "fits", "advance"))
        room = Cat(lane.row_room for lane in lanes)
        m.d.comb += [advance.eq(~valid | fits), self.rows.ready.eq(self.running & advance)]
        m.d.sync += fits.eq(Mux(advance, (~self.rows.payload.mask | room).all(),
                                (~waiting.mask | room).all()))
        with m.If(advance):
            m.d.sync += [waiting.eq(self.rows.payload), valid.eq(self.rows.valid)]
        with m.If(~self.running):
            m.d.sync += valid.eq(0)
        for number, lane in enumerate(lanes):
            m.d.comb += [lane.streamed.eq(broadcaster.streamed),
                         lane.row_push.eq(valid & fits & waiting.mask[number]),
                         lane.row_entry.eq(waiting[f"entry_{number}"])]


def _kept(m: Module, name: str, value: Value) -> Signal:
    """A wire that synthesis keeps, so that the logic before it is not merged with that behind."""
    wire = Signal(name=name, attrs={"keep": "true"})
    m.d.comb += wire.eq(value)
    return wire
