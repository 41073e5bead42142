"""A lane: one weight stream feeding the multipliers of all channels."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...contract import timing
from ...contract.config import EngineConfig, bits_for
from ..parts import following, memory
from ..place import place
from .decoder import EntryDecoder
from .fetch_fifo import FetchFifo
from .mac import MacGroup, group_sizes
from .weight_stream import WeightStream


@dataclass(frozen=True)
class _Queue:
    """Signals of the activation queue: an entry fires, the head column leaves, slots, columns."""

    fire: Signal
    pop: Signal
    push_slot: Signal
    pop_slot: Signal
    held: Signal


class Lane(wiring.Component):
    """Rows u ≡ lane (mod lanes) of the sparse matrix times the columns of all channels.

    Takes columns from its activation queue (ESE's ActQueue) and, for each, fires the entries of
    its weight stream up to the one marked last; every entry multiplies the same column's value
    of each channel. Columns alternate between two accumulator banks tile by tile. With a
    ``fetch_depth`` a column's entries come from the weight memory or, if the column is marked
    streamed, from the fetch FIFO.

    Parameters
    ----------
    config: engine configuration; all lanes are the same.

    Members
    -------
    issue: a column will arrive ``timing.BROADCAST − 2`` cycles from now; takes a place in the
    queue. full, nearly_full: every place, or every place but one, is taken, counting columns under
    way but not the one that ``issue`` tells of in this cycle.
    push, column, tile_last: a column (act_bits a channel) arrives; tile_last: its tile's last.
    write, write_last, address, data: see :class:`WeightStream`.
    streamed (of the column), row_push, row_entry, row_room: see :class:`FetchFifo`; only with a
    ``fetch_depth``.
    done: one bit a bank, set when the tile in that bank is complete. bank_clear: one bit a bank,
    the bank is drained: forget its rows and its done bit.
    drain_row, a cycle later drain_select (one bit a bank) → drain_0, drain_1: again a cycle later,
    that row of that bank for every channel (acc_bits each), 0 for a row without entries or if not
    selected.
    fired_product, fired_null: an entry with a weight, or a null or filler entry, fired in the
    last cycle.

    Latency: column at the head of the queue → its last entry's product readable:
    ``timing.MAC`` cycles after that entry fires. Throughput: one entry a cycle.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        streaming = {"streamed": In(1), "row_push": In(1), "row_entry": In(config.entry_bits),
                     "row_room": Out(1)} if config.fetch_depth else {}
        super().__init__({
            "issue": In(1), "full": Out(1), "nearly_full": Out(1),
            "push": In(1), "tile_last": In(1),
            "column": In(data.ArrayLayout(signed(config.act_bits), config.channels)),
            "write": In(1), "write_last": In(1), "address": In(config.stream_address_bits),
            "data": In(max(config.entry_bits, config.stream_address_bits)),
            "done": Out(2), "bank_clear": In(2),
            "drain_select": In(2), "drain_row": In(config.row_bits),
            "drain_0": Out(data.ArrayLayout(signed(config.acc_bits), config.channels)),
            "drain_1": Out(data.ArrayLayout(signed(config.acc_bits), config.channels)),
            "fired_product": Out(1), "fired_null": Out(1), **streaming,
        })

    @property
    def latency(self) -> int:
        """Cycles from firing a tile's last entry to its ``done`` bit."""
        return timing.MAC

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stream = weights = WeightStream(config=self.config)
        m.submodules.decoder = decoder = EntryDecoder(config=self.config)
        m.d.comb += [weights.write.eq(self.write), weights.write_last.eq(self.write_last),
                     weights.address.eq(self.address), weights.data.eq(self.data)]
        queue, last = self._queue(m, weights, decoder)

        # The entry fired in cycle t multiplies in t + 1 and accumulates in t + 2.
        bank = Signal()
        tile_end = Signal()
        m.d.comb += tile_end.eq(queue.pop & last)
        m.d.sync += bank.eq(bank ^ tile_end)
        stages = [{"valid": Signal(name=f"{stage}_valid"), "end": Signal(name=f"{stage}_end"),
                   "bank": Signal(reset_less=True, name=f"{stage}_bank"),
                   "row": Signal(self.config.row_bits, reset_less=True, name=f"{stage}_row")}
                  for stage in ("multiply", "accumulate")]
        for stage, before in zip(stages, ({"valid": queue.fire, "end": tile_end, "bank": bank,
                                           "row": decoder.row}, stages[0]), strict=True):
            m.d.sync += [stage[name].eq(before[name]) for name in stage]
        multiply, accumulate = stages

        touched = [Signal(self.config.acc_rows, name=f"touched_{b}") for b in range(2)]
        fresh = Signal(reset_less=True)
        seen = Mux(multiply["bank"], touched[1].bit_select(multiply["row"], 1),
                   touched[0].bit_select(multiply["row"], 1))
        m.d.sync += fresh.eq(~seen)
        for b in range(2):
            with m.If(self.bank_clear[b]):
                m.d.sync += [touched[b].eq(0), self.done[b].eq(0)]
            with m.If(multiply["valid"] & (multiply["bank"] == b)):
                m.d.sync += touched[b].bit_select(multiply["row"], 1).eq(1)
            with m.If(accumulate["end"] & (accumulate["bank"] == b)):
                m.d.sync += self.done[b].eq(1)
        self._accumulate(m, platform, touched, multiply, {
            "push": self.push, "push_slot": queue.push_slot, "pop_slot": queue.pop_slot,
            "weight": decoder.weight, "row": accumulate["row"], "bank": accumulate["bank"],
            "fresh": fresh})
        return m

    def _queue(self, m: Module, weights: WeightStream, decoder: EntryDecoder
               ) -> tuple[_Queue, Value]:
        """Activation queue: places promised at issue, columns held after push; and whether the
        head column is its tile's last."""
        depth = self.config.queue_depth
        flags = memory(m, "flags", shape=1, depth=depth, style="distributed")
        flag_write, flag_read = flags.write_port(), flags.read_port(domain="comb")
        promised, held = Signal(range(depth + 1)), Signal(range(depth + 1))
        promised_next = Signal(range(depth + 1))
        push_slot, pop_slot = Signal(bits_for(depth)), Signal(bits_for(depth))
        fire, pop = Signal(), Signal()
        queue = _Queue(fire, pop, push_slot, pop_slot, held)
        entry, entry_valid, fire_resident = self._sources(m, weights, queue)
        m.d.comb += [decoder.entry.eq(entry),
                     fire.eq((held != 0) & entry_valid), pop.eq(fire & decoder.last),
                     weights.entries.ready.eq(fire_resident), decoder.take.eq(fire),
                     promised_next.eq(promised + self.issue - pop),
                     flag_write.en.eq(self.push), flag_write.addr.eq(push_slot),
                     flag_write.data.eq(self.tile_last), flag_read.addr.eq(pop_slot)]
        m.d.sync += [promised.eq(promised_next), self.full.eq(promised_next == depth),
                     self.nearly_full.eq(promised_next == depth - 1),
                     held.eq(held + self.push - pop),
                     self.fired_product.eq(fire & ~decoder.empty),
                     self.fired_null.eq(fire & decoder.empty)]
        with m.If(self.push):
            m.d.sync += push_slot.eq(following(push_slot, depth - 1))
        with m.If(pop):
            m.d.sync += pop_slot.eq(following(pop_slot, depth - 1))
        return queue, flag_read.data

    def _accumulate(self, m: Module, platform: object, touched: list[Signal],
                    multiply: dict[str, Signal], shared: dict[str, Value]) -> None:
        """The groups of multipliers, all with the same control, ``shared`` and that of the banks.

        Which row a bank reads is decided a cycle ahead: read, add and write take one cycle."""
        config = self.config
        write = Signal(2)
        drained = Signal(config.row_bits, reset_less=True)
        read_rows = [Signal(config.row_bits, name=f"read_row_{b}", reset_less=True)
                     for b in range(2)]
        m.d.sync += drained.eq(self.drain_row)
        for b, read_row in enumerate(read_rows):
            accumulates = multiply["valid"] & (multiply["bank"] == b)
            m.d.sync += [write[b].eq(accumulates),
                         read_row.eq(Mux(accumulates, multiply["row"], self.drain_row))]
        shared = {**shared, "write": write, "read_row_0": read_rows[0], "read_row_1": read_rows[1],
                  "drain_select": Cat(self.drain_select[b] & touched[b].bit_select(drained, 1)
                                      for b in range(2))}
        first = 0
        for number, channels in enumerate(group_sizes(config.channels)):
            group = MacGroup(config=config, channels=channels)
            place(m, platform, f"macs_{number}", group, module=f"ese_macs_{channels}")
            m.d.comb += [getattr(group, name).eq(value) for name, value in shared.items()]
            for channel in range(channels):
                m.d.comb += [group.column[channel].eq(self.column[first + channel]),
                             self.drain_0[first + channel].eq(group.drain_0[channel]),
                             self.drain_1[first + channel].eq(group.drain_1[channel])]
            first += channels

    def _sources(self, m: Module, weights: WeightStream, queue: _Queue
                 ) -> tuple[Value, Value, Value]:
        """The next entry of the head column's source, whether there is one, and whether the
        weight memory's fires."""
        config = self.config
        if not config.fetch_depth:
            return weights.entries.payload, weights.entries.valid, queue.fire
        m.submodules.fetch = fetch = FetchFifo(config=config)
        sources = memory(m, "sources", shape=1, depth=config.queue_depth, style="distributed")
        writer, reader = sources.write_port(), sources.read_port(domain="comb")
        m.d.comb += [writer.en.eq(self.push), writer.addr.eq(queue.push_slot),
                     writer.data.eq(self.streamed),
                     reader.addr.eq(following(queue.pop_slot, config.queue_depth - 1)),
                     fetch.push.eq(self.row_push), fetch.entry.eq(self.row_entry),
                     self.row_room.eq(fetch.room)]
        # The head column's source, known a cycle ahead: the next one's, or that of the column
        # which arrives at an empty queue.
        streamed = Signal()
        with m.If(queue.pop & (queue.held != 1)):
            m.d.sync += streamed.eq(reader.data)
        with m.Elif(queue.pop | (queue.held == 0)):
            m.d.sync += streamed.eq(self.streamed)
        m.d.comb += fetch.entries.ready.eq(queue.fire & streamed)
        return (Mux(streamed, fetch.entries.payload, weights.entries.payload),
                Mux(streamed, fetch.entries.valid, weights.entries.valid), queue.fire & ~streamed)
