"""The register map: one description for the RTL, the C header, the Python module and the table.

The map is the same for every engine and shell, so that one driver fits all of them; what an
engine is, its identity registers say (:mod:`contract.identity`). Registers are 32 bits wide, at
multiples of 4. Reserved bits read 0, and writing them does nothing. Only aligned accesses to
registers that exist are answered OKAY, and writes only where a field can be written; all others
are answered SLVERR, do nothing else, and set ``ERROR.access``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .counters import COUNTER_BITS, ENGINE_COUNTERS, SHELL_COUNTERS
from .errors import EseError

ADDRESS_BITS = 12
"""Bits of a byte address on the AXI4-Lite port: a window of 4 KiB."""

DATA_BITS = 32
IDENTIFIER = int.from_bytes(b"ESE1", "little")
"""Value of ID: a dump of the window begins with the bytes ``ESE1``."""

VERSION_MAJOR, VERSION_MINOR = 1, 1
"""Of the map: a minor step only adds registers and fields, a major one may break a driver."""


MEMORY_TIMEOUT_CYCLES = 1 << 24
"""MEMORY_TIMEOUT at reset: 84 ms at 200 MHz, far beyond any refresh or arbitration of a memory, far
below the seconds for which a host waits."""


class Access(StrEnum):
    """What a read gives and what a write does."""

    RO = "ro"
    """Read only."""
    RW = "rw"
    """Reads what was written last."""
    W1C = "w1c"
    """Set by an event, cleared by writing 1; an event in the same cycle wins."""
    SC = "sc"
    """Writing 1 starts something; reads 1 while it lasts, then clears itself."""


@dataclass(frozen=True)
class RegisterField:
    """Bits ``lsb … lsb + bits − 1`` of a register. reset: None if the hardware states the value."""

    name: str
    lsb: int
    bits: int
    access: Access
    doc: str
    reset: int | None = 0

    @property
    def maximum(self) -> int:
        """Largest value."""
        return (1 << self.bits) - 1

    @property
    def mask(self) -> int:
        """Its bits in the register's word."""
        return self.maximum << self.lsb

    def get(self, word: int) -> int:
        """The field's value in a register's word."""
        return word >> self.lsb & self.maximum


@dataclass(frozen=True)
class Register:
    """One 32-bit register at byte ``offset``. streaming: there only if the engine can stream
    weights from external memory (``EngineConfig.fetch_depth`` above 0)."""

    name: str
    offset: int
    doc: str
    fields: tuple[RegisterField, ...]
    streaming: bool = False

    @property
    def writable(self) -> bool:
        """Whether a write is answered OKAY."""
        return any(field.access != Access.RO for field in self.fields)

    def field(self, name: str) -> RegisterField:
        """The field of that name. Raises KeyError."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    def pack(self, values: Mapping[str, int]) -> int:
        """The word with these field values and 0 elsewhere. Raises EseError for a value that does
        not fit, KeyError for an unknown field."""
        word = 0
        for name, value in values.items():
            field = self.field(name)
            if not 0 <= value <= field.maximum:
                raise EseError(f"{self.name}.{name}: must be 0 to {field.maximum}, got {value}")
            word |= int(value) << field.lsb
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """Value of every field in a word."""
        return {field.name: field.get(word) for field in self.fields}


def _constant(name: str, lsb: int, bits: int, doc: str) -> RegisterField:
    return RegisterField(name, lsb, bits, Access.RO, doc, None)


def _flags(access: Access, docs: Mapping[str, str], reset: int | None = 0
           ) -> tuple[RegisterField, ...]:
    return tuple(RegisterField(name, place, 1, access, doc, reset)
                 for place, (name, doc) in enumerate(docs.items()))


def _word(name: str, bits: int, access: Access, doc: str, reset: int | None = 0
          ) -> tuple[RegisterField, ...]:
    return (RegisterField(name, 0, bits, access, doc, reset),)


_ERRORS = {
    "frame_length": "an input packet of the wrong length, or without a header loaded, was dropped",
    "frame_keep": "an input packet with a TKEEP bit low was dropped",
    "load_section": "a load packet for an unknown section was swallowed",
    "load_lane": "a load packet for a lane that does not exist was swallowed",
    "load_busy": "a load packet came while the engine was not idle and was swallowed",
    "load_length": "a load packet without words, with a torn word, with a TKEEP bit low or with "
                   "words outside its section was swallowed from there on",
    "memory_read": "external memory answered a read with an error",
    "memory_write": "external memory answered a write with an error",
    "access": "an access to this port was answered SLVERR",
    "memory_timeout": "external memory did nothing for MEMORY_TIMEOUT cycles; m_axi is isolated "
                      "until soft_reset, and what was under way is lost",
    "memory_stray": "external memory gave an answer that nothing had asked for; it was swallowed",
    "watchdog": "the engine has a frame and did nothing for WATCHDOG cycles without waiting for "
                "the host; soft_reset frees it",
}
_INTERRUPTS = {
    "frame_done": "an output packet left",
    "error": "a bit of ERROR was set by an event",
}

IDENTITY = (
    Register("ID", 0x000, "What this is.", (
        RegisterField("id", 0, 32, Access.RO, "the bytes ESE1, lowest first", IDENTIFIER),)),
    Register("VERSION", 0x004, "Version of this map.", (
        RegisterField("minor", 0, 16, Access.RO, "steps that only added", VERSION_MINOR),
        RegisterField("major", 16, 16, Access.RO, "steps that may break a driver",
                      VERSION_MAJOR))),
    Register("CAPABILITY", 0x008, "What this engine has.", (
        _constant("streaming", 0, 1, "weights streamed from external memory, port m_axi"),
        _constant("relative_index", 1, 1, "entries with the published 4-bit relative index"))),
)

CONFIGURATION = (
    Register("CONFIG_ARRAY", 0x010, "Size of the multiplier array.", (
        _constant("lanes", 0, 8, "parallel weight streams"),
        _constant("channels", 8, 8, "voice streams in lock-step"),
        _constant("queue_depth", 16, 8, "columns of a lane's queue"),
        _constant("acc_rows", 24, 8, "rows of a lane's accumulator bank"))),
    Register("CONFIG_WIDTHS", 0x014, "Number formats.", (
        _constant("weight_bits", 0, 8, "bits of a weight"),
        _constant("act_bits", 8, 8, "bits of an activation"),
        _constant("acc_bits", 16, 8, "bits of an accumulator"),
        _constant("cell_bits", 24, 8, "bits of a cell state"))),
    Register("CONFIG_FORMATS", 0x018, "Number formats.", (
        _constant("cell_frac", 0, 8, "fraction bits of a cell state"),
        _constant("peephole_bits", 8, 8, "bits of a peephole weight"))),
    Register("CONFIG_CLOCK", 0x01C, "Clock that the engine was made for.", (
        _constant("clock_hz", 0, 32, "frequency in Hz"),)),
    Register("CONFIG_STREAM_DEPTH", 0x020, "Weight memory.", (
        _constant("stream_depth", 0, 32, "entries of a lane's weight memory"),)),
    Register("CONFIG_ACTIVATION_DEPTH", 0x024, "Activation buffer.", (
        _constant("activation_depth", 0, 32, "columns of the activation buffer"),)),
    Register("CONFIG_CELL_DEPTH", 0x028, "Cell buffer.", (
        _constant("cell_depth", 0, 32, "cells a channel"),)),
    Register("CONFIG_PARAM_DEPTH", 0x02C, "Param memory.", (
        _constant("param_depth", 0, 32, "words of bias and peephole"),)),
    Register("CONFIG_PROGRAM", 0x030, "Program memories.", (
        _constant("segment_depth", 0, 16, "segments"),
        _constant("epilogue_depth", 16, 16, "epilogues"))),
    Register("CONFIG_QUEUES", 0x034, "Queues.", (
        _constant("output_depth", 0, 16, "results of the output queue"),
        _constant("fetch_depth", 16, 16, "entries of a lane's fetch queue; 0: no streaming"))),
    Register("CONFIG_PORTS", 0x038, "Widths of the ports.", (
        _constant("stream_bits", 0, 16, "TDATA of the AXI4-Streams"),
        _constant("memory_bits", 16, 16, "data of m_axi"))),
    Register("CONFIG_MEMORY", 0x03C, "Port m_axi.", (
        _constant("memory_address_bits", 0, 8, "bits of a byte address"),
        _constant("burst_beats", 8, 16, "beats of the longest burst"),
        _constant("outstanding", 24, 8, "read bursts under way at once"))),
    Register("CONFIG_RESULTS", 0x050, "Queue of results before m_axis_frame.", (
        _constant("result_depth", 0, 16, "rows of results"),)),
    *(Register(f"CONFIG_DIGEST_{k}", 0x040 + 4 * k, "SHA-256 of the engine configuration.", (
        _constant("digest", 0, 32, f"hex digits {8 * k} to {8 * k + 7}, as a number"),))
      for k in range(4)),
)

OPERATION = (
    Register("SCRATCH", 0x00C, "Free for the host, to try the bus; changes nothing.",
             _word("value", 32, Access.RW, "whatever was written")),
    Register("CONTROL", 0x080, "Start, stop, reset.", (
        RegisterField("run", 0, 1, Access.RW,
                      "1: run; 0: finish the frames that have started, then become idle"),
        RegisterField("soft_reset", 1, 1, Access.SC,
                      "reset engine, shell and registers, but not SCRATCH and the snapshot; "
                      "then the image must be loaded again; ends the isolation of m_axi"),
        RegisterField("memory_forget", 2, 1, Access.SC,
                      "forget what is outstanding on m_axi, unless the port is open; only after "
                      "a reset of the memory that it does not survive"))),
    Register("STATUS", 0x084, "What goes on now.", _flags(Access.RO, {
        "idle": "the engine is idle and takes load packets",
        "running": "the engine runs, or finishes frames after run fell",
        "load_busy": "a load packet is under way",
        "memory_busy": "a transfer on m_axi is under way",
        "frame_busy": "an input packet is under way",
        "result_busy": "a beat is offered on m_axis_frame",
        "memory_isolated": "m_axi is isolated after ERROR.memory_timeout, until soft_reset"},
        reset=None)),
    Register("ERROR", 0x088, "Errors since they were last cleared.", _flags(Access.W1C, _ERRORS)),
    Register("IRQ_ENABLE", 0x08C, "Which bits of IRQ_STATUS raise irq.",
             _flags(Access.RW, _INTERRUPTS)),
    Register("IRQ_STATUS", 0x090, "Events since they were last cleared; irq is high while one of "
             "them is enabled. Clear here first, then read and clear ERROR: no event is lost.",
             _flags(Access.W1C, _INTERRUPTS)),
    Register("WATCHDOG", 0x094, "Patience with the engine.",
             _word("cycles", 32, Access.RW, "cycles after which ERROR.watchdog is set; 0: never")),
    Register("WEIGHT_BASE_LO", 0x0A0, "Where streamed weights lie; change only while idle.",
             _word("address", 32, Access.RW, "byte address of row 0, whole memory beats; "
                   "bits 31:0"), True),
    Register("WEIGHT_BASE_HI", 0x0A4, "Where streamed weights lie; change only while idle.",
             _word("address", 32, Access.RW, "byte address of row 0: bits 63:32; those above "
                   "memory_address_bits read 0"), True),
    Register("WEIGHT_ROWS", 0x0A8, "How many streamed weights; change only while idle.",
             _word("rows", 32, Access.RW, "rows that one frame reads; 0: none"), True),
    Register("MEMORY_TIMEOUT", 0x0AC, "Patience with external memory.",
             _word("cycles", 32, Access.RW, "cycles after which ERROR.memory_timeout is set; "
                   "0: never", MEMORY_TIMEOUT_CYCLES), True),
    Register("COUNTER_SNAPSHOT", 0x100, "Copy of all counters in one cycle.",
             _word("latch", 1, Access.SC, "copy all counters to the registers below")),
)

COUNTERS = (*ENGINE_COUNTERS, *SHELL_COUNTERS)
"""Names of all counters in the order of their registers, ``COUNTER_<NAME>_LO`` and ``_HI``."""

COUNTER_BASE = 0x108
_COUNTER_DOCS = {name: f"{doc}, since the engine's last start"
                 for name, doc in ENGINE_COUNTERS.items()} | {
    name: f"{doc}, since reset" for name, doc in SHELL_COUNTERS.items()}
_COUNTER_REGISTERS = tuple(
    Register(f"COUNTER_{name.upper()}_{half}", COUNTER_BASE + 8 * number + 4 * high,
             f"Snapshot of {name}, bits {f'{COUNTER_BITS - 1}:32' if high else '31:0'}.",
             _word("count", COUNTER_BITS - 32 if high else 32, Access.RO, _COUNTER_DOCS[name],
                   None))
    for number, name in enumerate(COUNTERS) for high, half in enumerate(("LO", "HI")))

REGISTERS: tuple[Register, ...] = tuple(sorted(
    (*IDENTITY, *CONFIGURATION, *OPERATION, *_COUNTER_REGISTERS), key=lambda each: each.offset))
"""The whole map, by offset."""

_BY_NAME = {each.name: each for each in REGISTERS}


def register(name: str) -> Register:
    """The register of that name. Raises KeyError."""
    return _BY_NAME[name]


def offset(name: str) -> int:
    """Its byte offset. Raises KeyError."""
    return _BY_NAME[name].offset
