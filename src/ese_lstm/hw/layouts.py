"""Hardware structures made from the contract's word layouts, and the payloads of shared streams."""

from functools import reduce
from operator import and_

from amaranth.hdl import Value, signed, unsigned
from amaranth.lib import data

from ..contract.cells import CellType
from ..contract.config import EngineConfig
from ..contract.layout import Layout


def struct(layout: Layout) -> data.StructLayout:
    """The same word as a structure: field for field, least significant first."""
    return data.StructLayout({
        field.name: signed(field.bits) if field.signed else unsigned(field.bits)
        for field in layout.fields})


def is_kind(kind: Value, cell: CellType) -> Value:
    """The epilogue word's ``kind`` is that of this cell type."""
    return reduce(and_, (bit if cell.kind >> place & 1 else ~bit
                         for place, bit in enumerate(kind)))


def frame_in_layout(config: EngineConfig) -> data.StructLayout:
    """One beat of the frame input: one input feature of every channel.

    values: feature of each channel, as the program's input format says. active, start: one bit
    per channel, read with the last beat of a frame. last: last feature of the frame.
    """
    return data.StructLayout({"values": data.ArrayLayout(signed(config.act_bits), config.channels),
                              "active": unsigned(config.channels),
                              "start": unsigned(config.channels),
                              "last": unsigned(1)})


def frame_out_layout(config: EngineConfig) -> data.StructLayout:
    """One beat of the frame output: one result of every channel; last ends the frame."""
    return data.StructLayout({"values": data.ArrayLayout(signed(config.act_bits), config.channels),
                              "last": unsigned(1)})
