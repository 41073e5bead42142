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
        sections = load_sections(config)
        longest = max(section.beats(shell) for section in sections.values())

        head = Signal(struct(descriptor_layout()), reset_less=True)
        head_last, head_keep = Signal(reset_less=True), Signal(reset_less=True)
        section = Signal(SECTION_BITS, reset_less=True)
        lane = Signal(config.lane_address_bits, reset_less=True)
        limit = Signal(range(max(each.words for each in sections.values()) + 1), reset_less=True)
        address = Signal(max(len(limit), shell.memory_address_bits + 1), reset_less=True)
        word_address = Signal.like(word.address, reset_less=True)
        slot, last_slot = Signal(bits_for(longest)), Signal(bits_for(longest), reset_less=True)
        parts = [Signal(shell.stream_bits, name=f"part_{k}", reset_less=True)
                 for k in range(longest)]
        accept, keep, full = Signal(), Signal(), Signal()
        m.d.comb += [
            accept.eq(self.beats.valid & self.beats.ready), keep.eq(beat.keep.all()),
            self.load.valid.eq(full), word.data.eq(Cat(parts)), word.address.eq(word_address),
            word.lane.eq(lane), word.section.eq(section)]
        with m.If(self.load.ready):
            m.d.sync += full.eq(0)

        header = Signal(struct(header_layout(config)))
        m.d.comb += header.eq(word.data)
        with m.If(full & self.load.ready & (section == Section.HEADER)):
            m.d.sync += self.input_width.eq(header.input_width)

        # A word for external memory waits in registers, so that READY depends on registers alone.
        kept, stored = Signal(memory_beat_layout(shell), reset_less=True), Signal()
        if config.fetch_depth:
            m.d.comb += [self.memory.valid.eq(stored), self.memory.payload.eq(kept)]
            with m.If(self.memory.ready):
                m.d.sync += stored.eq(0)

        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("descriptor") | full | stored)

            with m.State("descriptor"):
                m.d.comb += self.beats.ready.eq(~self.hold & (~full | self.load.ready))
                m.d.sync += [head.eq(beat.data), head_last.eq(beat.last), head_keep.eq(keep)]
                with m.If(accept):
                    m.next = "check"

            with m.State("check"):
                known, wrong_lane, outside = (Signal(name=name) for name in (
                    "known", "wrong_lane", "outside"))
                m.d.sync += [section.eq(head.section), lane.eq(head.lane), slot.eq(0),
                             address.eq(head.address)]
                m.next = "words"
                with m.Switch(head.section):
                    for each in sections.values():
                        with m.Case(each.section):
                            m.d.comb += [known.eq(1), wrong_lane.eq(head.lane >= each.lanes),
                                         outside.eq(head.address >= each.words)]
                            m.d.sync += [limit.eq(each.words),
                                         last_slot.eq(each.beats(shell) - 1)]
                    if config.fetch_depth:
                        with m.Case(MEMORY_SECTION):
                            inside = head.address[exact_log2(shell.stream_bytes):
                                                  shell.memory_address_bits]
                            m.d.comb += [
                                known.eq(1), wrong_lane.eq(head.lane != 0),
                                outside.eq(head.address
                                           != inside << exact_log2(shell.stream_bytes))]
                            m.next = "memory"
                fault = self._tell(m, ("busy", ~self.enable), ("length", ~head_keep),
                                   ("section", ~known), ("lane", wrong_lane),
                                   ("length", outside | head_last))
                with m.If(fault | self.hold):
                    m.next = "swallow"
                with m.If(head_last):
                    m.next = "descriptor"

            with m.State("words"):
                m.d.comb += self.beats.ready.eq(~full | self.load.ready)
                word_end = slot == last_slot
                with m.If(accept):
                    for number, part in enumerate(parts):
                        with m.If(slot == number):
                            m.d.sync += part.eq(beat.data)
                    m.d.sync += [slot.eq(Mux(word_end, 0, slot + 1)), word_address.eq(address)]
                    fault = self._tell(m, ("length", ~keep | (address == limit)
                                           | (beat.last & ~word_end)))
                    with m.If(word_end & ~fault):
                        m.d.sync += [full.eq(1), address.eq(address + 1)]
                    with m.If(fault):
                        m.next = "swallow"
                    with m.If(beat.last):
                        m.next = "descriptor"
                with m.If(self.hold & ~(accept & beat.last)):
                    m.next = "swallow"

            if config.fetch_depth:
                with m.State("memory"):
                    wrong = ~keep | address[shell.memory_address_bits]
                    m.d.comb += [
                        self.beats.ready.eq(~stored | self.memory.ready)]
                    with m.If(accept):
                        m.d.sync += [
                            stored.eq(~wrong), address.eq(address + shell.stream_bytes),
                            kept.data.eq(beat.data), kept.address.eq(address),
                            kept.last.eq(beat.last)]
                        with m.If(self._tell(m, ("length", wrong))):
                            m.next = "swallow"
                        with m.If(beat.last):
                            m.next = "descriptor"
                    with m.If(self.hold & ~(accept & beat.last)):
                        m.next = "swallow"

            with m.State("swallow"):
                m.d.comb += self.beats.ready.eq(1)
                with m.If(accept & beat.last):
                    m.next = "descriptor"

        with m.If(self.hold):
            m.d.sync += [full.eq(0), self.input_width.eq(0)]
        return m

    def _tell(self, m: Module, *faults: tuple[str, Value]) -> Value:
        """Raise the error of the first fault that applies; whether one does."""
        before: Value = Const(0)
        for name, fault in faults:
            with m.If(fault & ~before):
                m.d.comb += getattr(self, f"{name}_error").eq(1)
            before = before | fault
        return before
