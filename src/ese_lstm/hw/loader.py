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
from .layouts import struct


class Loader(wiring.Component):
    """Decode the beats of the load port into write strobes.

    Parameters
    ----------
    config: engine configuration.

    Members
    -------
    beats: stream of ``contract.layout.load_layout``. enable: take beats (the engine is idle).
    segment, epilogue, param: {write, address, data} of that memory. header: the header word, held.
    entry, lane_last: one strobe a lane; lane_address, lane_data go to all lanes.

    Latency: beat accepted → strobe, 1 cycle. Throughput: one word a cycle. A beat with an unknown
    section writes nothing.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "beats": In(stream.Signature(struct(load_layout(config)))), "enable": In(1),
            "header": Out(struct(header_layout(config))),
            "segment_write": Out(1), "segment_address": Out(bits_for(config.segment_depth)),
            "segment_data": Out(segment_layout(config).bits),
            "epilogue_write": Out(1), "epilogue_address": Out(bits_for(config.epilogue_depth)),
            "epilogue_data": Out(epilogue_layout(config).bits),
            "param_write": Out(1), "param_address": Out(config.param_address_bits),
            "param_data": Out(param_layout(config).bits),
            "entry": Out(config.lanes), "lane_last": Out(config.lanes),
            "lane_address": Out(config.stream_address_bits),
            "lane_data": Out(max(config.entry_bits, config.stream_address_bits)),
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
            self.segment_write.eq(chosen(Section.SEGMENT)),
            self.epilogue_write.eq(chosen(Section.EPILOGUE)),
            self.param_write.eq(chosen(Section.PARAM)),
            self.segment_address.eq(beat.address), self.segment_data.eq(beat.data),
            self.epilogue_address.eq(beat.address), self.epilogue_data.eq(beat.data),
            self.param_address.eq(beat.address), self.param_data.eq(beat.data),
            self.lane_address.eq(beat.address), self.lane_data.eq(beat.data),
        ]
        lanes = range(self.config.lanes)
        m.d.comb += [
            self.entry.eq(Cat(chosen(Section.ENTRY) & (beat.lane == lane) for lane in lanes)),
            self.lane_last.eq(
                Cat(chosen(Section.LANE_LAST) & (beat.lane == lane) for lane in lanes))]
        return m
