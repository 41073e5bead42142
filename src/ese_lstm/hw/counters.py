"""Performance counters."""

from amaranth.hdl import C, Cat, Module, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig, bits_for
from ..contract.counters import COUNTER_BITS, ENGINE_COUNTERS
from .layouts import events_signature

_GROUP = 6
COUNTERS = tuple(ENGINE_COUNTERS)


def counter_layout() -> data.StructLayout:
    """All counters, COUNTER_BITS each; what they count: ``contract.counters``."""
    return data.StructLayout({name: unsigned(COUNTER_BITS) for name in COUNTERS})


class Counters(wiring.Component):
    """Count events since the last start; values stay readable when the engine stops.

    Parameters
    ----------
    config: engine configuration; uses lanes.

    Members
    -------
    clear: start over. running: count. events: ``layouts.events_signature``. stall_output: see
    :func:`counter_layout`.
    values: :func:`counter_layout`; an event is visible 2 cycles after it happened.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "clear": In(1), "running": In(1), "events": In(events_signature(config)),
            "stall_output": In(1),
            "values": Out(counter_layout()),
        })

    latency = 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = self.config.lanes
        idle, fired, stall = Signal(lanes), self.events, self.events.stall
        m.d.comb += idle.eq(~(fired.fired_product | fired.fired_null))
        events = {"cycles": C(1, 1), "frames": fired.frame, "products": fired.fired_product,
                  "nulls": fired.fired_null, "starved": idle,
                  "stall_input": stall.input, "stall_bank": stall.bank,
                  "stall_dependency": stall.dependency, "stall_queue": stall.queue,
                  "stall_output": self.stall_output}
        counting = Signal()
        m.d.sync += counting.eq(self.running)
        for name in COUNTERS:
            value = self.values[name]
            step: Value = C(0)
            for place, count in enumerate(_ones(m, name, events[name])):
                register = Signal.like(count, name=f"step_{name}_{place}")
                m.d.sync += register.eq(count)
                step = step + (register << place)
            with m.If(counting):
                m.d.sync += value.eq(value + step)
            with m.If(self.clear):
                m.d.sync += value.eq(0)
        return m


def _ones(m: Module, name: str, bits: Value) -> list[Value]:
    """How many of the bits are set, as a number for each power of two: first in groups of
    six bits, then again of the groups' bits of equal weight. One carry chain after another would
    be too deep."""
    groups = [_count(m, f"{name}_{first}", bits[first:first + _GROUP])
              for first in range(0, len(bits), _GROUP)]
    if len(groups) == 1:
        return groups
    counts = []
    for place in range(len(groups[0])):
        column = Cat(group[place] for group in groups if place < len(group))
        tables = [_count(m, f"{name}_{place}_{first}", column[first:first + _GROUP])
                  for first in range(0, len(column), _GROUP)]
        counts.append(sum(tables[1:], start=tables[0]))
    return counts


def _count(m: Module, name: str, bits: Value) -> Value:
    """Of at most six bits: two full adders and the sum of what they give, a LUT6 a bit."""
    padded = [*bits, *[C(0, 1)] * (_GROUP - len(bits))]
    (sum_0, carry_0), (sum_1, carry_1) = (_full_adder(*padded[first:first + 3])
                                          for first in (0, 3))
    bit_1, bit_2 = _full_adder(carry_0, carry_1, sum_0 & sum_1)
    count = Signal(bits_for(len(bits) + 1), name=f"count_{name}")
    m.d.comb += count.eq(Cat(sum_0 ^ sum_1, bit_1, bit_2))
    return count


def _full_adder(a: Value, b: Value, c: Value) -> tuple[Value, Value]:
    return a ^ b ^ c, a & b | c & (a | b)
