"""A lane's weight memory, read in order, over and over."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...contract.config import EngineConfig

PREFETCH = 4
"""Entries fetched ahead: the memory's two cycles, the FIFO's one, and the one being taken."""


class WeightStream(wiring.Component):
    """Entries 0 … last of a lane, one a cycle, then again from 0: one round is one frame.

    The stream has no pointers and no pads; whoever decodes it finds the columns' ends in the
    entries themselves.

    Parameters
    ----------
    config: engine configuration; uses stream_depth and entry_bits.

    Members
    -------
    write, write_last, address, data: store ``data`` at ``address``, or make ``data`` the address
    of the last entry. Only while held in reset: a reset starts the stream over and keeps memory.
    entries: the stream; payload of ``contract.layout.entry_layout``.

    Latency: first entry 3 cycles after reset. Throughput: one entry a cycle.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "write": In(1), "write_last": In(1), "address": In(config.stream_address_bits),
            "data": In(max(config.entry_bits, config.stream_address_bits)),
            "entries": Out(stream.Signature(config.entry_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        m.submodules.weights = weights = Memory(shape=config.entry_bits, init=[],
                                                depth=config.stream_depth,
                                                attrs={"ram_style": "block"})
        writer, reader = weights.write_port(), weights.read_port()
        last = Signal(config.stream_address_bits, reset_less=True)
        m.d.comb += [writer.en.eq(self.write), writer.addr.eq(self.address),
                     writer.data.eq(self.data)]
        with m.If(self.write_last):
            m.d.sync += last.eq(self.data)

        m.submodules.prefetch = prefetch = SyncFIFO(width=config.entry_bits, depth=PREFETCH)
        position = Signal(config.stream_address_bits)
        outstanding = Signal(range(PREFETCH + 1))
        fetch, take, read, ready = Signal(), Signal(), Signal(), Signal()
        word = Signal(config.entry_bits, reset_less=True)
        m.d.comb += [fetch.eq(outstanding != PREFETCH),
                     take.eq(self.entries.valid & self.entries.ready),
                     reader.en.eq(1), reader.addr.eq(position)]
        m.d.sync += [outstanding.eq(outstanding + fetch - take), read.eq(fetch), ready.eq(read),
                     word.eq(reader.data)]
        with m.If(fetch):
            m.d.sync += position.eq(Mux(position == last, 0, position + 1))
        m.d.comb += [prefetch.w_en.eq(ready), prefetch.w_data.eq(word),
                     self.entries.valid.eq(prefetch.r_rdy),
                     self.entries.payload.eq(prefetch.r_data),
                     prefetch.r_en.eq(self.entries.ready)]
        return m
