"""The shell: an engine behind AXI4-Lite registers, AXI4-Streams and an AXI4 memory port."""

from collections.abc import Iterator
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Flow, In, Member, Out

from ...contract.config import EngineConfig
from ...contract.registers import ADDRESS_BITS, DATA_BITS
from ...contract.shell import ShellConfig
from ..axi.lite import axi_lite_signature
from ..engine import Engine
from ..place import place
from .frame_unpack import FrameUnpack
from .load_unit import ERRORS, LoadUnit
from .memory_port import MemoryPort, memory_ports
from .registers import Registers
from .result_pack import ResultPack
from .watchdog import Watchdog

STREAMS_IN, STREAM_OUT = ("s_axis_load", "s_axis_frame"), "m_axis_frame"
LITE, MEMORY = "s_axil", "m_axi"
MEMORY_EVENTS = ("beats_read", "beats_write", "weight_rows")


class Shell(wiring.Component):
    """Engine, registers, streams; what is exported as ``ese_shell``.

    Parameters
    ----------
    config, shell: configurations.

    Members, flat and named as Vivado infers interfaces
    -------
    s_axil_…: AXI4-Lite slave, the registers of ``contract.registers``. irq: level, active high.
    s_axis_load_…, s_axis_frame_…: AXI4-Stream slaves, m_axis_frame_…: master; packets of
    ``contract.packets``. m_axi_…: AXI4 master, only if the engine streams weights.

    CONTROL.run starts the engine once it is idle, no load packet is under way and all it wrote to
    external memory is there; from then on input packets are taken. Lowering it ends that: frames
    that the engine has not started, and the packet of which a part was taken, are forgotten
    without an error. soft_reset forgets all but the words loaded, after transfers on m_axi that
    are under way; the header goes too, so that no frame is taken until one is loaded.
    """

    def __init__(self, *, config: EngineConfig, shell: ShellConfig) -> None:
        self.config, self.shell = config, shell
        self.emit_key = config, shell
        members = {"irq": Out(1)}
        for name, flow, width in axi_lite_ports():
            members[f"{LITE}_{name}"] = flow(width)
        for stream, forward, back in ((STREAMS_IN[0], In, Out), (STREAMS_IN[1], In, Out),
                                      (STREAM_OUT, Out, In)):
            members |= {f"{stream}_tdata": forward(shell.stream_bits),
                        f"{stream}_tkeep": forward(shell.stream_bytes),
                        f"{stream}_tlast": forward(1), f"{stream}_tvalid": forward(1),
                        f"{stream}_tready": back(1)}
        if config.fetch_depth:
            members |= {f"{MEMORY}_{name}": flow(width)
                        for name, flow, width in memory_ports(shell)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parameters: dict[str, Any] = {"config": self.config, "shell": self.shell}
        registers, load = Registers(**parameters), LoadUnit(**parameters)
        unpack, pack = FrameUnpack(**parameters), ResultPack(**parameters)
        engine = Engine(config=self.config)
        for name, unit in (("registers", registers), ("load_unit", load),
                           ("frame_unpack", unpack), ("result_pack", pack)):
            place(m, platform, name, unit, module=f"ese_{name}")
        place(m, platform, "engine", engine, module="ese_engine", clear=registers.soft_reset)

        events: dict[str, Value] = {}
        errors: dict[str, Value] = {}
        written: Value = Const(1)
        if self.config.fetch_depth:
            memory = MemoryPort(**parameters)
            place(m, platform, "memory_port", memory, module="ese_memory_port")
            self._external(m, memory, registers, load, engine)
            written = memory.write_idle
            events |= dict(zip(MEMORY_EVENTS, (
                memory.read_beat, memory.write_beat, engine.rows.valid & engine.rows.ready),
                strict=True))
            errors |= {"memory_read": memory.read_error, "memory_write": memory.write_error,
                       "memory_timeout": memory.timed_out, "memory_stray": memory.stray}

        # Run and reset. A run that is lowered and raised again waits until the engine is idle.
        run, reset = Signal(), registers.soft_reset
        with m.If(~registers.run | reset):
            m.d.sync += run.eq(0)
        with m.Elif(engine.idle & ~load.busy & written):
            m.d.sync += run.eq(1)
        loadable = engine.idle & ~registers.run
        m.d.comb += [engine.run.eq(run), unpack.enable.eq(run & ~reset),
                     load.enable.eq(loadable), load.hold.eq(reset), pack.cut.eq(reset)]

        moved = self._streams(m, engine, load, unpack, pack)

        # Registers.
        for name, flow, _width in axi_lite_ports():
            port, signal = getattr(self, f"{LITE}_{name}"), getattr(registers.bus, name)
            m.d.comb += signal.eq(port) if flow is In else port.eq(signal)
        events |= {
            "frames_in": unpack.frame, "frames_out": pack.packet,
            "frames_dropped": unpack.length_error | unpack.keep_error,
            "beats_in": moved["s_axis_frame"], "beats_out": moved["m_axis_frame"],
            "beats_load": moved["s_axis_load"]}
        errors |= {"frame_length": unpack.length_error, "frame_keep": unpack.keep_error,
                   **{f"load_{name}": getattr(load, f"{name}_error") for name in ERRORS}}
        errors["watchdog"] = self._watched(m, platform, registers, engine, unpack, pack, Cat(
            *moved.values(), *(value for name, value in events.items() if name in MEMORY_EVENTS)))
        status = {"idle": loadable & ~reset, "running": ~engine.idle, "load_busy": load.busy,
                  "frame_busy": unpack.busy, "result_busy": pack.beats.valid}
        for target, values in ((registers.events, events), (registers.error_set, errors),
                               (registers.status, status)):
            m.d.comb += [target[name].eq(value) for name, value in values.items()]
        m.d.comb += [registers.counters.eq(engine.counters), self.irq.eq(registers.irq)]
        return m

    def _streams(self, m: Module, engine: Engine, load: LoadUnit, unpack: FrameUnpack,
                 pack: ResultPack) -> dict[str, Value]:
        """The AXI4-Streams to the engine; whether a beat moves on each."""
        wiring.connect(m, load.load, engine.load)
        wiring.connect(m, unpack.frames, engine.frame_in)
        wiring.connect(m, pack.rows, engine.frame_out)
        m.d.comb += unpack.input_width.eq(load.input_width)
        moved: dict[str, Value] = {}
        for name, stream in zip((*STREAMS_IN, STREAM_OUT), (load.beats, unpack.beats, pack.beats),
                                strict=True):
            valid, ready = getattr(self, f"{name}_tvalid"), getattr(self, f"{name}_tready")
            fields = {field: getattr(self, f"{name}_t{field}")
                      for field in ("data", "keep", "last")}
            if name == STREAM_OUT:
                m.d.comb += [valid.eq(stream.valid), stream.ready.eq(ready),
                             *(port.eq(stream.payload[field]) for field, port in fields.items())]
            else:
                m.d.comb += [stream.valid.eq(valid), ready.eq(stream.ready),
                             *(stream.payload[field].eq(port) for field, port in fields.items())]
            moved[name] = valid & ready
        return moved

    def _watched(self, m: Module, platform: object, registers: Registers, engine: Engine,
                 unpack: FrameUnpack, pack: ResultPack, beats: Value) -> Value:
        """The watchdog's event. beats: those that move on the ports."""
        watchdog = Watchdog(config=self.config)
        place(m, platform, "watchdog", watchdog, module="ese_watchdog", clear=registers.soft_reset)
        column, row = unpack.frames, pack.rows
        taken = row.valid & row.ready
        m.d.comb += [
            watchdog.cycles.eq(registers.watchdog), watchdog.counters.eq(engine.counters),
            watchdog.running.eq(~engine.idle), watchdog.frame_in.eq(unpack.frame),
            watchdog.frame_out.eq(taken & row.payload.last),
            watchdog.offered.eq(column.valid & ~column.ready),
            watchdog.held.eq(pack.beats.valid & ~pack.beats.ready),
            watchdog.moved.eq(beats.any() | taken | (column.valid & column.ready)
                              | engine.trace_cell.valid | engine.trace_result.valid)]
        return watchdog.expired

    def _external(self, m: Module, memory: MemoryPort, registers: Registers, load: LoadUnit,
                  engine: Engine) -> None:
        """The memory port: rows to the engine while it runs, words from load packets."""
        wiring.connect(m, memory.rows, engine.rows)
        wiring.connect(m, load.memory, memory.words)
        m.d.comb += [
            memory.timeout.eq(registers.memory_timeout), memory.forget.eq(registers.memory_forget),
            memory.resume.eq(registers.soft_reset),
            registers.status.memory_isolated.eq(memory.isolated),
            memory.base.eq(registers.weight_base), memory.count.eq(registers.weight_rows),
            memory.enable.eq(engine.rows_enable), registers.status.memory_busy.eq(memory.busy),
            registers.reset_hold.eq(~memory.read_idle | ~memory.write_idle)]
        for name, flow, _width in memory_ports(self.shell):
            port, signal = getattr(self, f"{MEMORY}_{name}"), getattr(memory, name)
            m.d.comb += signal.eq(port) if flow is In else port.eq(signal)


def axi_lite_ports() -> Iterator[tuple[str, Flow, int]]:
    """Signals of a slave port: name, direction, width."""
    for name, member in axi_lite_signature(ADDRESS_BITS, DATA_BITS).members.items():
        assert isinstance(member, Member)
        yield name, In if member.flow is Out else Out, member.shape
