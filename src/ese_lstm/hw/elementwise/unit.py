"""Element-wise unit: param memory, cell buffer and one datapath per channel."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...contract import timing
from ...contract.cells import LSTM
from ...contract.config import EngineConfig
from ...contract.layout import param_layout
from ..layouts import is_kind, struct, write_signature
from ..parts import memory
from ..place import place
from .channel import ElementwiseChannel
from .epilogue import sample_layout
from .numeric import delay


def cell_write_layout(config: EngineConfig) -> data.StructLayout:
    """A write to the cell buffer: cell state of every channel."""
    return data.StructLayout({
        "valid": unsigned(1), "address": unsigned(config.cell_address_bits),
        "values": data.ArrayLayout(signed(config.cell_bits), config.channels)})


def result_write_layout(config: EngineConfig) -> data.StructLayout:
    """A result written to the activation buffer: m or y of every channel."""
    return data.StructLayout({
        "valid": unsigned(1), "address": unsigned(config.activation_address_bits),
        "values": data.ArrayLayout(signed(config.act_bits), config.channels)})


class ElementwiseUnit(wiring.Component):
    """Turn drained rows into cell states and results, all channels in lock-step.

    Parameters
    ----------
    config: engine configuration; uses channels, cell_depth, param_depth and all widths.

    Members
    -------
    load: store a param word (``layouts.write_signature``, ``contract.layout.param_layout``).
    sample: what goes with a row (``epilogue.sample_layout``), one cycle after its issue.
    row: the row itself (acc_bits a channel), timing.DRAIN cycles after its issue.
    cell: the write to the cell buffer, timing.CELL cycles after the row (gate g).
    result, output, last: the result, timing.RESULT cycles after the row (gate o, linear).
    result_soon: ``result.valid`` of the next cycle.

    Throughput: one row a cycle; never stalls.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "load": In(write_signature(config.param_address_bits, param_layout(config).bits)),
            "sample": In(sample_layout(config)),
            "row": In(data.ArrayLayout(signed(config.acc_bits), config.channels)),
            "cell": Out(cell_write_layout(config)),
            "result": Out(result_write_layout(config)), "result_soon": Out(1),
            "output": Out(1), "last": Out(1),
        })

    @property
    def latency(self) -> int:
        """Cycles from a row at the input to its result."""
        return timing.RESULT

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        param_struct = struct(param_layout(config))
        params = memory(m, "params", shape=param_struct, depth=config.param_depth, style="block")
        cells = memory(m, "cells", shape=data.ArrayLayout(signed(config.cell_bits),
                                                          config.channels),
                       depth=config.cell_depth, style="block")
        param_writer, param_reader = params.write_port(), params.read_port()
        cell_writer, cell_reader = cells.write_port(), cells.read_port()
        m.d.comb += [param_writer.en.eq(self.load.write),
                     param_writer.addr.eq(self.load.address),
                     param_writer.data.eq(self.load.data)]

        # sample[k] is valid k cycles after the row's issue; the row itself after DRAIN.
        layout = sample_layout(config)
        sample = {1: self.sample}
        for age in range(2, timing.DRAIN + 1):
            sample[age] = Signal(layout, name=f"sample_{age}")
            m.d.sync += sample[age].eq(sample[age - 1])
        addressed = sample[timing.DRAIN - timing.OPERAND_LEAD]
        answered = sample[timing.DRAIN - timing.OPERAND_LEAD + 1]
        arrived = sample[timing.DRAIN]
        param = Signal(param_struct, reset_less=True)
        m.d.comb += [param_reader.addr.eq(addressed.param), cell_reader.addr.eq(addressed.cell)]
        m.d.sync += param.eq(param_reader.data)

        for channel in range(config.channels):
            unit = ElementwiseChannel(config=config)
            place(m, platform, f"channel_{channel}", unit, module="ese_channel")
            state = Signal(signed(config.cell_bits), name=f"state_{channel}", reset_less=True)
            fresh = answered.start[channel] & (answered.gate != LSTM.result)
            m.d.sync += state.eq(Mux(fresh, 0, cell_reader.data[channel]))
            m.d.comb += [
                unit.valid.eq(arrived.valid), unit.kind.eq(arrived.kind),
                unit.gate.eq(arrived.gate), unit.shift.eq(arrived.shift),
                unit.acc.eq(self.row[channel]), unit.bias.eq(param.bias),
                unit.peephole.eq(param.peephole), unit.cell_in.eq(state),
                unit.active.eq(arrived.active[channel]),
                self.cell["values"][channel].eq(unit.cell_out),
                self.result["values"][channel].eq(unit.result),
            ]
        self._writes(m, arrived)
        m.d.comb += [cell_writer.en.eq(self.cell.valid), cell_writer.addr.eq(self.cell.address),
                     cell_writer.data.eq(self.cell["values"])]
        return m

    def _writes(self, m: Module, arrived: data.View) -> None:
        """When and where what comes of a row is written. Reset ends the rows under way: what they
        would write is not valid any more."""
        lstm = is_kind(arrived.kind, LSTM)
        is_cell = arrived.valid & lstm & (arrived.gate == LSTM.state)
        is_result = arrived.valid & (~lstm | (arrived.gate == LSTM.result))
        m.d.comb += [
            self.cell.valid.eq(
                delay(m, is_cell, timing.CELL, "cell_valid", reset_less=False)),
            self.cell.address.eq(delay(m, arrived.cell, timing.CELL, "cell_address")),
            self.result_soon.eq(
                delay(m, is_result, timing.RESULT - 1, "result_soon", reset_less=False)),
            self.result.valid.eq(delay(m, self.result_soon, 1, "result_valid", reset_less=False)),
            self.result.address.eq(delay(m, arrived.dest, timing.RESULT, "result_address")),
            self.output.eq(delay(m, is_result & arrived.output, timing.RESULT, "output",
                                 reset_less=False)),
            self.last.eq(delay(m, arrived.last, timing.RESULT, "last")),
        ]

