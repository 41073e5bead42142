"""A lane's FIFO of streamed entries, between the rows from external memory and the decoder."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...contract import timing
from ...contract.config import EngineConfig, bits_for
from ..parts import following, memory, prefetch

BLOCK_DEPTH = 64
"""Entries from which on the FIFO is in block RAM."""


class FetchFifo(wiring.Component):
    """Entries in the order of the rows, one a cycle.

    Parameters
    ----------
    config: engine configuration; uses fetch_depth (above 0) and entry_bits.

    Members
    -------
    push, entry: a row brings an entry. room: ``timing.ROW_ROOM`` places are free, counting the
    entries that were pushed up to two cycles ago; a push without room for it would be lost, so
    whoever pushes looks at room at most ``ROW_ROOM − 2`` cycles before.
    entries: the stream; payload of ``contract.layout.entry_layout``.

    Latency: push → entry valid at an empty FIFO, 5 cycles. Throughput: one entry a cycle.
    """

    latency = 5

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "push": In(1), "entry": In(config.entry_bits), "room": Out(1, init=1),
            "entries": Out(stream.Signature(config.entry_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        depth = config.fetch_depth

        arriving = Signal()
        arriving_entry = Signal(config.entry_bits, reset_less=True)
        m.d.sync += [arriving.eq(self.push), arriving_entry.eq(self.entry)]

        waiting = memory(m, "waiting", shape=config.entry_bits, depth=depth,
                         style="block" if depth >= BLOCK_DEPTH else "distributed")
        writer, reader = waiting.write_port(), waiting.read_port()
        level, next_level = Signal(range(depth + 1)), Signal(range(depth + 1))
        write_slot, read_slot = Signal(bits_for(depth)), Signal(bits_for(depth))
        fetch = prefetch(m, reader, wiring.flipped(self.entries), level != 0)
        m.d.comb += [
            next_level.eq(level + arriving - fetch),
            writer.en.eq(arriving), writer.addr.eq(write_slot), writer.data.eq(arriving_entry),
            reader.addr.eq(read_slot)]
        m.d.sync += [
            level.eq(next_level), self.room.eq(next_level <= depth - timing.ROW_ROOM)]
        for step, slot in ((arriving, write_slot), (fetch, read_slot)):
            with m.If(step):
                m.d.sync += slot.eq(following(slot, depth - 1))
        return m
