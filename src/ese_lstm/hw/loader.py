"""Load port: spreads an image's words over the engine's memories."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig, bits_for
from ..contract.layout import (
    Section,
    epilogue_layout,
    header_layout,
    load_layout,
    param_layout,
    segment_layout,
)
from .layouts import entries_signature, struct, write_signature


class Loader(wiring.Component):
    """Decode the beats of the load port into write strobes.

    Parameters
    ----------
    config: engine configuration.

    Members
    -------
    beats: stream of ``contract.layout.load_layout``. enable: take beats (the engine is idle).
    segment, epilogue, param: ``layouts.write_signature`` of that memory. entries:
    ``layouts.entries_signature``. header: the header word, held.

    Latency: beat accepted → strobe, 1 cycle. Throughput: one word a cycle. A beat with an unknown
    section writes nothing.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "beats": In(stream.Signature(struct(load_layout(config)))), "enable": In(1),
            "header": Out(struct(header_layout(config))),
            "segment": Out(write_signature(bits_for(config.segment_depth),
                                           segment_layout(config).bits)),
            "epilogue": Out(write_signature(bits_for(config.epilogue_depth),
                                            epilogue_layout(config).bits)),
            "param": Out(write_signature(config.param_address_bits, param_layout(config).bits)),
            "entries": Out(entries_signature(config)),
        })

    latency = 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, valid = Signal(struct(load_layout(self.config)), reset_less=True), Signal()
        m.d.comb += self.beats.ready.eq(self.enable)
        m.d.sync += [valid.eq(self.beats.valid & self.beats.ready), beat.eq(self.beats.payload)]

        def chosen(section: Section) -> Value:
            return valid & (beat.section == section)

        with m.If(chosen(Section.HEADER)):
            m.d.sync += self.header.as_value().eq(beat.data)
        m.d.comb += [
            self.segment.write.eq(chosen(Section.SEGMENT)),
            self.epilogue.write.eq(chosen(Section.EPILOGUE)),
            self.param.write.eq(chosen(Section.PARAM))]
        for store in (self.segment, self.epilogue, self.param, self.entries):
            m.d.comb += [store.address.eq(beat.address), store.data.eq(beat.data)]
        lanes = range(self.config.lanes)
        m.d.comb += [store.eq(Cat(chosen(section) & (beat.lane == lane) for lane in lanes))
                     for store, section in ((self.entries.entry, Section.ENTRY),
                                            (self.entries.last, Section.LANE_LAST))]
        return m
