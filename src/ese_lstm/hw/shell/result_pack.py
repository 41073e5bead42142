"""Results of the engine to output packets for the host."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ...contract.config import EngineConfig, bits_for
from ...contract.packets import container_bits, row_beats
from ...contract.shell import ShellConfig
from ..axi.stream import beat_layout
from ..layouts import frame_out_layout


class ResultPack(wiring.Component):
    """Rows of results wait here, in block RAM, and leave as packets (see ``contract.packets``).

    The engine gives a tile's results faster than narrow streams take them: with room for a
    frame's, it never waits.

    Parameters
    ----------
    config, shell: configurations; uses result_depth.

    Members
    -------
    rows: stream of ``layouts.frame_out_layout``. beats: stream of ``axi.stream.beat_layout``.
    cut: forget the rows. A beat that is offered stays, as AXI wants, and a packet of which a beat
    was offered ends early, with one more beat (TLAST high, data 0) if it needs one.
    packet: the last beat of a packet leaves, for one cycle; not of one that was cut.

    Latency: row accepted → its first beat valid, 3 cycles. Throughput: one beat a cycle.
    """

    latency = 3

    def __init__(self, *, config: EngineConfig, shell: ShellConfig) -> None:
        self.config, self.shell = config, shell
        self.emit_key = config, shell
        super().__init__({
            "rows": In(stream.Signature(frame_out_layout(config))),
            "beats": Out(stream.Signature(beat_layout(shell))),
            "cut": In(1), "packet": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, shell = self.config, self.shell
        layout, beat = frame_out_layout(config), self.beats.payload
        bits, count = shell.stream_bits, row_beats(config, shell)

        fifo = SyncFIFOBuffered(width=layout.size, depth=shell.result_depth)
        m.submodules.fifo = ResetInserter(self.cut)(fifo)
        head = Signal(layout)
        m.d.comb += [fifo.w_en.eq(self.rows.valid & ~self.cut), fifo.w_data.eq(self.rows.payload),
                     self.rows.ready.eq(fifo.w_rdy & ~self.cut), head.eq(fifo.r_data)]

        padded = Cat(Cat(value, value[-1].replicate(container_bits(config) - config.act_bits))
                     for value in (head["values"][c].as_unsigned()
                                   for c in range(config.channels)))
        row = Signal(count * bits, reset_less=True)
        valid, ends, under_way, cutting = (
            Signal(name=name) for name in ("valid", "ends", "under_way", "cutting"))
        slot = Signal(bits_for(count))
        row_end, leaves, fetch = Signal(), Signal(), Signal()
        m.d.comb += [
            self.beats.valid.eq(valid), beat.data.eq(row[:bits]), beat.keep.eq(-1),
            row_end.eq(slot == count - 1), beat.last.eq(ends & row_end),
            leaves.eq(valid & self.beats.ready),
            fetch.eq((~valid | (leaves & row_end)) & ~cutting & ~self.cut),
            fifo.r_en.eq(fetch),
            self.packet.eq(leaves & beat.last & ~cutting & ~self.cut)]

        with m.If(leaves):
            m.d.sync += [row.eq(row >> bits), slot.eq(slot + 1), under_way.eq(~beat.last)]
            with m.If(row_end):
                m.d.sync += [valid.eq(0), slot.eq(0)]
        with m.If(fetch & fifo.r_rdy):
            m.d.sync += [valid.eq(1), row.eq(padded), ends.eq(head.last)]

        # After a cut: the beat offered goes; then one that ends the packet, if it is not ended.
        opened = Mux(leaves, ~beat.last, valid | under_way)
        with m.If(self.cut | cutting):
            m.d.sync += cutting.eq(opened)
            with m.If(leaves | ~valid):
                m.d.sync += [valid.eq(opened), row.eq(0), ends.eq(1), slot.eq(count - 1)]
                with m.If(~opened):
                    m.d.sync += slot.eq(0)
        return m
