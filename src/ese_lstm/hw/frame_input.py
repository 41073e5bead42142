"""Frame input: writes arriving frames into the activation buffer, one ahead of the engine."""

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig
from ..contract.layout import header_layout
from .layouts import frame_in_layout, struct

SLOTS = 2


class FrameInput(wiring.Component):
    """Write a frame's columns to ``input_even`` or ``input_odd`` by its parity.

    While the engine works on one frame the next one arrives. A frame counts once its last word is
    written; a frame whose ``last`` comes too early or too late is dropped whole and sets error.

    Parameters
    ----------
    config: engine configuration.

    Members
    -------
    header: ``contract.layout.header_layout``; uses input_even, input_odd, input_width.
    run: accept input. frames: stream of words (``layouts.frame_in_layout``), input_width a frame.
    blocked: the buffer's write port is taken by a result in this cycle.
    write, write_address, write_data: to the activation buffer.
    ready: a whole frame waits. active, start: its channels (one bit each). take: the engine
    starts it. released: the engine has read its last column.
    error: a frame of the wrong length arrived since reset.

    Latency: last word accepted → ready, 1 cycle. Throughput: one word a cycle.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "header": In(struct(header_layout(config))), "run": In(1),
            "frames": In(stream.Signature(frame_in_layout(config))),
            "blocked": In(1), "write": Out(1),
            "write_address": Out(config.activation_address_bits),
            "write_data": Out(data.ArrayLayout(signed(config.act_bits), config.channels)),
            "ready": Out(1), "active": Out(config.channels), "start": Out(config.channels),
            "take": In(1), "released": In(1), "error": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        word = self.frames.payload

        filling, serving = Signal(), Signal()
        held, waiting = Signal(range(SLOTS + 1)), Signal(range(SLOTS + 1))
        index = Signal(config.activation_address_bits + 1)
        accept, commit, inside, final = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.frames.ready.eq(self.run & (held != SLOTS) & ~self.blocked),
            accept.eq(self.frames.valid & self.frames.ready),
            inside.eq(index < self.header.input_width),
            final.eq(index == self.header.input_width - 1),
            commit.eq(accept & word.last & final),
            self.write.eq(accept & inside),
            self.write_address.eq(
                Mux(filling, self.header.input_odd, self.header.input_even) + index),
            self.write_data.eq(word.values),
        ]
        with m.If(accept):
            with m.If(word.last):
                m.d.sync += index.eq(0)
            with m.Elif(inside):
                m.d.sync += index.eq(index + 1)
            with m.If(word.last & ~final):
                m.d.sync += self.error.eq(1)
        for count, down in ((held, self.released), (waiting, self.take)):
            with m.If(commit & ~down):
                m.d.sync += count.eq(count + 1)
            with m.Elif(down & ~commit):
                m.d.sync += count.eq(count - 1)

        active = Array(Signal(config.channels, name=f"active_{k}") for k in range(SLOTS))
        start = Array(Signal(config.channels, name=f"start_{k}") for k in range(SLOTS))
        with m.If(commit):
            m.d.sync += [active[filling].eq(word.active), start[filling].eq(word.start),
                         filling.eq(~filling)]
        with m.If(self.take):
            m.d.sync += serving.eq(~serving)
        m.d.comb += [self.ready.eq(waiting != 0), self.active.eq(active[serving]),
                     self.start.eq(start[serving])]
        return m
