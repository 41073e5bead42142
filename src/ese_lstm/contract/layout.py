"""Bit layouts of every word that software writes and hardware reads.

A layout is an ordered list of fields, least significant first. Hardware makes its structures
from the same lists (``hw.layouts``), so a field has one name and one place.

| word | read by | meaning |
|---|---|---|
| entry | a lane's decoder | one non-zero weight of the lane's rows, column by column |
| segment | column broadcaster | a run of activation-buffer columns of one tile |
| epilogue | epilogue sequencer | what becomes of a tile's finished rows |
| row | weight fetch, lanes | streamed entries, at most one a lane |
| param | element-wise unit | bias and peephole weight of one row |
| header | frame input, broadcaster | where input frames go, results per frame |
| load beat | load port | one word for one of the memories above |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from .cells import CELL_TYPES
from .config import SEQUENCE_BITS, SHIFT_BITS, EngineConfig, bits_for
from .errors import EseError

KIND_BITS = bits_for(len(CELL_TYPES))


@dataclass(frozen=True)
class Field:
    """One field: ``bits`` wide, two's complement if ``signed``."""

    name: str
    bits: int
    signed: bool = False

    @property
    def minimum(self) -> int:
        """Smallest value the field holds."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest value the field holds."""
        return (1 << (self.bits - self.signed)) - 1


@dataclass(frozen=True)
class Layout:
    """Fields of one word, least significant first."""

    name: str
    fields: tuple[Field, ...]

    @property
    def bits(self) -> int:
        """Width of the word."""
        return sum(field.bits for field in self.fields)

    @property
    def words32(self) -> int:
        """32-bit words that hold one word in an image, least significant first."""
        return -(-self.bits // 32)

    def offset(self, name: str) -> int:
        """Bit position of the field's least significant bit."""
        position = 0
        for field in self.fields:
            if field.name == name:
                return position
            position += field.bits
        raise KeyError(name)

    def field(self, name: str) -> Field:
        """The field of that name."""
        return next(field for field in self.fields if field.name == name)

    def pack(self, values: Mapping[str, int]) -> int:
        """The word with these field values; every field must be given and must fit."""
        word = position = 0
        for field in self.fields:
            value = int(values[field.name])
            if not field.minimum <= value <= field.maximum:
                raise EseError(f"{self.name}.{field.name}: must be {field.minimum} to "
                               f"{field.maximum}, got {value}")
            word |= (value & ((1 << field.bits) - 1)) << position
            position += field.bits
        if len(values) != len(self.fields):
            raise KeyError(set(values) - {field.name for field in self.fields})
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """Field values of a word; inverse of :meth:`pack`."""
        values = {}
        for field in self.fields:
            value = word & ((1 << field.bits) - 1)
            if field.signed and value >> (field.bits - 1):
                value -= 1 << field.bits
            values[field.name] = value
            word >>= field.bits
        return values


def entry_layout(config: EngineConfig) -> Layout:
    """Weight, index, last-of-column flag.

    ``absolute``: index is the row of the lane's bank. ``relative4``: index is the number of rows
    skipped since the previous entry of the column (or since row −1); a gap over 15 is bridged by
    fillers (weight 0, index 15), each of which moves 16 rows on. An empty (lane, column) is one
    null entry: weight 0, index 0, last. Weight 0 never means anything else.
    """
    return Layout("entry", (Field("weight", config.weight_bits, signed=True),
                            Field("index", config.index_bits),
                            Field("last", 1)))


def segment_layout(config: EngineConfig) -> Layout:
    """Columns ``base … base + length − 1`` of the activation buffer, in order.

    base_even, base_odd: base in even and odd frames. length: columns, at least 1. need: with
    ``wait``, column k may be read once the frame's result sequence number has reached
    ``need + k`` (negative: results of the frame before). recurrent: channels whose stream starts
    with this frame read zero. last: last segment of its tile. end: last of the program.
    streamed (only with ``fetch_depth``): the columns' entries come from the lane's fetch FIFO
    instead of its memory.
    """
    address = config.activation_address_bits
    fields = (Field("base_even", address), Field("base_odd", address),
              Field("length", address + 1), Field("need", SEQUENCE_BITS, signed=True),
              Field("wait", 1), Field("recurrent", 1), Field("last", 1), Field("end", 1))
    return Layout("segment", fields + (Field("streamed", 1),) * (config.fetch_depth > 0))


def row_layout(config: EngineConfig) -> Layout:
    """One row of streamed weights: ``entry_<lane>``, a slot for each lane's next streamed entry,
    and ``mask``, a bit a lane: the slot holds one. Unmasked slots are 0.

    In memory each row takes ``words32`` little-endian 32-bit words, one row after the other; a
    frame's rows repeat every frame.
    """
    slots = tuple(Field(f"entry_{lane}", config.entry_bits) for lane in range(config.lanes))
    return Layout("row", (*slots, Field("mask", config.lanes)))


def epilogue_layout(config: EngineConfig) -> Layout:
    """What becomes of a tile's rows.

    kind: type of its units (``contract.cells.CELL_TYPES``). count: units. shift: right shift from
    accumulator to gate input or linear result. dest_even, dest_odd: activation-buffer
    address of the first result in even and odd frames. cell_base: first cell's address in the
    cell buffer. param_base: first row's address in the param memory. output: results also leave
    by the frame output; output_last: the tile's last result ends the output frame. end: last
    tile of the program.
    """
    address = config.activation_address_bits
    return Layout("epilogue", (Field("kind", KIND_BITS),
                               Field("count", bits_for(config.rows_per_tile + 1)),
                               Field("shift", SHIFT_BITS),
                               Field("dest_even", address), Field("dest_odd", address),
                               Field("cell_base", config.cell_address_bits),
                               Field("param_base", config.param_address_bits),
                               Field("output", 1), Field("output_last", 1), Field("end", 1)))


def param_layout(config: EngineConfig) -> Layout:
    """Bias in accumulator units; peephole in accumulator units per cell-state unit.

    A word a row of the tile's units, in their order.
    """
    return Layout("param", (Field("bias", config.acc_bits, signed=True),
                            Field("peephole", config.peephole_bits, signed=True)))


def header_layout(config: EngineConfig) -> Layout:
    """Input frame: ``input_width`` words to ``input_even`` or ``input_odd`` by frame parity;
    results: results that one frame writes (the sequence number's advance)."""
    address = config.activation_address_bits
    return Layout("header", (Field("input_even", address), Field("input_odd", address),
                             Field("input_width", address + 1),
                             Field("results", SEQUENCE_BITS)))


class Section(IntEnum):
    """Memories that the load port writes."""

    HEADER = 0
    SEGMENT = 1
    EPILOGUE = 2
    PARAM = 3
    ENTRY = 4
    LANE_LAST = 5


SECTION_BITS = 3


def load_layout(config: EngineConfig) -> Layout:
    """One beat of the load port: write ``data`` to ``address`` of ``section``.

    ``lane`` selects the lane for ENTRY and LANE_LAST (the address of the lane's last entry, after
    which its stream starts over) and is 0 otherwise; HEADER and LANE_LAST use address 0.
    """
    address = max(config.stream_address_bits, config.param_address_bits,
                  bits_for(config.segment_depth), bits_for(config.epilogue_depth))
    data = max(layout(config).bits for layout in (
        entry_layout, segment_layout, epilogue_layout, param_layout, header_layout))
    return Layout("load", (Field("data", max(data, config.stream_address_bits)),
                           Field("address", address),
                           Field("lane", config.lane_address_bits),
                           Field("section", SECTION_BITS)))


# Where rows live -------------------------------------------------------------------------------


def lane_of(unit: int, lanes: int) -> int:
    """Lane of a tile's unit: interleaved, as in ESE. There it is in slot ``unit // lanes`` of the
    bank, where its rows begin at ``size·slot``."""
    return unit % lanes
