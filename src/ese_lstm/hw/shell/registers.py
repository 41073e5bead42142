"""The registers of ``contract.registers`` behind an AXI4-Lite port."""

from collections.abc import Mapping

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...contract.config import EngineConfig
from ...contract.counters import COUNTER_BITS, ENGINE_COUNTERS, SHELL_COUNTERS
from ...contract.identity import identity_words
from ...contract.registers import (
    ADDRESS_BITS,
    DATA_BITS,
    MEMORY_TIMEOUT_CYCLES,
    REGISTERS,
    register,
)
from ...contract.shell import ShellConfig
from ..axi.lite import AxiLiteSlave, axi_lite_signature
from ..counters import counter_layout
from ..place import place

RESET_CYCLES = 16
"""Cycles for which soft_reset is high, at least."""

_GROUP_BITS = 4
_WORD_LSB = 2
_BYTE = 8


def status_layout() -> data.StructLayout:
    """Flags of STATUS."""
    return _flags("STATUS")


def error_layout() -> data.StructLayout:
    """Events that set the bits of ERROR; ``access`` is the port's own."""
    return _flags("ERROR", without=("access",))


def event_layout() -> data.StructLayout:
    """Events that step the shell's counters; frames_out is the interrupt frame_done too."""
    return data.StructLayout(dict.fromkeys(SHELL_COUNTERS, 1))


class Registers(wiring.Component):
    """Every register of the map: the port, what is kept, what is counted, the interrupt.

    Parameters
    ----------
    config, shell: configurations; what they say is in the identity registers.

    Members
    -------
    bus: AXI4-Lite slave port (see :class:`AxiLiteSlave`).
    irq: a bit of IRQ_STATUS is set and enabled; a register, 1 cycle behind them.
    run: CONTROL.run. soft_reset: reset everything but this unit; high for RESET_CYCLES, or longer,
    to one cycle after reset_hold is low; meanwhile events are ignored.
    status: :func:`status_layout`. error_set: :func:`error_layout`, one cycle an event. events:
    :func:`event_layout`, one cycle an event. counters: the engine's, ``hw.counters``.
    watchdog: cycles. weight_base (bytes), weight_rows, memory_timeout (cycles), memory_forget (one
    cycle, the one in which BVALID rises): but for the first only if the engine streams weights.

    Latency: AW and W accepted → BVALID, WRITE_LATENCY cycles, and the register shows it then;
    AR accepted → RVALID, READ_LATENCY cycles. An event is readable EVENT_LATENCY cycles after it,
    in a counter COUNT_LATENCY. COUNTER_SNAPSHOT copies the counters as they are in the cycle in
    which BVALID rises. Throughput: one write and one read every 4 cycles.
    """

    WRITE_LATENCY = READ_LATENCY = 3
    EVENT_LATENCY = 1
    COUNT_LATENCY = 2

    def __init__(self, *, config: EngineConfig, shell: ShellConfig) -> None:
        self.config, self.shell = config, shell
        self.emit_key = (config, shell)
        self.registers = tuple(each for each in REGISTERS
                               if config.fetch_depth or not each.streaming)
        members = {
            "bus": In(axi_lite_signature(ADDRESS_BITS, DATA_BITS)), "irq": Out(1),
            "run": Out(1), "soft_reset": Out(1), "reset_hold": In(1),
            "status": In(status_layout()), "error_set": In(error_layout()),
            "events": In(event_layout()), "counters": In(counter_layout()),
            "watchdog": Out(DATA_BITS),
        }
        if config.fetch_depth:
            members |= {"weight_base": Out(shell.memory_address_bits),
                        "weight_rows": Out(DATA_BITS), "memory_forget": Out(1),
                        "memory_timeout": Out(DATA_BITS, init=MEMORY_TIMEOUT_CYCLES)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        slave = AxiLiteSlave(address_bits=ADDRESS_BITS, data_bits=DATA_BITS)
        place(m, platform, "slave", slave, module="ese_axi_lite")
        wiring.connect(m, slave.bus, wiring.flipped(self.bus))

        # Writes: the strobe, a decoded register each, the answer together with what it did.
        selected = {}
        for each in self.registers:
            if each.writable:
                chosen = Signal(name=f"write_{each.name.lower()}")
                m.d.sync += chosen.eq(slave.write & (slave.write_address == each.offset))
                selected[each.name] = chosen
        m.d.sync += slave.write_done.eq(slave.write)
        m.d.comb += slave.write_error.eq(~Cat(selected.values()).any())
        access = Signal()
        m.d.comb += access.eq(slave.write_done & slave.write_error
                              | slave.read_done & slave.read_error)

        words = self._kept(m, slave, selected, access)
        words |= {name: C(word, DATA_BITS)
                  for name, word in identity_words(self.config, self.shell).items()}
        words["STATUS"] = _word("STATUS", {name: self.status[name]
                                           for name in status_layout().members})
        words |= self._counted(m, slave.write_data[0] & slave.write_strobes[0]
                               & selected["COUNTER_SNAPSHOT"])
        self._read(m, slave, words)
        return m

    def _kept(self, m: Module, slave: AxiLiteSlave, selected: Mapping[str, Value],
              access: Value) -> dict[str, Value]:
        """Registers that writes and events change."""
        mask = Cat(strobe.replicate(_BYTE) for strobe in slave.write_strobes)
        ones = slave.write_data & mask

        def written(name: str, kept: Value) -> Value:
            """What a write in this cycle leaves of a field that keeps bits from 0 on."""
            part = slice(0, len(kept))
            return Mux(selected[name], kept & ~mask[part] | ones[part], kept)

        control = register("CONTROL")
        begin = self._reset(m, selected["CONTROL"] & ones[control.field("soft_reset").lsb])

        def keep(name: str, kept: Value, lasting: bool = False, reset: int = 0) -> None:
            """A field that reads what was written."""
            m.d.sync += kept.eq(written(name, kept) if lasting else
                                Mux(begin, reset, written(name, kept)))

        scratch, enable = Signal(DATA_BITS), Signal(len(register("IRQ_ENABLE").fields))
        keep("SCRATCH", scratch, lasting=True)
        keep("CONTROL", self.run)
        keep("IRQ_ENABLE", enable)
        keep("WATCHDOG", self.watchdog)

        error = Signal(len(register("ERROR").fields))
        pending = Signal(len(register("IRQ_STATUS").fields))
        events = Cat(access if field.name == "access" else
                     self.error_set[field.name] & ~self.soft_reset
                     for field in register("ERROR").fields)
        interrupts = Cat(self.events.frames_out & ~self.soft_reset, events.any())
        for name, kept, sets in (("ERROR", error, events), ("IRQ_STATUS", pending, interrupts)):
            cleared = Mux(selected[name], ones[:len(kept)], 0)
            m.d.sync += kept.eq(Mux(begin, 0, kept & ~cleared | sets))
        m.d.sync += self.irq.eq((pending & enable).any())

        words = {"SCRATCH": scratch, "ERROR": error, "IRQ_ENABLE": enable, "IRQ_STATUS": pending,
                 "CONTROL": _word("CONTROL", {"run": self.run, "soft_reset": self.soft_reset,
                                              "memory_forget": C(0, 1)}),
                 "COUNTER_SNAPSHOT": C(0, 1), "WATCHDOG": self.watchdog}
        if self.config.fetch_depth:
            keep("WEIGHT_BASE_LO", self.weight_base[:DATA_BITS])
            if len(self.weight_base) > DATA_BITS:
                keep("WEIGHT_BASE_HI", self.weight_base[DATA_BITS:])
            keep("WEIGHT_ROWS", self.weight_rows)
            keep("MEMORY_TIMEOUT", self.memory_timeout, reset=MEMORY_TIMEOUT_CYCLES)
            forget = control.field("memory_forget").lsb
            m.d.sync += self.memory_forget.eq(selected["CONTROL"] & ones[forget])
            words |= {"WEIGHT_BASE_LO": self.weight_base[:DATA_BITS],
                      "WEIGHT_BASE_HI": self.weight_base[DATA_BITS:],
                      "WEIGHT_ROWS": self.weight_rows, "MEMORY_TIMEOUT": self.memory_timeout}
        return words

    def _reset(self, m: Module, asked: Value) -> Signal:
        """Soft reset; returned: it begins. What was kept is cleared first; events that were still
        under way are lost."""
        begin = Signal()
        remaining = Signal(range(RESET_CYCLES))
        m.d.comb += begin.eq(asked)
        with m.If(begin):
            m.d.sync += [self.soft_reset.eq(1), remaining.eq(RESET_CYCLES - 1)]
        with m.Elif(remaining.any()):
            m.d.sync += remaining.eq(remaining - 1)
        with m.Elif(~self.reset_hold):
            m.d.sync += self.soft_reset.eq(0)
        return begin

    def _counted(self, m: Module, latch: Value) -> dict[str, Value]:
        """The shell's counters, and the copies of all counters that are read."""
        copy = Signal()
        m.d.sync += copy.eq(latch)
        values: dict[str, Value] = {name: self.counters[name] for name in ENGINE_COUNTERS}
        for name in SHELL_COUNTERS:
            step, count = Signal(name=f"step_{name}"), Signal(COUNTER_BITS, name=f"count_{name}")
            m.d.sync += [step.eq(self.events[name]), count.eq(count + step)]
            with m.If(self.soft_reset):
                m.d.sync += [step.eq(0), count.eq(0)]
            values[name] = count
        words = {}
        for name, value in values.items():
            kept = Signal(COUNTER_BITS, name=f"copy_{name}", reset_less=True)
            with m.If(copy):
                m.d.sync += kept.eq(value)
            words[f"COUNTER_{name.upper()}_LO"] = kept[:DATA_BITS]
            words[f"COUNTER_{name.upper()}_HI"] = kept[DATA_BITS:]
        return words

    def _read(self, m: Module, slave: AxiLiteSlave, words: Mapping[str, Value]) -> None:
        """Two levels: one word of each group of 16, then one of the groups."""
        address = slave.read_address
        within = address[_WORD_LSB:_WORD_LSB + _GROUP_BITS]
        above = address[_WORD_LSB + _GROUP_BITS:]
        m.d.sync += slave.read_done.eq(slave.read)
        groups: dict[int, dict[int, Value]] = {}
        for each in self.registers:
            group, place_in = divmod(each.offset >> _WORD_LSB, 1 << _GROUP_BITS)
            groups.setdefault(group, {})[place_in] = words[each.name]
        chosen = {}
        for group, members in groups.items():
            word = Signal(DATA_BITS, name=f"group_{group}", reset_less=True)
            there = Signal(name=f"group_{group}_there", reset_less=True)
            with m.Switch(within):
                for place_in, value in members.items():
                    with m.Case(place_in):
                        m.d.sync += [word.eq(value), there.eq(1)]
                with m.Default():
                    m.d.sync += [word.eq(0), there.eq(0)]
            chosen[group] = word, there
        there_all = Signal()
        with m.Switch(above):
            for group, (word, there) in chosen.items():
                with m.Case(group):
                    m.d.comb += [slave.read_data.eq(word), there_all.eq(there)]
        m.d.comb += slave.read_error.eq(~there_all | address[:_WORD_LSB].any())


def _flags(name: str, without: tuple[str, ...] = ()) -> data.StructLayout:
    return data.StructLayout({field.name: field.bits for field in register(name).fields
                              if field.name not in without})


def _word(name: str, values: Mapping[str, Value]) -> Value:
    """A register's word from its fields' values."""
    word = C(0, DATA_BITS)
    for field in register(name).fields:
        word = word | Value.cast(values[field.name]) << field.lsb
    return word[:DATA_BITS]
