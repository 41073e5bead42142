"""Which channels take part in the frames under way."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig
from .layouts import frames_signature, masks_signature, waiting_signature


class FrameMasks(wiring.Component):
    """Hand arrived frames to the sparse matrix-vector unit and keep their channels by parity.

    A frame's masks replace those of the frame two before with its first column, for which a bank
    must be drained: by then that frame's last tile is in the epilogue, which holds its own copy.

    Parameters
    ----------
    config: engine configuration; uses channels.

    Members
    -------
    clear: the next frame is the first and a start for every channel.
    waiting: from the frame input (``layouts.waiting_signature``). frames: the same frames
    (``layouts.frames_signature``). masks: ``layouts.masks_signature``.

    Latency: issue of a frame's first column → its masks, 1 cycle.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "clear": In(1), "waiting": In(waiting_signature(config)),
            "frames": Out(frames_signature(config)), "masks": Out(masks_signature(config))})

    latency = 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        frames, waiting = self.frames, self.waiting
        opening, parity = Signal(init=1), Signal()
        active, start = Signal.like(waiting.active), Signal.like(waiting.start)
        m.d.comb += [
            frames.ready.eq(waiting.ready), frames.start.eq(Mux(opening, -1, waiting.start)),
            waiting.take.eq(frames.take), waiting.release.eq(frames.release)]
        for number, name in enumerate(("even", "odd")):
            kept_active, kept_start = (Signal(self.config.channels, name=f"{what}_{name}")
                                       for what in ("active", "start"))
            with m.If(frames.issue & (parity == number)):
                m.d.sync += [kept_active.eq(active), kept_start.eq(start)]
            m.d.comb += [getattr(self.masks, f"active_{name}").eq(kept_active),
                         getattr(self.masks, f"start_{name}").eq(kept_start)]
        with m.If(frames.take):
            m.d.sync += [opening.eq(0), parity.eq(frames.parity), active.eq(waiting.active),
                         start.eq(frames.start)]
        with m.If(self.clear):
            m.d.sync += opening.eq(1)
        return m
