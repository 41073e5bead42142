"""Activation buffer: the columns that the sparse matrix-vector unit reads."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig
from .elementwise.unit import result_write_layout
from .layouts import write_signature
from .parts import memory


class ActivationBuffer(wiring.Component):
    """Inputs and results of all layers; a word holds one value of every channel.

    Parameters
    ----------
    config: engine configuration; uses activation_depth, act_bits and channels.

    Members
    -------
    store: an input column (``layouts.write_signature``), written a cycle later, in which there
    must be no result. result: a result, written now (``elementwise.unit.result_write_layout``).
    read_address, read_data: a column, answered in the next cycle.

    Throughput: one column read, one written a cycle.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        column = data.ArrayLayout(signed(config.act_bits), config.channels)
        super().__init__({
            "store": In(write_signature(config.activation_address_bits, column)),
            "result": In(result_write_layout(config)),
            "read_address": In(config.activation_address_bits), "read_data": Out(column)})

    latency = 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        column = self.read_data.shape()
        words = memory(m, "words", shape=column, depth=self.config.activation_depth, style="block")
        reader, writer = words.read_port(), words.write_port()
        arriving = Signal()
        address, value = (Signal.like(port, reset_less=True, name=f"arriving_{name}")
                          for name, port in (("address", self.store.address),
                                             ("column", self.store.data)))
        m.d.sync += [arriving.eq(self.store.write), address.eq(self.store.address),
                     value.eq(self.store.data)]
        m.d.comb += [
            reader.addr.eq(self.read_address), self.read_data.eq(reader.data),
            writer.en.eq(self.result.valid | arriving),
            writer.addr.eq(address), writer.data.eq(value)]
        with m.If(self.result.valid):
            m.d.comb += [writer.addr.eq(self.result.address),
                         writer.data.eq(self.result["values"])]
        return m
