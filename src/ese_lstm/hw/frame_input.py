"""Frame input: writes arriving frames into the activation buffer, one ahead of the engine."""

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig
from ..contract.layout import header_layout
from .layouts import frame_in_layout, struct, waiting_signature, write_signature

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
    store: to the activation buffer (``layouts.write_signature``). waiting: the frame that has
    arrived (``layouts.waiting_signature``).
    error: a frame of the wrong length arrived since reset.

    Latency: last word accepted → ready, 1 cycle. Throughput: one word a cycle.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "header": In(struct(header_layout(config))), "run": In(1),
            "frames": In(stream.Signature(frame_in_layout(config))),
            "blocked": In(1), "store": Out(write_signature(
                config.activation_address_bits,
                data.ArrayLayout(signed(config.act_bits), config.channels))),
            "waiting": Out(waiting_signature(config)), "error": Out(1),
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
            self.store.write.eq(accept & inside),
            self.store.address.eq(
                Mux(filling, self.header.input_odd, self.header.input_even) + index),
            self.store.data.eq(word.values),
        ]
        with m.If(accept):
            with m.If(word.last):
                m.d.sync += index.eq(0)
            with m.Elif(inside):
                m.d.sync += index.eq(index + 1)
            with m.If(word.last & ~final):
                m.d.sync += self.error.eq(1)
        for count, down in ((held, self.waiting.release), (waiting, self.waiting.take)):
            with m.If(commit & ~down):
                m.d.sync += count.eq(count + 1)
            with m.Elif(down & ~commit):
                m.d.sync += count.eq(count - 1)

        active = Array(Signal(config.channels, name=f"active_{k}") for k in range(SLOTS))
        start = Array(Signal(config.channels, name=f"start_{k}") for k in range(SLOTS))
        with m.If(commit):
            m.d.sync += [active[filling].eq(word.active), start[filling].eq(word.start),
                         filling.eq(~filling)]
        with m.If(self.waiting.take):
            m.d.sync += serving.eq(~serving)
        m.d.comb += [self.waiting.ready.eq(waiting != 0), self.waiting.active.eq(active[serving]),
                     self.waiting.start.eq(start[serving])]
        return m
