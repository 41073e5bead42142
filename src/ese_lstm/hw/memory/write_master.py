"""AXI4 write master: words of load packets to external memory, in bursts."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from ...contract.shell import ShellConfig
from ..axi.memory import (
    RESPONSE_ERROR,
    UNANSWERED,
    memory_beat_layout,
    page_beats,
    request_layout,
    response_layout,
    write_layout,
)
from ..place import place
from .gather import PATIENCE, Gather, gathered_layout

REQUESTS = 4


class WriteMaster(wiring.Component):
    """Write words in bursts, each asked for when its data are there; AW and W of a burst begin
    together and neither waits for the other's READY (AXI4, A3.3.1).

    A burst ends with its packet, at ``burst_beats``, at a 4-KiB boundary, where addresses do not
    follow each other, or after ``gather.PATIENCE`` cycles without a word.

    Parameters
    ----------
    shell: shell configuration; uses stream_bits, memory_bits, memory_address_bits, burst_beats.

    Members
    -------
    words: stream of ``axi.memory.memory_beat_layout``; addresses are multiples of a word's bytes.
    aw, w, b: ``request_layout``, ``write_layout`` and ``response_layout`` of :mod:`axi.memory`.
    idle: every word taken has been written and answered. error: a burst was answered with SLVERR
    or DECERR, one cycle each.

    Throughput: a word or a beat a cycle, whichever takes longer.
    """

    def __init__(self, *, shell: ShellConfig) -> None:
        self.shell = shell
        self.emit_key = shell
        super().__init__({
            "words": In(stream.Signature(memory_beat_layout(shell))),
            "idle": Out(1), "error": Out(1),
            "aw": Out(stream.Signature(request_layout(shell))),
            "w": Out(stream.Signature(write_layout(shell))),
            "b": In(stream.Signature(response_layout())),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shell = self.shell
        gather = Gather(shell=shell)
        place(m, platform, "gather", gather, module="ese_gather")
        connect(m, flipped(self.words), gather.words)
        coming = gather.beats

        # A beat waits here until it is known whether it ends its burst.
        held = Signal(gathered_layout(shell), reset_less=True)
        filled, ends, follows, leaves = (Signal(name=name) for name in (
            "filled", "ends", "follows", "leaves"))
        count = Signal(range(max(shell.burst_beats, 2)))
        first = Signal.like(held.address, reset_less=True)
        waited = Signal(range(PATIENCE + 1))
        beat, request = write_layout(shell), request_layout(shell)
        m.submodules.data = data = SyncFIFOBuffered(
            width=beat.size, depth=max(2 * shell.burst_beats, REQUESTS))
        m.submodules.requests = requests = SyncFIFOBuffered(width=request.size, depth=REQUESTS)
        m.d.comb += [
            follows.eq(coming.payload.address == held.address + 1),
            ends.eq(held.last | (count == shell.burst_beats - 1) | (waited == PATIENCE)
                    | held.address[:exact_log2(page_beats(shell))].all()
                    | (coming.valid & ~follows)),
            leaves.eq(filled & data.w_rdy & requests.w_rdy & (ends | coming.valid)),
            coming.ready.eq(~filled | leaves),
            data.w_en.eq(leaves),
            data.w_data.eq(Cat(held.data, held.strobe, ends)),
            requests.w_en.eq(leaves & ends),
            requests.w_data.eq(Cat(Const(0, exact_log2(shell.memory_bytes)),
                                   Mux(count == 0, held.address, first),
                                   Cat(count, Const(0, 8))[:8]))]
        m.d.sync += waited.eq(Mux(~filled | coming.valid, 0, waited + (waited != PATIENCE)))
        with m.If(leaves):
            m.d.sync += [filled.eq(0), count.eq(Mux(ends, 0, count + 1))]
            with m.If(count == 0):
                m.d.sync += first.eq(held.address)
        with m.If(coming.valid & coming.ready):
            m.d.sync += [filled.eq(1), held.eq(coming.payload)]

        # One burst after another. Its data are all here: neither channel waits for the other.
        unanswered = Signal(range(UNANSWERED + 1))
        asked, sent, may = Signal(), Signal(), Signal()
        aw_done, w_done, done = Signal(), Signal(), Signal()
        m.d.comb += [
            may.eq(requests.r_rdy & (unanswered != UNANSWERED)),
            self.aw.valid.eq(may & ~aw_done), self.aw.payload.as_value().eq(requests.r_data),
            self.w.valid.eq(data.r_rdy & ~w_done & (aw_done | may)),
            self.w.payload.as_value().eq(data.r_data), self.b.ready.eq(1),
            asked.eq(self.aw.valid & self.aw.ready), requests.r_en.eq(asked),
            data.r_en.eq(self.w.valid & self.w.ready),
            sent.eq(data.r_en & self.w.payload.last),
            done.eq((aw_done | asked) & (w_done | sent)),
            self.error.eq(self.b.valid & self.b.payload.resp[RESPONSE_ERROR]),
            self.idle.eq(gather.empty & ~self.words.valid & ~filled & (data.level == 0)
                         & (requests.level == 0) & (unanswered == 0))]
        m.d.sync += [aw_done.eq((aw_done | asked) & ~done), w_done.eq((w_done | sent) & ~done),
                     unanswered.eq(unanswered + asked - (self.b.valid & unanswered.any()))]
        return m
