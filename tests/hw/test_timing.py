"""Every number of contract.timing has a test of the hardware, and the paths over several units."""

import re
from pathlib import Path

from amaranth.hdl import Cat, Module

from ese_lstm.contract import timing
from ese_lstm.contract.cells import LINEAR
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import epilogue_layout, lane_of, slot_of
from ese_lstm.hw.elementwise.epilogue import EpilogueSequencer
from ese_lstm.hw.spmv.collector import Collector
from ese_lstm.hw.spmv.mac import MacGroup

TINY = PRESETS["tiny"]


def test_every_number_is_tested_on_the_hardware() -> None:
    names = {name for name, value in vars(timing).items() if name.isupper()
             and isinstance(value, int)}
    assert len(names) > 15
    texts = [path.read_text() for path in Path(__file__).parent.rglob("test_*.py")]
    tested = {name for text in texts for name in re.findall(r"\btiming\.([A-Z_]+)", text)}
    assert names - tested == set()


class Drain:
    """Sequencer, banks of every lane and collector, wired as in the engine."""

    def __init__(self) -> None:
        self.sequencer = EpilogueSequencer(config=TINY)
        self.banks = [MacGroup(config=TINY, channels=TINY.channels) for _ in range(TINY.lanes)]
        self.collector = Collector(config=TINY, channels=TINY.channels)

    def wired(self) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = self.sequencer
        m.submodules.collector = self.collector
        for lane, bank in enumerate(self.banks):
            m.submodules[f"bank_{lane}"] = bank
            m.d.comb += [
                bank.read_row_0.eq(sequencer.row), bank.read_row_1.eq(sequencer.row),
                bank.drain_select.eq(Cat(sequencer.select_0[lane], sequencer.select_1[lane])),
                getattr(self.collector, f"lane_{lane}_bank_0").eq(bank.drain_0),
                getattr(self.collector, f"lane_{lane}_bank_1").eq(bank.drain_1)]
        return m


def test_a_row_arrives_drain_cycles_after_its_issue(simulate) -> None:
    """A linear tile of every row of both lanes, each with a sum of its own in either channel."""
    drain, rows = Drain(), TINY.rows_per_tile
    sequencer, collector = drain.sequencer, drain.collector
    tile = {field.name: 0 for field in epilogue_layout(TINY).fields}
    tile |= {"kind": LINEAR.kind, "count": rows, "end": 1}
    issued, arrived = [], []

    async def fill(ctx) -> None:
        for lane, bank in enumerate(drain.banks):
            ctx.set(bank.push, 1)
            ctx.set(bank.column, [1, -1])
            await ctx.tick()
            ctx.set(bank.push, 0)
            for row in range(TINY.acc_rows):
                ctx.set(bank.weight, 1 + TINY.acc_rows * lane + row)
                await ctx.tick().repeat(MacGroup.latency)
                for name, value in (("row", row), ("write", 1), ("bank", 0), ("fresh", 1)):
                    ctx.set(getattr(bank, name), value)
                await ctx.tick()
                ctx.set(bank.write, 0)

    async def testbench(ctx) -> None:
        await fill(ctx)
        ctx.set(sequencer.write, 1)
        ctx.set(sequencer.write_data, epilogue_layout(TINY).pack(tile))
        await ctx.tick()
        ctx.set(sequencer.write, 0)
        ctx.set(sequencer.done, 1)
        for cycle in range(rows + timing.DRAIN + 4):
            _, _, valid, row, cleared = await ctx.tick().sample(
                sequencer.sample.valid, collector.row, sequencer.bank_clear)
            issued.extend([cycle - 1] * valid)  # the sample is registered
            arrived.append(list(row))
            if cleared:
                ctx.set(sequencer.done, 0)

    simulate(drain.wired(), testbench)
    sums = [1 + TINY.acc_rows * lane_of(unit, TINY.lanes) + slot_of(unit, TINY.lanes)
            for unit in range(rows)]
    assert issued == list(range(issued[0], issued[0] + rows))
    wanted = [[0, 0]] * len(arrived)
    for cycle, total in zip(issued, sums, strict=True):
        wanted[cycle + timing.DRAIN] = [total, -total]
    assert arrived == wanted
