"""One multiplier-accumulator: one channel of one lane (ESE's processing element)."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig, bits_for

DISTRIBUTED = {"ram_style": "distributed"}


class Mac(wiring.Component):
    """Queue slice, multiplier and two accumulator banks of one channel of one lane.

    ``bank[row] = (0 if fresh else bank[row]) + weight · queue[pop_slot]``

    An accumulator is read, added to and written in one cycle (LUTRAM, asynchronous read), so any
    order of rows is free of hazards. The lane shares all control among its channels.

    Parameters
    ----------
    config: engine configuration; uses queue_depth, acc_rows, act_bits, weight_bits, acc_bits.

    Members
    -------
    push, push_slot, activation: write ``activation`` to the queue slice.
    pop_slot, weight: entry fired in this cycle t (weight in weight units).
    row, write (one bit a bank), bank, fresh: accumulate in cycle t + 2, with the product of the
    entry fired in cycle t. ``fresh``: first product of the row in this tile.
    read_row_0, read_row_1: row addressed in each bank; the lane gives the accumulated row to the
    bank being accumulated and the drained row to the other.
    drain_select, drain_bank → drain: one cycle later, the drained row, or 0 if not selected.

    Latency: queue and multiplier 2 cycles, written at the end of the third. Throughput: one
    product a cycle. Format: two's complement throughout, no rounding; the packer proves that no
    accumulator overflows.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        slot_bits = bits_for(config.queue_depth)
        super().__init__({
            "push": In(1), "push_slot": In(slot_bits), "activation": In(signed(config.act_bits)),
            "pop_slot": In(slot_bits), "weight": In(signed(config.weight_bits)),
            "row": In(config.row_bits), "write": In(2), "bank": In(1), "fresh": In(1),
            "read_row_0": In(config.row_bits), "read_row_1": In(config.row_bits),
            "drain_select": In(1), "drain_bank": In(1),
            "drain": Out(signed(config.acc_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        m.submodules.queue = queue = Memory(shape=signed(config.act_bits), init=[],
                                            depth=config.queue_depth, attrs=DISTRIBUTED)
        push, pop = queue.write_port(), queue.read_port(domain="comb")
        m.d.comb += [push.en.eq(self.push), push.addr.eq(self.push_slot),
                     push.data.eq(self.activation), pop.addr.eq(self.pop_slot)]

        activation = Signal(signed(config.act_bits), reset_less=True)
        weight = Signal(signed(config.weight_bits), reset_less=True)
        product = Signal(signed(config.act_bits + config.weight_bits), reset_less=True)
        m.d.sync += [activation.eq(pop.data), weight.eq(self.weight),
                     product.eq(activation * weight)]

        read = []
        total = Signal(signed(config.acc_bits))
        for number, read_row in enumerate((self.read_row_0, self.read_row_1)):
            bank = Memory(shape=signed(config.acc_bits), depth=config.acc_rows, init=[],
                          attrs=DISTRIBUTED)
            m.submodules[f"bank_{number}"] = bank
            reader, writer = bank.read_port(domain="comb"), bank.write_port()
            m.d.comb += [reader.addr.eq(read_row), writer.addr.eq(self.row),
                         writer.en.eq(self.write[number]), writer.data.eq(total)]
            read.append(reader.data)
        held = Signal(signed(config.acc_bits))
        m.d.comb += [held.eq(Mux(self.bank, read[1], read[0])),
                     total.eq(product + Mux(self.fresh, 0, held))]

        m.d.sync += self.drain.eq(0)
        with m.If(self.drain_select):
            m.d.sync += self.drain.eq(Mux(self.drain_bank, read[1], read[0]))
        return m
