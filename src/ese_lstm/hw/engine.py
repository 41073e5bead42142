"""The engine: sparse matrix-vector unit, element-wise unit and scheduler, with native streams."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig
from ..contract.layout import load_layout, row_layout
from .activations import ActivationBuffer
from .counters import Counters, counter_layout
from .elementwise.epilogue import EpilogueSequencer
from .elementwise.unit import ElementwiseUnit, cell_write_layout, result_write_layout
from .frame_input import FrameInput
from .frame_masks import FrameMasks
from .frame_output import FrameOutput
from .layouts import frame_in_layout, frame_out_layout, struct
from .loader import Loader
from .place import place
from .spmv.unit import SpmvUnit


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
        spmv, masks = SpmvUnit(config=config), FrameMasks(config=config)
        activations, sequencer = ActivationBuffer(config=config), EpilogueSequencer(config=config)
        elementwise, loader = ElementwiseUnit(config=config), Loader(config=config)
        frame_input, frame_output = FrameInput(config=config), FrameOutput(config=config)
        counters = Counters(config=config)

        # Everything but the loader and the counters is held in reset while not running.
        running, stop = Signal(), Signal()
        m.d.comb += [stop.eq(~running), self.idle.eq(~running & ~self.run)]
        with m.If(~running):
            m.d.sync += running.eq(self.run)
        with m.Else(), m.If(~self.run & spmv.done & frame_output.empty):
            m.d.sync += running.eq(0)
        m.submodules.spmv, m.submodules.masks, m.submodules.activations = spmv, masks, activations
        for name, unit in (("loader", loader), ("counters", counters),
                           ("elementwise", elementwise)):
            place(m, platform, name, unit, module=f"ese_{name}")
        for name, unit in (("epilogue", sequencer), ("frame_input", frame_input),
                           ("frame_output", frame_output)):
            place(m, platform, name, unit, module=f"ese_{name}", clear=stop)

        for offered, taken in (
                (wiring.flipped(self.load), loader.beats), (loader.segment, spmv.segments),
                (loader.entries, spmv.entries), (loader.epilogue, sequencer.load),
                (loader.param, elementwise.load), (wiring.flipped(self.frame_in),
                                                   frame_input.frames),
                (frame_input.store, activations.store), (frame_input.waiting, masks.waiting),
                (masks.frames, spmv.frames), (masks.masks, sequencer.masks),
                (spmv.drain, sequencer.drain), (spmv.events, counters.events),
                (frame_output.frames, wiring.flipped(self.frame_out))):
            wiring.connect(m, offered, taken)
        m.d.comb += [
            loader.enable.eq(self.idle), frame_input.header.eq(loader.header),
            frame_input.run.eq(running & self.run), frame_input.blocked.eq(elementwise.result_soon),
            masks.clear.eq(stop),
            spmv.header.eq(loader.header), spmv.running.eq(running), spmv.run.eq(self.run),
            spmv.result.eq(elementwise.result_soon),
            activations.read_address.eq(spmv.read_address),
            spmv.read_data.eq(activations.read_data), activations.result.eq(elementwise.result),
            sequencer.room.eq(frame_output.room),
            elementwise.sample.eq(sequencer.sample), elementwise.row.eq(spmv.row),
            frame_output.issued.eq(sequencer.output_issued),
            frame_output.write.eq(elementwise.output), frame_output.last.eq(elementwise.last),
            frame_output.values.eq(elementwise.result["values"]),
            counters.clear.eq(stop & self.run), counters.running.eq(running),
            counters.stall_output.eq(sequencer.stall_output),
            self.trace_cell.eq(elementwise.cell), self.trace_result.eq(elementwise.result),
            self.counters.eq(counters.values)]
        if config.fetch_depth:
            wiring.connect(m, wiring.flipped(self.rows), spmv.rows)
            m.d.comb += self.rows_enable.eq(running)
        with m.If(frame_input.error):
            m.d.sync += self.frame_error.eq(1)
        with m.If(stop & self.run):
            m.d.sync += self.frame_error.eq(0)
        return m
