"""Load packets of the host to beats of the engine's load port and bytes of external memory."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...contract.config import EngineConfig, bits_for
from ...contract.layout import SECTION_BITS, Section, header_layout, load_layout
from ...contract.packets import MEMORY_SECTION, descriptor_layout, load_sections
from ...contract.shell import ShellConfig
from ..axi.memory import memory_beat_layout
from ..axi.stream import beat_layout
from ..layouts import struct

ERRORS = ("section", "lane", "busy", "length")


class LoadUnit(wiring.Component):
    """Take the load packets of ``contract.packets`` apart.

    A packet with a fault is swallowed from there on; words before the fault have been written.
    The first fault of a packet is the one that is told.

    Parameters
    ----------
    config, shell: configurations.

    Members
    -------
    beats: stream of ``axi.stream.beat_layout``. load: stream of ``contract.layout.load_layout``.
    memory: stream of :func:`memory_beat_layout`; only if the engine streams weights.
    enable: the engine is idle and stays so; looked at when a packet begins. hold: forget the
    packet under way, swallow its rest, take no other, forget the header; a word that ``memory``
    offers stays.
    input_width: of the header loaded last. busy: a packet is under way.
    section_error (unknown section), lane_error, busy_error (not enable), length_error (no words,
    torn word, TKEEP low, words outside the section): a packet is swallowed for that, one cycle.

    Latency: last beat of a word → beat of ``load`` or ``memory`` valid, 1 cycle. No output depends
    on ``beats`` in the same cycle, but for the errors. Throughput: one beat a cycle;
    a packet takes one cycle more, after its descriptor.
    """

    latency = 1

    def __init__(self, *, config: EngineConfig, shell: ShellConfig) -> None:
        self.config, self.shell = config, shell
        self.emit_key = config, shell
        members = {"memory": Out(stream.Signature(memory_beat_layout(shell)))
                   } if config.fetch_depth else {}
        super().__init__({
            "beats": In(stream.Signature(beat_layout(shell))),
            "load": Out(stream.Signature(struct(load_layout(config)))), **members,
            "enable": In(1), "hold": In(1),
            "input_width": Out(config.activation_address_bits + 1), "busy": Out(1),
            **{f"{name}_error": Out(1) for name in ERRORS},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, shell = self.config, self.shell
        beat, word = self.beats.payload, self.load.payload
        now = _State(config, shell, word.address)
        m.d.comb += [
            now.accept.eq(self.beats.valid & self.beats.ready), now.keep.eq(beat.keep.all()),
            self.load.valid.eq(now.full), word.data.eq(Cat(now.parts)),
            word.address.eq(now.word_address), word.lane.eq(now.lane),
            word.section.eq(now.section)]
        with m.If(self.load.ready):
            m.d.sync += now.full.eq(0)

        header = Signal(struct(header_layout(config)))
        m.d.comb += header.eq(word.data)
        with m.If(now.full & self.load.ready & (now.section == Section.HEADER)):
            m.d.sync += self.input_width.eq(header.input_width)

        # A word for external memory waits in registers, so that READY depends on registers alone.
        if config.fetch_depth:
            m.d.comb += [self.memory.valid.eq(now.stored), self.memory.payload.eq(now.kept)]
            with m.If(self.memory.ready):
                m.d.sync += now.stored.eq(0)

        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("descriptor") | now.full | now.stored)

            with m.State("descriptor"):
                m.d.comb += self.beats.ready.eq(~self.hold & (~now.full | self.load.ready))
                m.d.sync += [now.head.eq(beat.data), now.head_last.eq(beat.last),
                             now.head_keep.eq(now.keep)]
                with m.If(now.accept):
                    m.next = "check"
            with m.State("check"):
                self._check(m, now)
            with m.State("words"):
                self._words(m, now)
            if config.fetch_depth:
                with m.State("memory"):
                    self._memory(m, now)
            with m.State("swallow"):
                m.d.comb += self.beats.ready.eq(1)
                with m.If(now.accept & beat.last):
                    m.next = "descriptor"

        with m.If(self.hold):
            m.d.sync += [now.full.eq(0), self.input_width.eq(0)]
        return m

    def _check(self, m: Module, now: "_State") -> None:
        """Whether the descriptor names words that there are."""
        head, low = now.head, exact_log2(self.shell.stream_bytes)
        known, wrong_lane, outside = (Signal(name=name) for name in (
            "known", "wrong_lane", "outside"))
        m.d.sync += [now.section.eq(head.section), now.lane.eq(head.lane), now.slot.eq(0),
                     now.address.eq(head.address)]
        m.next = "words"
        with m.Switch(head.section):
            for each in load_sections(self.config).values():
                with m.Case(each.section):
                    m.d.comb += [known.eq(1), wrong_lane.eq(head.lane >= each.lanes),
                                 outside.eq(head.address >= each.words)]
                    m.d.sync += [now.limit.eq(each.words),
                                 now.last_slot.eq(each.beats(self.shell) - 1)]
            if self.config.fetch_depth:
                with m.Case(MEMORY_SECTION):
                    inside = head.address[low:self.shell.memory_address_bits]
                    m.d.comb += [known.eq(1), wrong_lane.eq(head.lane != 0),
                                 outside.eq(head.address != inside << low)]
                    m.next = "memory"
        fault = self._tell(m, ("busy", ~self.enable), ("length", ~now.head_keep),
                           ("section", ~known), ("lane", wrong_lane),
                           ("length", outside | now.head_last))
        with m.If(fault | self.hold):
            m.next = "swallow"
        with m.If(now.head_last):
            m.next = "descriptor"

    def _words(self, m: Module, now: "_State") -> None:
        """Words of the engine's memories."""
        beat, slot = self.beats.payload, now.slot
        m.d.comb += self.beats.ready.eq(~now.full | self.load.ready)
        word_end = slot == now.last_slot
        with m.If(now.accept):
            for number, part in enumerate(now.parts):
                with m.If(slot == number):
                    m.d.sync += part.eq(beat.data)
            m.d.sync += [slot.eq(Mux(word_end, 0, slot + 1)), now.word_address.eq(now.address)]
            fault = self._tell(m, ("length", ~now.keep | (now.address == now.limit)
                                   | (beat.last & ~word_end)))
            with m.If(word_end & ~fault):
                m.d.sync += [now.full.eq(1), now.address.eq(now.address + 1)]
            self._after(m, fault)
        with m.If(self.hold & ~(now.accept & beat.last)):
            m.next = "swallow"

    def _memory(self, m: Module, now: "_State") -> None:
        """Words of external memory."""
        beat = self.beats.payload
        wrong = ~now.keep | now.address[self.shell.memory_address_bits]
        m.d.comb += self.beats.ready.eq(~now.stored | self.memory.ready)
        with m.If(now.accept):
            m.d.sync += [
                now.stored.eq(~wrong), now.address.eq(now.address + self.shell.stream_bytes),
                now.kept.data.eq(beat.data), now.kept.address.eq(now.address),
                now.kept.last.eq(beat.last)]
            self._after(m, self._tell(m, ("length", wrong)))
        with m.If(self.hold & ~(now.accept & beat.last)):
            m.next = "swallow"

    def _after(self, m: Module, fault: Value) -> None:
        """Where a beat of a word leads."""
        with m.If(fault):
            m.next = "swallow"
        with m.If(self.beats.payload.last):
            m.next = "descriptor"

    def _tell(self, m: Module, *faults: tuple[str, Value]) -> Value:
        """Raise the error of the first fault that applies; whether one does."""
        before: Value = Const(0)
        for name, fault in faults:
            with m.If(fault & ~before):
                m.d.comb += getattr(self, f"{name}_error").eq(1)
            before = before | fault
        return before


class _State:
    """Registers and wires of the packet under way: its descriptor, the section's last word and
    the word to come, a word on its way to the engine (full) and to external memory (stored)."""

    def __init__(self, config: EngineConfig, shell: ShellConfig, address: Signal) -> None:
        sections = load_sections(config)
        longest = max(section.beats(shell) for section in sections.values())
        self.head = Signal(struct(descriptor_layout()), reset_less=True)
        self.head_last, self.head_keep = Signal(reset_less=True), Signal(reset_less=True)
        self.section = Signal(SECTION_BITS, reset_less=True)
        self.lane = Signal(config.lane_address_bits, reset_less=True)
        self.limit = Signal(range(max(each.words for each in sections.values()) + 1),
                            reset_less=True)
        self.address = Signal(max(len(self.limit), shell.memory_address_bits + 1), reset_less=True)
        self.word_address = Signal.like(address, reset_less=True)
        self.slot = Signal(bits_for(longest))
        self.last_slot = Signal(bits_for(longest), reset_less=True)
        self.parts = [Signal(shell.stream_bits, name=f"part_{k}", reset_less=True)
                      for k in range(longest)]
        self.accept, self.keep, self.full = Signal(), Signal(), Signal()
        self.kept = Signal(memory_beat_layout(shell), reset_less=True)
        self.stored = Signal()
