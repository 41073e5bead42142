"""Entry decode: weight, row and end of column, in either index mode."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...contract.config import EngineConfig
from ...contract.layout import entry_layout
from ..layouts import struct


class EntryDecoder(wiring.Component):
    """Decode one entry of a lane's weight stream.

    ``absolute``: row = index. ``relative4`` [rec: the paper's 12 + 4 bit entry]: row = row of the
    column's previous entry (−1 at its start) + 1 + index.

    Parameters
    ----------
    config: engine configuration; index_mode selects the decoder.

    Members
    -------
    entry: word of ``contract.layout.entry_layout``. take: the entry is consumed in this cycle.
    weight, row, last: decoded in the same cycle. empty: weight 0, a null or filler entry.

    Latency: combinational; the running row of ``relative4`` is a register that ``take`` advances.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "entry": In(config.entry_bits), "take": In(1),
            "weight": Out(signed(config.weight_bits)), "row": Out(config.row_bits),
            "last": Out(1), "empty": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entry = struct(entry_layout(self.config))(self.entry)
        m.d.comb += [self.weight.eq(entry.weight), self.last.eq(entry.last),
                     self.empty.eq(entry.weight == 0)]
        if self.config.index_mode == "absolute":
            m.d.comb += self.row.eq(entry.index)
            return m
        base = Signal(self.config.row_bits + 1)
        m.d.comb += self.row.eq(base + entry.index)
        with m.If(self.take):
            m.d.sync += base.eq(Mux(self.last, 0, base + entry.index + 1))
        return m
