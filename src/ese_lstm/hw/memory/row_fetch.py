"""Weight fetch: rows of streamed weights from external memory to the engine."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from ...contract.config import EngineConfig
from ...contract.layout import row_layout
from ...contract.shell import ShellConfig
from ...contract.timing import FETCH_SETUP, REQUEST, WORD_BITS
from ..axi.memory import read_layout, request_layout
from ..layouts import struct
from ..place import place
from .gearbox import ROW_COUNT_BITS, Gearbox
from .read_master import BEAT_COUNT_BITS, ReadMaster


class RowFetch(wiring.Component):
    """Rows 0 … count − 1 from ``base`` on, then again from 0, while ``enable``.

    Every round begins at ``base``; the last row may end inside a beat. When ``enable`` falls,
    rows on their way are dropped, bursts under way are taken from the bus, and the next rise
    begins with row 0; it may come before that is done.

    Parameters
    ----------
    config, shell: configurations.

    Members
    -------
    base: byte address of row 0, a multiple of the beat's bytes. count: rows of a round; 0: fetch
    nothing. Both change only while idle. enable: wire the engine's ``rows_enable``.
    rows: to the engine's ``rows``. ar, r: the memory port's read channels (:mod:`axi.memory`).
    idle: nothing is under way on the memory port. error: a beat came with SLVERR or DECERR, one
    cycle each; its rows are then wrong, and the engine may wait for entries that never come until
    it is reset, while the memory port goes on.

    Throughput: a beat or a row a cycle, whichever takes longer.
    """

    def __init__(self, *, config: EngineConfig, shell: ShellConfig) -> None:
        self.config, self.shell = config, shell
        self.emit_key = config, shell
        super().__init__({
            "base": In(shell.memory_address_bits), "count": In(ROW_COUNT_BITS), "enable": In(1),
            "idle": Out(1), "error": Out(1),
            "ar": Out(stream.Signature(request_layout(shell))),
            "r": In(stream.Signature(read_layout(shell))),
            "rows": Out(stream.Signature(struct(row_layout(config)))),
        })

    @property
    def latency(self) -> int:
        """enable → first request."""
        return row_layout(self.config).words32.bit_length() + FETCH_SETUP + REQUEST

    def elaborate(self, platform: object) -> Module:
        m = Module()
        reader = ReadMaster(shell=self.shell)
        gearbox = Gearbox(config=self.config, shell=self.shell)
        place(m, platform, "reader", reader, module="ese_read_master")
        place(m, platform, "gearbox", gearbox, module="ese_gearbox")
        connect(m, reader.data, gearbox.beats)
        connect(m, reader.ar, flipped(self.ar))
        connect(m, flipped(self.r), reader.r)
        connect(m, gearbox.rows, flipped(self.rows))

        # Beats of a round: rows times words of a row, a bit of the latter a cycle, rounded up.
        words = row_layout(self.config).words32
        beat_words = self.shell.memory_bits // WORD_BITS
        bits = words.bit_length()
        product = Signal(BEAT_COUNT_BITS, reset_less=True)
        rest = Signal(bits, reset_less=True)
        step = Signal(range(bits + 1))
        run = Signal()
        m.d.comb += [
            reader.base.eq(self.base), reader.run.eq(run), reader.beats.eq(product),
            gearbox.count.eq(self.count), gearbox.run.eq(reader.live),
            self.error.eq(reader.error)]
        with m.FSM() as fsm:
            m.d.comb += self.idle.eq(fsm.ongoing("wait") & reader.idle)
            with m.State("wait"):
                m.d.sync += [product.eq(0), rest.eq(words), step.eq(bits)]
                with m.If(self.enable & reader.idle & (self.count != 0)):
                    m.next = "multiply"
            with m.State("multiply"):
                m.d.sync += [product.eq((product << 1) + Mux(rest[-1], self.count, 0)),
                             rest.eq(rest << 1), step.eq(step - 1)]
                with m.If(step == 1):
                    m.next = "divide"
                with m.If(~self.enable):
                    m.next = "wait"
            with m.State("divide"):
                m.d.sync += product.eq((product + (beat_words - 1)) >> exact_log2(beat_words))
                m.next = "run"
                with m.If(~self.enable):
                    m.next = "wait"
            with m.State("run"):
                m.d.comb += run.eq(self.enable)
                with m.If(~self.enable):
                    m.next = "wait"
        return m
