"""The engine: sparse matrix-vector unit, element-wise unit and scheduler, with native streams."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..contract.config import SEQUENCE_BITS, EngineConfig
from ..contract.layout import load_layout, row_layout
from .counters import Counters, counter_layout
from .elementwise.epilogue import EpilogueSequencer
from .elementwise.unit import ElementwiseUnit, cell_write_layout, result_write_layout
from .frame_input import FrameInput
from .frame_output import FrameOutput
from .layouts import frame_in_layout, frame_out_layout, struct
from .loader import Loader
from .place import place
from .spmv import collector
from .spmv.broadcaster import Broadcaster
from .spmv.lane import Lane
from .spmv.mac import group_sizes


class Engine(wiring.Component):
    """Runs any LSTM or LSTMP stack that fits its buffers; the network is loaded, never baked in.

    Load an image's words while idle, raise ``run``, stream frames in, take results out. Lowering
    ``run`` lets frames already started finish; then ``idle`` rises and all state but the loaded
    memories is forgotten, input frames that wait included.

    Parameters
    ----------
    config: engine configuration.

    Members
    -------
    load: one memory word a beat (``contract.layout.load_layout``), taken while idle and not run.
    run, idle: see above. The first frame after a start is a start for every channel.
    frame_in: input features of all channels, one column a beat (``layouts.frame_in_layout``).
    frame_out: results of the tiles marked output (``layouts.frame_out_layout``).
    frame_error: an input frame of the wrong length was dropped since the last start.
    trace_cell, trace_result: every write to the cell buffer and every result written to the
    activation buffer, for observers; leave open in hardware.
    counters: ``counters.counter_layout``.
    rows: rows of streamed weights (``contract.layout.row_layout``), cyclic: a frame's rows, then
    again from the first; taken when each lane that a row has an entry for has room. The mask must
    come straight from registers. rows_enable: the engine runs and takes rows; whenever it falls
    (for one cycle at least), the rows start over. Both only with a ``fetch_depth``.

    Throughput: one column or, per lane, one entry a cycle, whichever takes longer.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        streaming = {"rows": In(stream.Signature(struct(row_layout(config)))),
                     "rows_enable": Out(1)} if config.fetch_depth else {}
        super().__init__({
            "load": In(stream.Signature(struct(load_layout(config)))),
            "run": In(1), "idle": Out(1),
            "frame_in": In(stream.Signature(frame_in_layout(config))),
            "frame_out": Out(stream.Signature(frame_out_layout(config))),
            "frame_error": Out(1),
            "trace_cell": Out(cell_write_layout(config)),
            "trace_result": Out(result_write_layout(config)),
            "counters": Out(counter_layout()), **streaming,
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        broadcaster, sequencer = Broadcaster(config=config), EpilogueSequencer(config=config)
        frame_input, frame_output = FrameInput(config=config), FrameOutput(config=config)
        elementwise = ElementwiseUnit(config=config)
        loader, counters = Loader(config=config), Counters(config=config)
        lanes = [Lane(config=config) for _ in range(config.lanes)]

        # Everything but the loader and the counters is held in reset while not running.
        running, stop = Signal(), Signal()
        sequence = Signal(SEQUENCE_BITS)
        m.d.comb += [
            stop.eq(~running), self.idle.eq(~running & ~self.run),
            loader.enable.eq(self.idle)]
        with m.If(~running):
            m.d.sync += [running.eq(self.run), sequence.eq(0)]
        with m.Else():
            with m.If(elementwise.result_soon):
                m.d.sync += sequence.eq(sequence + 1)
            with m.If(~self.run & broadcaster.done & frame_output.empty):
                m.d.sync += running.eq(0)

        for name, unit in (("loader", loader), ("counters", counters),
                           ("elementwise", elementwise)):
            place(m, platform, name, unit, module=f"ese_{name}")
        for name, unit in (("broadcaster", broadcaster), ("epilogue", sequencer),
                           ("frame_input", frame_input), ("frame_output", frame_output)):
            place(m, platform, name, unit, module=f"ese_{name}", clear=stop)
        for number, lane in enumerate(lanes):
            place(m, platform, f"lane_{number}", lane, module="ese_lane", clear=stop)

        # Load port.
        wiring.connect(m, loader.beats, wiring.flipped(self.load))
        m.d.comb += [
            broadcaster.write.eq(loader.segment_write),
            broadcaster.write_address.eq(loader.segment_address),
            broadcaster.write_data.eq(loader.segment_data),
            sequencer.write.eq(loader.epilogue_write),
            sequencer.write_address.eq(loader.epilogue_address),
            sequencer.write_data.eq(loader.epilogue_data),
            elementwise.param_write.eq(loader.param_write),
            elementwise.param_address.eq(loader.param_address),
            elementwise.param_data.eq(loader.param_data),
            broadcaster.header.eq(loader.header), frame_input.header.eq(loader.header),
        ]

        # Frames in and out; the channels' masks of the frames under way, by parity. A frame's masks
        # replace those of the frame two before with its first column, for which a bank must be
        # drained: by then that frame's last tile is in the epilogue, which holds its own copy.
        wiring.connect(m, frame_input.frames, wiring.flipped(self.frame_in))
        wiring.connect(m, frame_output.frames, wiring.flipped(self.frame_out))
        opening = Signal(init=1)
        active = [Signal(config.channels, name=f"active_{parity}") for parity in range(2)]
        start = [Signal(config.channels, name=f"start_{parity}") for parity in range(2)]
        m.d.comb += [
            frame_input.run.eq(running & self.run),
            frame_input.blocked.eq(elementwise.result_soon),
            frame_input.take.eq(broadcaster.frame_take),
            frame_input.released.eq(broadcaster.frame_release),
            broadcaster.run.eq(self.run), broadcaster.frame_ready.eq(frame_input.ready),
            broadcaster.frame_start.eq(Mux(opening, -1, frame_input.start)),
            sequencer.active_even.eq(active[0]), sequencer.start_even.eq(start[0]),
            sequencer.active_odd.eq(active[1]), sequencer.start_odd.eq(start[1]),
        ]
        taken_parity = Signal()
        taken_active, taken_start = Signal(config.channels), Signal(config.channels)
        for parity in range(2):
            with m.If(broadcaster.issue & (taken_parity == parity)):
                m.d.sync += [active[parity].eq(taken_active), start[parity].eq(taken_start)]
        with m.If(broadcaster.frame_take):
            m.d.sync += [opening.eq(0), taken_parity.eq(broadcaster.frame_parity),
                         taken_active.eq(frame_input.active),
                         taken_start.eq(broadcaster.frame_start)]
        with m.If(stop):
            m.d.sync += opening.eq(1)
        with m.If(frame_input.error):
            m.d.sync += self.frame_error.eq(1)
        with m.If(stop & self.run):
            m.d.sync += self.frame_error.eq(0)

        # Activation buffer: one column read, one word written a cycle; results go first. An input
        # word is written a cycle after it was accepted, before its frame can be read.
        column = data.ArrayLayout(signed(config.act_bits), config.channels)
        m.submodules.activations = activations = Memory(
            shape=column, depth=config.activation_depth, init=[], attrs={"ram_style": "block"})
        reader, writer = activations.read_port(), activations.write_port()
        arriving = Signal()
        arriving_address = Signal(config.activation_address_bits, reset_less=True)
        arriving_column = Signal(column, reset_less=True)
        m.d.comb += [
            reader.addr.eq(broadcaster.read_address), broadcaster.read_data.eq(reader.data),
            writer.en.eq(elementwise.result.valid | arriving),
            writer.addr.eq(arriving_address), writer.data.eq(arriving_column)]
        m.d.sync += [arriving.eq(frame_input.write),
                     arriving_address.eq(frame_input.write_address),
                     arriving_column.eq(frame_input.write_data)]
        with m.If(elementwise.result.valid):
            m.d.comb += [writer.addr.eq(elementwise.result.address),
                         writer.data.eq(elementwise.result["values"])]

        # Lanes.
        done = [Cat(lane.done[bank] for lane in lanes).all() for bank in range(2)]
        # Two lanes and the last issue fill a LUT, then six of those; kept so. This copy of the last
        # issue drives nothing far away.
        issued = Signal(reset_less=True)
        m.d.sync += issued.eq(broadcaster.issue)
        full = Cat(_kept(m, f"full_{first}", Cat(
            lane.full | (issued & lane.nearly_full) for lane in lanes[first:first + 2]).any())
            for first in range(0, len(lanes), 2))
        full = Cat(_kept(m, f"full_group_{first}", full[first:first + 6].any())
                   for first in range(0, len(full), 6))
        m.d.comb += [
            broadcaster.full.eq(full.any()),
            broadcaster.written.eq(sequence),
            broadcaster.bank_clear.eq(sequencer.bank_clear),
            sequencer.done.eq(Cat(done)), sequencer.room.eq(frame_output.room)]
        for number, lane in enumerate(lanes):
            m.d.comb += [
                lane.issue.eq(broadcaster.issued), lane.push.eq(broadcaster.push),
                lane.column.eq(broadcaster.column), lane.tile_last.eq(broadcaster.tile_last),
                lane.write.eq(loader.entry[number]),
                lane.write_last.eq(loader.lane_last[number]),
                lane.address.eq(loader.lane_address), lane.data.eq(loader.lane_data),
                lane.bank_clear.eq(sequencer.bank_clear),
                lane.drain_select.eq(Cat(sequencer.select_0[number],
                                         sequencer.select_1[number])),
                lane.drain_row.eq(sequencer.row),
            ]

        if config.fetch_depth:
            self._stream_rows(m, running, broadcaster, lanes)

        first = 0
        for number, channels in enumerate(group_sizes(config.channels, collector.GROUP)):
            unit = collector.Collector(config=config, channels=channels)
            place(m, platform, f"collector_{number}", unit, module=f"ese_collector_{channels}")
            for channel in range(channels):
                m.d.comb += elementwise.row[first + channel].eq(unit.row[channel])
                for position, lane in enumerate(lanes):
                    for bank, drain in enumerate((lane.drain_0, lane.drain_1)):
                        m.d.comb += getattr(unit, f"lane_{position}_bank_{bank}")[channel].eq(
                            drain[first + channel])
            first += channels

        # Element-wise unit.
        m.d.comb += [
            elementwise.sample.eq(sequencer.sample),
            frame_output.issued.eq(sequencer.output_issued),
            frame_output.write.eq(elementwise.output),
            frame_output.values.eq(elementwise.result["values"]),
            frame_output.last.eq(elementwise.last),
            self.trace_cell.eq(elementwise.cell), self.trace_result.eq(elementwise.result),
        ]

        m.d.comb += [
            counters.clear.eq(stop & self.run), counters.running.eq(running),
            counters.frame.eq(broadcaster.frame_release),
            counters.fired_product.eq(Cat(lane.fired_product for lane in lanes)),
            counters.fired_null.eq(Cat(lane.fired_null for lane in lanes)),
            counters.stall.eq(broadcaster.stall),
            counters.stall_output.eq(sequencer.stall_output),
            self.counters.eq(counters.values)]
        return m

    def _stream_rows(self, m: Module, running: Signal, broadcaster: Broadcaster,
                     lanes: list[Lane]) -> None:
        """Rows to the lanes' fetch FIFOs. A row waits in one stage; whether it fits is a register
        that was decided a cycle ahead, for the row that waits or for the one that comes."""
        waiting = Signal(struct(row_layout(self.config)), reset_less=True)
        valid, fits, advance = (Signal(name=f"row_{name}") for name in ("valid", "fits", "advance"))
        room = Cat(lane.row_room for lane in lanes)
        m.d.comb += [self.rows_enable.eq(running), advance.eq(~valid | fits),
                     self.rows.ready.eq(running & advance)]
        m.d.sync += fits.eq(Mux(advance, (~self.rows.payload.mask | room).all(),
                                (~waiting.mask | room).all()))
        with m.If(advance):
            m.d.sync += [waiting.eq(self.rows.payload), valid.eq(self.rows.valid)]
        with m.If(~running):
            m.d.sync += valid.eq(0)
        for number, lane in enumerate(lanes):
            m.d.comb += [lane.streamed.eq(broadcaster.streamed),
                         lane.row_push.eq(valid & fits & waiting.mask[number]),
                         lane.row_entry.eq(waiting[f"entry_{number}"])]


def _kept(m: Module, name: str, value: Value) -> Signal:
    """A wire that synthesis keeps, so that the logic before it is not merged with that behind."""
    wire = Signal(name=name, attrs={"keep": "true"})
    m.d.comb += wire.eq(value)
    return wire
