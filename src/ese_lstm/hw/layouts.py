"""Hardware structures made from the contract's word layouts, payloads of shared streams, and the
interfaces between the engine's units, each as the unit has it that writes or offers."""

from functools import reduce
from operator import and_

from amaranth.hdl import Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

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


def write_signature(address_bits: int, shape: data.ArrayLayout | int) -> wiring.Signature:
    """Stores in a memory: ``data`` at ``address`` while ``write``."""
    return wiring.Signature({"write": Out(1), "address": Out(address_bits), "data": Out(shape)})


def entries_signature(config: EngineConfig) -> wiring.Signature:
    """Stores in the lanes' weight memories. entry, last: one bit a lane; store ``data`` at
    ``address``, or make ``data`` the address of the last entry."""
    return wiring.Signature({
        "entry": Out(config.lanes), "last": Out(config.lanes),
        "address": Out(config.stream_address_bits),
        "data": Out(max(config.entry_bits, config.stream_address_bits))})


def waiting_signature(config: EngineConfig) -> wiring.Signature:
    """The next input frame. ready: it is whole. active, start: its channels (one bit each). take:
    the engine starts it. release: the engine reads its last column."""
    return wiring.Signature({"ready": Out(1), "active": Out(config.channels),
                             "start": Out(config.channels), "take": In(1), "release": In(1)})


def frames_signature(config: EngineConfig) -> wiring.Signature:
    """Frames for the sparse matrix-vector unit. ready: one waits. start: channels that start in it
    (one bit each). take: its first segment is loaded now; its parity is ``parity`` then. issue: a
    column is read now. release: it is the frame's last."""
    return wiring.Signature({"ready": Out(1), "start": Out(config.channels), "take": In(1),
                             "parity": In(1), "issue": In(1), "release": In(1)})


def masks_signature(config: EngineConfig) -> wiring.Signature:
    """Channels of the frames under way, by parity: those with a frame, those that start in it."""
    return wiring.Signature({f"{what}_{parity}": Out(config.channels)
                             for parity in ("even", "odd") for what in ("active", "start")})


def drain_signature(config: EngineConfig) -> wiring.Signature:
    """Finished rows for the element-wise unit. done: one bit a bank, the tile in it is complete.
    bank_clear: one bit a bank, its last row was asked for in the last cycle. row: the row asked for
    now, and in the next cycle of which bank and lane (select_0, select_1: one bit a lane)."""
    return wiring.Signature({
        "done": Out(2), "bank_clear": In(2), "row": In(config.row_bits),
        "select_0": In(config.lanes), "select_1": In(config.lanes)})


def stall_layout() -> data.StructLayout:
    """Why no column was issued in a cycle; at most one bit is set, the first that applies."""
    return data.StructLayout({"input": unsigned(1), "bank": unsigned(1),
                              "dependency": unsigned(1), "queue": unsigned(1)})


def events_signature(config: EngineConfig) -> wiring.Signature:
    """What the counters count of the sparse matrix-vector unit. frame: a frame's last column was
    issued. fired_product, fired_null: one bit a lane. stall: :func:`stall_layout`."""
    return wiring.Signature({"frame": Out(1), "fired_product": Out(config.lanes),
                             "fired_null": Out(config.lanes), "stall": Out(stall_layout())})
