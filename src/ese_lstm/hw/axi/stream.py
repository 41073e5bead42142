"""Beats of the shell's AXI4-Streams."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ...contract.shell import ShellConfig


def beat_layout(shell: ShellConfig) -> data.StructLayout:
    """One beat: data (TDATA), keep (TKEEP, one bit a byte), last (TLAST)."""
    return data.StructLayout({"data": unsigned(shell.stream_bits),
                              "keep": unsigned(shell.stream_bytes), "last": unsigned(1)})
