"""Watchdog: tells when the engine has a frame and neither works on it nor waits for the host."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...contract.config import EngineConfig
from ...contract.registers import DATA_BITS
from ..counters import counter_layout

FRAME_BITS = 16
"""Of the count of frames in the engine, which is far below what they hold."""


class Watchdog(wiring.Component):
    """Count the cycles in a row in which something should move and nothing does.

    Something should move while the engine runs and has a frame whose results are not all out, or
    is offered a column that it does not take; not while a result is held for the host. Moving is:
    an entry fired in any lane, as the engine's counters show it, or ``moved``.

    Parameters
    ----------
    config: engine configuration; uses lanes.

    Members
    -------
    cycles: patience; 0: never. running: the engine runs. counters: the engine's.
    frame_in, frame_out: a whole frame has gone to the engine, all results of one have come out.
    offered: a column is offered to the engine and not taken. held: an output beat waits for the
    host. moved: a result was written, a column, row or beat moved anywhere.
    expired: ``cycles`` cycles in a row have passed, for one cycle; again after as many more.

    Latency: last of these cycles → expired, 2 cycles.
    """

    latency = 2

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "cycles": In(DATA_BITS), "running": In(1), "counters": In(counter_layout()),
            "frame_in": In(1), "frame_out": In(1), "offered": In(1), "held": In(1),
            "moved": In(1), "expired": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A counter steps by at most one a lane: these bits change whenever it does.
        low = self.config.lanes.bit_length()
        fired = Cat(self.counters[name][:low] for name in ("products", "nulls"))
        before = Signal.like(fired, name="fired_before", reset_less=True)
        frames = Signal(FRAME_BITS)
        still = Signal()
        m.d.sync += [
            before.eq(fired),
            still.eq(self.running & (frames.any() | self.offered) & ~self.held & ~self.moved
                     & (fired == before))]
        with m.If(~self.running):
            m.d.sync += frames.eq(0)
        with m.Elif(self.frame_in & ~self.frame_out & ~frames.all()):
            m.d.sync += frames.eq(frames + 1)
        with m.Elif(~self.frame_in & self.frame_out & frames.any()):
            m.d.sync += frames.eq(frames - 1)

        waited = Signal(DATA_BITS)
        m.d.comb += self.expired.eq(self.cycles.any() & (waited >= self.cycles))
        m.d.sync += waited.eq(waited + ~waited.all())
        with m.If(self.expired):
            m.d.sync += waited.eq(still)
        with m.If(~still):
            m.d.sync += waited.eq(0)
        return m
