"""Frame output: results of the last layer leave here, however long the taker waits."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig
from .layouts import frame_out_layout


class FrameOutput(wiring.Component):
    """A FIFO of results with places promised when a row is issued.

    The element-wise unit cannot wait, so a row whose result leaves by this output is issued only
    while there is room for all results under way.

    Parameters
    ----------
    config: engine configuration; uses output_depth, channels, act_bits.

    Members
    -------
    issued: a result is on its way. room: one more place is free.
    write, values, last: the result arrives.
    frames: stream of ``layouts.frame_out_layout``. empty: nothing promised or held.

    Latency: written → valid, 1 cycle. Throughput: one result a cycle.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "issued": In(1), "room": Out(1), "write": In(1),
            "values": In(data.ArrayLayout(signed(config.act_bits), config.channels)),
            "last": In(1),
            "frames": Out(stream.Signature(frame_out_layout(config))), "empty": Out(1),
        })

    latency = 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = frame_out_layout(self.config)
        depth = self.config.output_depth
        m.submodules.fifo = fifo = SyncFIFO(width=layout.size, depth=depth)
        word, head = Signal(layout), Signal(layout)
        promised = Signal(range(depth + 1))
        take = Signal()
        m.d.comb += [
            word.values.eq(self.values), word.last.eq(self.last),
            fifo.w_en.eq(self.write), fifo.w_data.eq(word),
            head.eq(fifo.r_data), self.frames.payload.eq(head),
            self.frames.valid.eq(fifo.r_rdy), fifo.r_en.eq(self.frames.ready),
            take.eq(self.frames.valid & self.frames.ready),
            self.room.eq(promised != depth), self.empty.eq(promised == 0),
        ]
        with m.If(self.issued & ~take):
            m.d.sync += promised.eq(promised + 1)
        with m.Elif(take & ~self.issued):
            m.d.sync += promised.eq(promised - 1)
        return m
