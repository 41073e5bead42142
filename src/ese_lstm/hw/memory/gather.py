"""Words of a stream to beats of the memory port: several words a beat, or several beats a word."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...contract.shell import ShellConfig
from ..axi.memory import memory_beat_layout

PATIENCE = 255
"""Cycles without a word after which an unfinished beat or burst goes on as it is: a packet with a
fault in it ends without a last word."""


def gathered_layout(shell: ShellConfig) -> data.StructLayout:
    """A beat to write: address in beats, data, strobe (a bit a byte), last of its packet."""
    low = exact_log2(shell.memory_bytes)
    return data.StructLayout({"address": unsigned(shell.memory_address_bits - low),
                              "data": unsigned(shell.memory_bits),
                              "strobe": unsigned(shell.memory_bytes), "last": unsigned(1)})


class Gather(wiring.Component):
    """Put words at their bytes of a beat; a beat leaves with its last word, with its packet's
    last word, before a word of another beat, or after ``PATIENCE`` cycles without a word.

    Parameters
    ----------
    shell: shell configuration; uses stream_bits, memory_bits, memory_address_bits.

    Members
    -------
    words: stream of ``axi.memory.memory_beat_layout``; addresses are multiples of a word's bytes.
    beats: stream of :func:`gathered_layout`. empty: no word is held here.

    Latency: a beat's last word → beat, 1 cycle if words are narrower, else 0. Throughput: a word
    or a beat a cycle, whichever takes longer.
    """

    def __init__(self, *, shell: ShellConfig) -> None:
        self.shell = shell
        self.emit_key = shell
        super().__init__({
            "words": In(stream.Signature(memory_beat_layout(shell))),
            "beats": Out(stream.Signature(gathered_layout(shell))), "empty": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.shell.stream_bits < self.shell.memory_bits:
            self._join(m)
        else:
            self._cut(m)
        return m

    def _join(self, m: Module) -> None:
        shell, word = self.shell, self.words.payload
        low = exact_log2(shell.memory_bytes)
        slot = word.address[exact_log2(shell.stream_bytes):low]
        held = Signal(gathered_layout(shell), reset_less=True)
        filled, whole, same, take, late = (Signal(name=name) for name in (
            "filled", "whole", "same", "take", "late"))
        waited = Signal(range(PATIENCE + 1))
        m.d.comb += [
            self.empty.eq(~filled), self.beats.payload.eq(held),
            same.eq(filled & ~whole & (word.address[low:] == held.address)),
            late.eq(waited == PATIENCE),
            self.beats.valid.eq(filled & (whole | late | (self.words.valid & ~same))),
            self.words.ready.eq(~filled | (same & ~late)
                                | (self.beats.valid & self.beats.ready)),
            take.eq(self.words.valid & self.words.ready)]
        m.d.sync += waited.eq(Mux(~filled | take, 0, waited + ~late))
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += filled.eq(0)
        joins = same & ~late
        with m.If(take):
            m.d.sync += [filled.eq(1), whole.eq(word.last | slot.all()), held.last.eq(word.last),
                         held.address.eq(word.address[low:])]
            for number in range(shell.memory_bits // shell.stream_bits):
                strobe = held.strobe.word_select(number, shell.stream_bytes)
                with m.If(slot == number):
                    m.d.sync += [
                        held.data.word_select(number, shell.stream_bits).eq(word.data),
                        strobe.eq(-1)]
                with m.Elif(~joins):
                    m.d.sync += strobe.eq(0)

    def _cut(self, m: Module) -> None:
        shell, word, beat = self.shell, self.words.payload, self.beats.payload
        parts = shell.stream_bits // shell.memory_bits
        m.d.comb += [self.empty.eq(1), self.beats.valid.eq(self.words.valid), beat.strobe.eq(-1)]
        if parts == 1:
            m.d.comb += [beat.data.eq(word.data), beat.last.eq(word.last),
                         beat.address.eq(word.address[exact_log2(shell.memory_bytes):]),
                         self.words.ready.eq(self.beats.ready)]
            return
        part = Signal(exact_log2(parts))
        end = part.all()
        m.d.comb += [
            beat.data.eq(word.data.word_select(part, shell.memory_bits)),
            beat.address.eq(Cat(part, word.address[exact_log2(shell.stream_bytes):])),
            beat.last.eq(word.last & end), self.words.ready.eq(self.beats.ready & end)]
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += part.eq(part + 1)
