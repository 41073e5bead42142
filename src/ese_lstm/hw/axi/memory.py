"""Channels of an AXI4 memory port as streams: valid, ready and what the masters here vary.

What is always the same is left to the top's ports: one ID (0), INCR bursts, every beat
``memory_bits`` wide (AxSIZE), no lock.
"""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ...contract.shell import PAGE_BYTES, ShellConfig

LENGTH_BITS = 8
RESPONSE_ERROR = 1
"""Bit of RRESP and BRESP that SLVERR and DECERR have in common."""

SLVERR = 0b10
UNANSWERED = 1023
"""Most write bursts under way at once."""


def request_layout(shell: ShellConfig) -> data.StructLayout:
    """A burst (AR, AW): byte address, a multiple of the beat's bytes; length: beats − 1."""
    return data.StructLayout({"address": unsigned(shell.memory_address_bits),
                              "length": unsigned(LENGTH_BITS)})


def read_layout(shell: ShellConfig) -> data.StructLayout:
    """A beat of R."""
    return data.StructLayout({"data": unsigned(shell.memory_bits), "resp": unsigned(2),
                              "last": unsigned(1)})


def write_layout(shell: ShellConfig) -> data.StructLayout:
    """A beat of W; strobe: a bit a byte."""
    return data.StructLayout({"data": unsigned(shell.memory_bits),
                              "strobe": unsigned(shell.memory_bytes), "last": unsigned(1)})


def response_layout() -> data.StructLayout:
    """A beat of B."""
    return data.StructLayout({"resp": unsigned(2)})


def memory_beat_layout(shell: ShellConfig) -> data.StructLayout:
    """``stream_bits`` of data for external memory at a byte address; last of its packet."""
    return data.StructLayout({"data": unsigned(shell.stream_bits),
                              "address": unsigned(shell.memory_address_bits),
                              "last": unsigned(1)})


def page_beats(shell: ShellConfig) -> int:
    """Beats between two addresses that no burst crosses."""
    return PAGE_BYTES // shell.memory_bytes
