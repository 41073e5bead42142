"""Beats of the memory port to rows of streamed weights."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...contract.config import EngineConfig
from ...contract.layout import row_layout
from ...contract.shell import ShellConfig
from ...contract.timing import LINES, WORD_BITS
from ..layouts import struct
from ..parts import memory

ROW_COUNT_BITS = 32


class Gearbox(wiring.Component):
    """Cut rows of ``row_layout.words32`` 32-bit words out of a stream of wider or narrower beats.

    Words lie in banks, word w in bank w mod banks, so a row's words are in different banks
    wherever it begins. They are read together and turned by the row's first bank, two bits of it
    a cycle. After the last row of a round the rest of its last beat is dropped.

    Parameters
    ----------
    config: engine configuration; uses lanes, entry_bits. shell: uses memory_bits.

    Members
    -------
    beats: ``memory_bits`` a beat. count: rows of a round, at least 1, the same while run and in
    the cycle before. run: while low everything is forgotten and the next round begins; low for a
    cycle or more after a reset.
    rows: stream of ``contract.layout.row_layout``, straight from registers.

    Latency: last beat of a row → row, :attr:`latency` cycles. Throughput: a beat and a row a cycle.
    """

    def __init__(self, *, config: EngineConfig, shell: ShellConfig) -> None:
        self.config, self.shell = config, shell
        self.emit_key = config, shell
        super().__init__({
            "beats": In(stream.Signature(shell.memory_bits)),
            "count": In(ROW_COUNT_BITS), "run": In(1),
            "rows": Out(stream.Signature(struct(row_layout(config)))),
        })

    @property
    def row_words(self) -> int:
        """32-bit words of a row."""
        return row_layout(self.config).words32

    @property
    def banks(self) -> int:
        """Words of a line: a power of two that a row and a beat fit in."""
        return 1 << (max(self.row_words, self.shell.memory_bits // WORD_BITS) - 1).bit_length()

    @property
    def stages(self) -> int:
        """Registers after the banks' own: two bits of the turn each."""
        return -(-exact_log2(self.banks) // 2)

    @property
    def latency(self) -> int:
        """Last beat of a row taken → row valid."""
        return 2 + self.stages

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words, banks = self.row_words, self.banks
        beat_words = self.shell.memory_bits // WORD_BITS
        capacity = LINES * banks

        # Level in words: written, and not yet read or dropped.
        position = Signal(exact_log2(capacity))
        line, turn = position[exact_log2(banks):], position[:exact_log2(banks)]
        next_line = Signal(exact_log2(LINES), init=1)
        level, next_level = Signal(range(capacity + 1)), Signal(range(capacity + 1))
        left = Signal(ROW_COUNT_BITS)
        room = Signal(init=1)
        write, read, final = Signal(), Signal(), Signal()
        after, target = Signal.like(position), Signal.like(position)
        dropped = Signal(range(max(beat_words, 2)))
        m.d.comb += [
            self.beats.ready.eq(room), write.eq(self.beats.valid & room),
            after.eq(position + words),
            dropped.eq(Mux(final, -after[:exact_log2(beat_words)], 0)),
            target.eq(after + dropped),
            next_level.eq(level + Mux(write, beat_words, 0) - Mux(read, words + dropped, 0))]
        m.d.sync += [level.eq(next_level), room.eq(next_level <= capacity - beat_words)]
        with m.If(read):
            m.d.sync += [position.eq(target), next_line.eq(target[exact_log2(banks):] + 1),
                         left.eq(Mux(final, self.count, left - 1)),
                         final.eq(Mux(final, self.count == 1, left == 2))]

        write_beat = Signal(exact_log2(capacity // beat_words))
        with m.If(write):
            m.d.sync += write_beat.eq(write_beat + 1)

        # One stage of words behind the banks, then two bits of the turn a stage.
        stages = self.stages + 1
        valid = Signal(stages)
        advance = Signal(stages)
        m.d.comb += [advance.eq(Cat(
            ~valid[stage] | (advance[stage + 1] if stage + 1 < stages else self.rows.ready)
            for stage in range(stages))),
            read.eq((level >= words) & advance[0])]
        current = self._banks(m, write, write_beat, advance[0], line, next_line, turn)
        with m.If(advance[0]):
            m.d.sync += valid[0].eq(read)
        current = self._turn(m, current, turn, valid, advance)
        m.d.comb += [self.rows.valid.eq(valid[-1]),
                     self.rows.payload.as_value().eq(Cat(current))]
        with m.If(~self.run):
            m.d.sync += [level.eq(0), room.eq(1), position.eq(0), next_line.eq(1), valid.eq(0),
                         write_beat.eq(0), left.eq(self.count), final.eq(self.count == 1)]
        return m

    def _banks(self, m: Module, write: Signal, write_beat: Signal, advance: Value, line: Value,
               next_line: Value, turn: Value) -> list[Signal]:
        """The banks, written a beat at a time; a line's words from ``turn`` on, and the next line's
        before it."""
        banks, beat_words = self.banks, self.shell.memory_bits // WORD_BITS
        parts = exact_log2(banks // beat_words)
        current = []
        for bank in range(banks):
            store = memory(m, f"bank_{bank}", shape=WORD_BITS, depth=LINES, style="distributed")
            writer, reader = store.write_port(), store.read_port(domain="comb")
            m.d.comb += [
                writer.en.eq(write & (write_beat[:parts] == bank // beat_words)),
                writer.addr.eq(write_beat[parts:]),
                writer.data.eq(self.beats.payload.word_select(bank % beat_words, WORD_BITS)),
                reader.addr.eq(Mux(turn > bank, next_line, line) if bank < banks - 1 else line)]
            word = Signal(WORD_BITS, name=f"word_{bank}", reset_less=True)
            with m.If(advance):
                m.d.sync += word.eq(reader.data)
            current.append(word)
        return current

    def _turn(self, m: Module, current: list[Signal], turned: Value, valid: Signal,
              advance: Signal) -> list[Signal]:
        """The words turned to their places, two bits of the turn a stage."""
        words, stages = self.row_words, len(valid)
        for stage in range(1, stages):
            turn_here = Signal(len(turned), name=f"turn_{stage}", reset_less=True)
            with m.If(advance[stage - 1]):
                m.d.sync += turn_here.eq(turned)
            step_bits = len(turned) - 2 * (stages - 1 - stage) if stage == 1 else 2
            rest = len(turned) - step_bits
            step = turn_here[rest:]
            need = words + (1 << rest) - 1
            following = []
            for number in range(need):
                word = Signal(WORD_BITS, name=f"word_{stage}_{number}", reset_less=True)
                choices = [current[(number + (k << rest)) % len(current)]
                           for k in range(1 << step_bits)]
                chosen = choices[-1]
                for k in reversed(range(len(choices) - 1)):
                    chosen = Mux(step == k, choices[k], chosen)
                with m.If(advance[stage]):
                    m.d.sync += word.eq(chosen)
                following.append(word)
            with m.If(advance[stage]):
                m.d.sync += valid[stage].eq(valid[stage - 1])
            current, turned = following, turn_here[:rest]
        return current[:words]
