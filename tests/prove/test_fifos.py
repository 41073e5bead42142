"""FIFOs whose fillers look at room ahead of time: nothing is lost, nothing changes its place."""

from itertools import accumulate
from operator import or_

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data

from ese_lstm.contract import timing
from ese_lstm.contract.config import PRESETS
from ese_lstm.hw import frame_output
from ese_lstm.hw.layouts import frame_out_layout
from ese_lstm.hw.spmv import fetch_fifo

from .proof import Proof

TINY = PRESETS["tiny"]


class Fetch(Proof):
    """A lane's FIFO, filled by one who looks at room as early as it may."""

    depth, reach = 12, 24

    def build(self, m: Module) -> None:
        config = TINY.replace(fetch_depth=8)
        unit = self.place("fifo", self.source(fetch_fifo).FetchFifo(config=config))
        self.drive(unit, "entry")
        seen, rooms = unit.room, [unit.room]
        for _ in range(timing.ROW_ROOM - 2):
            before = Signal(init=1)
            m.d.sync += before.eq(seen | self.reset)
            rooms.append(seen := before)
        self.assume("looked_at_room", ~unit.push | list(accumulate(rooms, or_))[-1])
        takes = unit.entries.valid & unit.entries.ready
        word, inside = self.tokens("entries", unit.push, config.entry_bits, takes,
                                   unit.entries.payload)
        m.d.comb += unit.entry.eq(word)
        self.claim("stable", self.stable(unit.entries))
        rest = Signal(range(unit.latency + 1))
        m.d.sync += rest.eq(Mux(self.reset | unit.push | unit.entries.valid, 0,
                                rest + (rest != unit.latency)))
        self.claim("nothing_stuck", (rest != unit.latency) | (inside == 0))
        self.reached("full", ~unit.room & self.past(takes))


class Frames(Proof):
    """The output FIFO, with a result for every place that was promised, whenever it comes."""

    depth, reach = None, 14

    def build(self, m: Module) -> None:
        config = TINY.replace(output_depth=4, channels=1)
        unit = self.place("output", self.source(frame_output).FrameOutput(config=config))
        self.drive(unit, "values", "last")
        due = Signal(4)
        m.d.sync += due.eq(Mux(self.reset, 0, due + unit.issued - unit.write))
        self.assume("issued_into_room", ~unit.issued | unit.room)
        self.assume("written_after_issue", ~unit.write | (due != 0))
        takes = unit.frames.valid & unit.frames.ready
        layout = frame_out_layout(config)
        word, inside = self.tokens("frames", unit.write, layout.size, takes, unit.frames.payload)
        given = data.View(layout, word)
        m.d.comb += [unit.values.eq(given.values), unit.last.eq(given.last)]
        self.claim("stable", self.stable(unit.frames))
        self.claim("nothing_stuck", unit.frames.valid == (inside != 0))
        self.claim("empty", unit.empty == ((inside == 0) & (due == 0)))
        self.reached("full", ~unit.room & (inside == 4))


@pytest.mark.parametrize("proof", [Fetch, Frames])
def test_holds(proof, prove) -> None:
    prove(proof)


@pytest.mark.parametrize("proof, claim, mutation", [
    (Fetch, "entries_count", (fetch_fifo, "arriving - fetch", "arriving")),
    (Fetch, "entries_order", (
        fetch_fifo, "writer.addr.eq(write_slot)", "writer.addr.eq(read_slot)")),
    (Fetch, "nothing_stuck", (fetch_fifo, "level != 0", "level > 1")),
    (Frames, "frames_order", (frame_output, "promised != depth", "promised != depth + 1")),
    (Frames, "empty", (frame_output, "self.issued & ~take", "self.issued")),
])
def test_a_broken_line_is_found(proof, claim, mutation, refute) -> None:
    refute(proof, [mutation], claim)
