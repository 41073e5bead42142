"""Multiplier-accumulators of a group of channels of one lane (ESE's processing elements)."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...contract.config import EngineConfig, bits_for
from ..parts import memory

GROUP = 8
"""Channels that share LUTRAM words: a RAM32M16 holds 14 bits, so one 32-bit accumulator bank
would waste a quarter of three of them, eight banks side by side only 4 %."""


def group_sizes(channels: int, group: int = GROUP) -> list[int]:
    """Channels of each group: full groups first."""
    return [min(group, channels - first) for first in range(0, channels, group)]


class MacGroup(wiring.Component):
    """Queue slices, multipliers and two accumulator banks of some channels of one lane.

    For each channel: ``bank[row] = (0 if fresh else bank[row]) + weight · queue[pop_slot]``

    An accumulator is read, added to and written in one cycle (LUTRAM, asynchronous read), so any
    order of rows is free of hazards. The lane shares all control among its channels.

    Parameters
    ----------
    config: engine configuration; uses queue_depth, acc_rows, act_bits, weight_bits, acc_bits.
    channels: channels in this group, 1 to GROUP.

    Members
    -------
    push, push_slot, column: write the column's values (act_bits a channel) to the queue slices.
    pop_slot, weight: entry fired in this cycle t (weight in weight units).
    row, write (one bit a bank), bank, fresh: accumulate in cycle t + 2, with the product of the
    entry fired in cycle t. ``fresh``: first product of the row in this tile.
    read_row_0, read_row_1: row addressed in each bank; the lane gives the accumulated row to the
    bank being accumulated and the drained row to the other.
    drain_select (one bit a bank) → drain_0, drain_1: one cycle later, that bank's read row
    (acc_bits a channel), or 0 if not selected. Two registers straight behind the banks cost no
    logic, where one behind a multiplexer would cost as much as the adder.

    Latency: queue and multiplier 2 cycles, written at the end of the third. Throughput: one
    product a channel and cycle. Format: two's complement throughout, no rounding; the packer
    proves that no accumulator overflows.
    """

    def __init__(self, *, config: EngineConfig, channels: int) -> None:
        self.config = config
        self.channels = channels
        self.emit_key = (config, channels)
        slot_bits = bits_for(config.queue_depth)
        super().__init__({
            "push": In(1), "push_slot": In(slot_bits),
            "column": In(data.ArrayLayout(signed(config.act_bits), channels)),
            "pop_slot": In(slot_bits), "weight": In(signed(config.weight_bits)),
            "row": In(config.row_bits), "write": In(2), "bank": In(1), "fresh": In(1),
            "read_row_0": In(config.row_bits), "read_row_1": In(config.row_bits),
            "drain_select": In(2),
            "drain_0": Out(data.ArrayLayout(signed(config.acc_bits), channels)),
            "drain_1": Out(data.ArrayLayout(signed(config.acc_bits), channels)),
        })

    latency = 2

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        sums = data.ArrayLayout(signed(config.acc_bits), self.channels)

        queue = memory(m, "queue", shape=data.ArrayLayout(signed(config.act_bits), self.channels),
                       depth=config.queue_depth, style="distributed")
        push, pop = queue.write_port(), queue.read_port(domain="comb")
        m.d.comb += [push.en.eq(self.push), push.addr.eq(self.push_slot),
                     push.data.eq(self.column), pop.addr.eq(self.pop_slot)]

        weight = Signal(signed(config.weight_bits), reset_less=True)
        m.d.sync += weight.eq(self.weight)
        products = []
        for channel in range(self.channels):
            activation = Signal(signed(config.act_bits), name=f"activation_{channel}",
                                reset_less=True)
            product = Signal(signed(config.act_bits + config.weight_bits),
                             name=f"product_{channel}", reset_less=True)
            m.d.sync += [activation.eq(pop.data[channel]), product.eq(activation * weight)]
            products.append(product)

        totals = Signal(sums)
        read = []
        for number, read_row in enumerate((self.read_row_0, self.read_row_1)):
            bank = memory(m, f"bank_{number}", shape=sums, depth=config.acc_rows,
                          style="distributed")
            reader, writer = bank.read_port(domain="comb"), bank.write_port()
            m.d.comb += [reader.addr.eq(read_row), writer.addr.eq(self.row),
                         writer.en.eq(self.write[number]), writer.data.eq(totals)]
            read.append(reader.data)
        for number, drain in enumerate((self.drain_0, self.drain_1)):
            kept = Signal(sums, name=f"drain_register_{number}", reset_less=True)
            m.d.sync += kept.eq(Mux(self.drain_select[number], read[number].as_value(), 0))
            m.d.comb += drain.eq(kept)
        for channel, product in enumerate(products):
            held = Mux(self.bank, read[1][channel], read[0][channel])
            m.d.comb += totals[channel].eq(product + Mux(self.fresh, 0, held))
        return m
