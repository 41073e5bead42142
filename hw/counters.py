"""Performance counters."""

from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig, bits_for
from .broadcaster import stall_layout

COUNTER_BITS = 48
COUNTERS = ("cycles", "frames", "products", "nulls", "starved", "stall_input", "stall_bank",
            "stall_dependency", "stall_queue", "stall_output")


def counter_layout() -> data.StructLayout:
    """All counters, COUNTER_BITS each.

    cycles: clock cycles while running. frames: frames whose last column was issued. products,
    nulls, starved: lane slots that fired a weight, fired a null or filler entry, or fired
    nothing; they add up to lanes × cycles. stall_…: cycles in which the broadcaster issued no
    column for want of an input frame, a drained bank, a written column or queue room.
    stall_output: cycles in which the epilogue waited for the frame output.
    """
    return data.StructLayout({name: unsigned(COUNTER_BITS) for name in COUNTERS})


class Counters(wiring.Component):
    """Count events since the last start; values stay readable when the engine stops.

    Parameters
    ----------
    config: engine configuration; uses lanes.

    Members
    -------
    clear: start over. running: count. frame: a frame's last column was issued. fired_product,
    fired_null: one bit a lane. stall: ``broadcaster.stall_layout``. stall_output: see
    :func:`counter_layout`.
    values: :func:`counter_layout`; an event is visible 2 cycles after it happened.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "clear": In(1), "running": In(1), "frame": In(1),
            "fired_product": In(config.lanes), "fired_null": In(config.lanes),
            "stall": In(stall_layout()), "stall_output": In(1),
            "values": Out(counter_layout()),
        })

    latency = 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = self.config.lanes
        increments = {name: Signal(bits_for(lanes + 1), name=f"step_{name}")
                      for name in COUNTERS}
        idle = Signal(lanes)
        m.d.comb += idle.eq(~(self.fired_product | self.fired_null))
        events = {"cycles": 1, "frames": self.frame, "products": _ones(self.fired_product),
                  "nulls": _ones(self.fired_null), "starved": _ones(idle),
                  "stall_input": self.stall.input, "stall_bank": self.stall.bank,
                  "stall_dependency": self.stall.dependency, "stall_queue": self.stall.queue,
                  "stall_output": self.stall_output}
        counting = Signal()
        m.d.sync += counting.eq(self.running)
        for name in COUNTERS:
            value = self.values[name]
            m.d.sync += increments[name].eq(events[name])
            with m.If(counting):
                m.d.sync += value.eq(value + increments[name])
            with m.If(self.clear):
                m.d.sync += value.eq(0)
        return m


def _ones(bits: Value) -> Value:
    """How many of the bits are set."""
    return sum(bits[1:], start=bits[0] + 0) if len(bits) > 1 else bits[0]
