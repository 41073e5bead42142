"""A lane's weight memory, read in order, over and over."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...contract.config import EngineConfig
from ..parts import following, memory, prefetch


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

        weights = memory(m, "weights", shape=config.entry_bits, depth=config.stream_depth,
                         style="block")
        writer, reader = weights.write_port(), weights.read_port()
        last = Signal(config.stream_address_bits, reset_less=True)
        m.d.comb += [writer.en.eq(self.write), writer.addr.eq(self.address),
                     writer.data.eq(self.data)]
        with m.If(self.write_last):
            m.d.sync += last.eq(self.data)

        position = Signal(config.stream_address_bits)
        m.d.comb += reader.addr.eq(position)
        with m.If(prefetch(m, reader, wiring.flipped(self.entries))):
            m.d.sync += position.eq(following(position, last))
        return m
