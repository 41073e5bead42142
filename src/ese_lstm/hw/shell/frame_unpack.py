"""Input packets of the host to frames of the engine."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...contract.config import EngineConfig, bits_for
from ...contract.packets import ACTIVE_BIT, START_BIT, container_bits, row_beats
from ...contract.shell import ShellConfig
from ..axi.stream import beat_layout
from ..layouts import frame_in_layout


class FrameUnpack(wiring.Component):
    """Rows of an input packet (see ``contract.packets``) to columns of the engine's frame input.

    A packet must have TKEEP high throughout and TLAST with the last beat of its row
    ``input_width`` and nowhere else. Any other is dropped whole: its rest is swallowed, and what
    the engine has of it is ended at a wrong length, for which the engine drops it. The first
    fault of a packet is the one that is told.

    Parameters
    ----------
    config, shell: configurations.

    Members
    -------
    beats: stream of ``axi.stream.beat_layout``. enable: the engine takes frames. While low, packets
    wait; one of which a part has been taken is forgotten and its rest swallowed.
    input_width: rows of features in a packet; 0 refuses every packet.
    frames: stream of ``layouts.frame_in_layout``.
    busy: a packet is under way, until its last beat is taken.
    length_error, keep_error: a packet is dropped for that. frame: the last column of a good frame
    goes to the engine. Each is high for one cycle.

    Latency: last beat of a row → column valid, 1 cycle. Throughput: one beat a cycle while the
    engine takes every column at once.
    """

    latency = 1

    def __init__(self, *, config: EngineConfig, shell: ShellConfig) -> None:
        self.config, self.shell = config, shell
        self.emit_key = config, shell
        super().__init__({
            "beats": In(stream.Signature(beat_layout(shell))), "enable": In(1),
            "input_width": In(config.activation_address_bits + 1),
            "frames": Out(stream.Signature(frame_in_layout(config))),
            "length_error": Out(1), "keep_error": Out(1), "frame": Out(1), "busy": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        count = row_beats(config, self.shell)
        beat, column = self.beats.payload, self.frames.payload

        # Row 0 holds the flags; ``row`` is also one more than the columns given to the engine.
        row = Signal(config.activation_address_bits + 1)
        slot = Signal(bits_for(count))
        full, last = Signal(), Signal(reset_less=True)
        values = [Signal(config.act_bits, name=f"value_{c}", reset_less=True)
                  for c in range(config.channels)]
        active, start = (Signal(config.channels, name=name, reset_less=True)
                         for name in ("active", "start"))
        m.d.comb += [column["values"].as_value().eq(Cat(values)), column.active.eq(active),
                     column.start.eq(start)]

        accept, row_end, packet_end, keep, good = (
            Signal(name=name) for name in ("accept", "row_end", "packet_end", "keep", "good"))
        m.d.comb += [
            accept.eq(self.beats.valid & self.beats.ready),
            row_end.eq(slot == count - 1),
            packet_end.eq(row_end & (row == self.input_width)),
            keep.eq(beat.keep.all()),
            good.eq(keep & (beat.last == packet_end) & (self.input_width != 0))]

        self._capture(m, accept, slot, row, values, active, start)
        with m.FSM():
            with m.State("take"):
                m.d.comb += [
                    self.busy.eq((row != 0) | (slot != 0)),
                    self.beats.ready.eq(self.enable & (~full | self.frames.ready)),
                    self.frames.valid.eq(full), column.last.eq(last),
                    self.frame.eq(full & last & self.frames.ready)]
                with m.If(self.frames.ready):
                    m.d.sync += full.eq(0)
                with m.If(accept & good):
                    m.d.sync += [
                        slot.eq(Mux(row_end, 0, slot + 1)), last.eq(beat.last),
                        full.eq(row_end & (row != 0)),
                        row.eq(Mux(beat.last, 0, row + row_end))]
                with m.If(accept & ~good):
                    m.d.sync += slot.eq(0)
                    m.d.comb += [self.keep_error.eq(~keep), self.length_error.eq(keep)]
                    m.next = "swallow"
                    with m.If(beat.last):
                        m.next = "abort"
                with m.If(~self.enable):
                    m.d.sync += [full.eq(0), row.eq(0), slot.eq(0)]
                    with m.If((row != 0) | (slot != 0)):
                        m.next = "swallow"
            self._drop(m, accept, row)
        return m

    def _capture(self, m: Module, accept: Signal, slot: Signal, row: Signal,
                 values: list[Signal], active: Signal, start: Signal) -> None:
        """The fields of a beat, and those of row 0 also as flags."""
        width = container_bits(self.config)
        per_beat = self.shell.stream_bits // width
        for channel in range(self.config.channels):
            place, lane = divmod(channel, per_beat)
            field = self.beats.payload.data[lane * width:(lane + 1) * width]
            with m.If(accept & (slot == place)):
                m.d.sync += values[channel].eq(field)
                with m.If(row == 0):
                    m.d.sync += [active[channel].eq(field[ACTIVE_BIT]),
                                 start[channel].eq(field[START_BIT])]

    def _drop(self, m: Module, accept: Signal, row: Signal) -> None:
        """Swallow the rest of a packet, then end what the engine has of it."""
        beat, column = self.beats.payload, self.frames.payload
        with m.State("swallow"):
            m.d.comb += [self.beats.ready.eq(1), self.busy.eq(1)]
            with m.If(accept & beat.last):
                m.next = "abort"
            with m.If(~self.enable):
                m.d.sync += row.eq(0)

        # End what the engine has with a column that can't be the last of a good frame.
        with m.State("abort"):
            begun = row > 1
            m.d.comb += [self.frames.valid.eq(begun & self.enable),
                         column.last.eq(row != self.input_width)]
            with m.If(self.frames.valid & self.frames.ready):
                m.d.sync += row.eq(row + 1)
            with m.If(~self.enable | ~begun | (self.frames.ready & column.last)):
                m.d.sync += row.eq(0)
                m.next = "take"
