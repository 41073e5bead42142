"""Every number of contract.timing has a test of the hardware, and the paths over several units."""

import re
from functools import reduce
from operator import and_
from pathlib import Path

from amaranth.hdl import Cat, Module, ResetInserter, Signal

from ese_lstm.contract import timing
from ese_lstm.contract.cells import LINEAR
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import entry_layout, epilogue_layout, lane_of
from ese_lstm.hw.elementwise.epilogue import EpilogueSequencer
from ese_lstm.hw.spmv.collector import Collector
from ese_lstm.hw.spmv.lane import Lane

TINY = PRESETS["tiny"]


def test_every_number_is_tested_on_the_hardware() -> None:
    names = {name for name, value in vars(timing).items() if name.isupper()
             and isinstance(value, int)}
    assert len(names) > 15
    texts = [path.read_text() for path in Path(__file__).parent.rglob("test_*.py")]
    tested = {name for text in texts for name in re.findall(r"\btiming\.([A-Z_]+)", text)}
    assert names - tested == set()


class Drain:
    """Sequencer, lanes and collector, wired as in the engine; the lanes in reset by ``hold``."""

    def __init__(self) -> None:
        self.sequencer = EpilogueSequencer(config=TINY)
        self.lanes = [Lane(config=TINY) for _ in range(TINY.lanes)]
        self.collector = Collector(config=TINY, channels=TINY.channels)
        self.hold = Signal(init=1)

    def wired(self) -> Module:
        m = Module()
        m.submodules.sequencer = self.sequencer
        drain = self.sequencer.drain
        m.submodules.collector = self.collector
        m.d.comb += drain.done.eq(reduce(and_, (lane.done for lane in self.lanes)))
        for number, lane in enumerate(self.lanes):
            m.submodules[f"lane_{number}"] = ResetInserter(self.hold)(lane)
            m.d.comb += [
                lane.drain_row.eq(drain.row), lane.bank_clear.eq(drain.bank_clear),
                lane.drain_select.eq(Cat(drain.select_0[number], drain.select_1[number])),
                getattr(self.collector, f"lane_{number}_bank_0").eq(lane.drain_0),
                getattr(self.collector, f"lane_{number}_bank_1").eq(lane.drain_1)]
        return m

    async def load(self, ctx, tile: dict[str, int], weights: list[list[int]]) -> None:
        """One epilogue; one column of entries for every row of each lane."""
        ctx.set(self.sequencer.load.write, 1)
        ctx.set(self.sequencer.load.data, epilogue_layout(TINY).pack(tile))
        for lane, values in zip(self.lanes, weights, strict=True):
            for row, weight in enumerate(values):
                ctx.set(lane.write, 1)
                ctx.set(lane.address, row)
                ctx.set(lane.data, entry_layout(TINY).pack(
                    {"weight": weight, "index": row, "last": row == len(values) - 1}))
                await ctx.tick()
            ctx.set(lane.write, 0)
            ctx.set(lane.write_last, 1)
            ctx.set(lane.data, len(values) - 1)
            await ctx.tick()
            ctx.set(lane.write_last, 0)
        ctx.set(self.sequencer.load.write, 0)
        ctx.set(self.hold, 0)

    async def column(self, ctx, values: list[int]) -> None:
        """The tile's only column, to all lanes as the broadcaster sends it."""
        for cycle in range(timing.BROADCAST):
            for lane in self.lanes:
                ctx.set(lane.issue, cycle == 0)
                ctx.set(lane.push, cycle == timing.BROADCAST - 1)
                ctx.set(lane.tile_last, 1)
                ctx.set(lane.column, values)
            await ctx.tick()
        for lane in self.lanes:
            ctx.set(lane.push, 0)


def test_a_row_arrives_drain_cycles_after_its_issue(simulate) -> None:
    """A linear tile of every row of both lanes, each with a sum of its own in either channel."""
    drain, rows, lanes = Drain(), TINY.rows_per_tile, TINY.lanes
    tile = {field.name: 0 for field in epilogue_layout(TINY).fields}
    tile |= {"kind": LINEAR.kind, "count": rows, "end": 1}
    weights = [[1 + TINY.acc_rows * lane + row for row in range(TINY.acc_rows)]
               for lane in range(lanes)]
    issued, arrived = [], []

    async def testbench(ctx) -> None:
        await drain.load(ctx, tile, weights)
        await drain.column(ctx, [1, -1])
        for cycle in range(2 * TINY.acc_rows + rows + timing.DRAIN):
            _, _, valid, row = await ctx.tick().sample(
                drain.sequencer.sample.valid, drain.collector.row)
            issued.extend([cycle - 1] * valid)  # the sample is registered
            arrived.append(list(row))

    simulate(drain.wired(), testbench)
    assert issued == list(range(issued[0], issued[0] + rows))
    wanted = [[0, 0]] * len(arrived)
    for unit, cycle in enumerate(issued):
        total = weights[lane_of(unit, lanes)][unit // lanes]
        wanted[cycle + timing.DRAIN] = [total, -total]
    assert arrived == wanted
