"""A lane against a Python twin: any column order, both index modes, any pushing rhythm."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from ese_lstm.contract import timing
from ese_lstm.contract.config import PRESETS, EngineConfig
from ese_lstm.contract.layout import entry_layout
from ese_lstm.hw.spmv.lane import Lane

TINY = PRESETS["tiny"]
LIMIT = 20_000


def encode(config: EngineConfig, column: dict[int, int]) -> list[int]:
    """Entries of one (lane, column): a plain loop, apart from the packer's code."""
    layout, words, before = entry_layout(config), [], -1
    for row in sorted(column):
        index = row
        if config.index_mode == "relative4":
            while row - before - 1 > 15:
                words.append({"weight": 0, "index": 15, "last": 0})
                before += 16
            index = row - before - 1
        words.append({"weight": column[row], "index": index, "last": 0})
        before = row
    words = words or [{"weight": 0, "index": 0, "last": 0}]
    words[-1]["last"] = 1
    return [layout.pack(word) for word in words]


def random_tiles(config: EngineConfig, rng: random.Random, tiles: int) -> list[list[dict]]:
    """Columns of each tile; each maps row to weight, with empty columns and extreme weights."""
    top = 1 << (config.weight_bits - 1)
    weights = [-top, top - 1, 1, -1] + [rng.choice([-1, 1]) * rng.randrange(1, top)
                                        for _ in range(8)]
    density = rng.choice([0.05, 0.3, 1.0])
    columns = [[{row: rng.choice(weights) for row in range(config.acc_rows)
                 if rng.random() < density}
                for _ in range(rng.randrange(1, 3 * config.queue_depth))] for _ in range(tiles)]
    columns[0][0].setdefault(rng.randrange(config.acc_rows), top - 1)  # never a lane without any
    return columns


def run_lane(config: EngineConfig, tiles: list[list[dict]], rounds: int, rng: random.Random,
             idle: float) -> tuple[int, int]:
    """Push all tiles ``rounds`` times, drain each; returns (rows compared, products counted)."""
    lane, hold = Lane(config=config), Signal(init=1)
    top = 1 << (config.act_bits - 1)
    words = [word for tile in tiles for column in tile for word in encode(config, column)]
    assert len(words) <= config.stream_depth
    schedule, expected = [], []
    for _ in range(rounds):
        for tile in tiles:
            rows = [[0] * config.channels for _ in range(config.acc_rows)]
            for number, column in enumerate(tile):
                values = [rng.choice([-top, top - 1, 0, rng.randrange(-top, top)])
                          for _ in range(config.channels)]
                schedule.append((values, number == len(tile) - 1))
                for row, weight in column.items():
                    for channel, value in enumerate(values):
                        rows[row][channel] += weight * value
            expected.append(rows)
    wrap = 1 << config.acc_bits
    half = wrap >> 1
    compared = products = nulls = 0
    free = [True, True]
    loaded = False

    async def push(ctx):
        bank, first = 0, True
        pipeline = [None] * (timing.BROADCAST - 1)
        pending = list(schedule)
        for _ in range(LIMIT):
            leaving = pipeline.pop()
            ctx.set(lane.push, leaving is not None)
            if leaving:
                ctx.set(lane.column, leaving[0])
                ctx.set(lane.tile_last, leaving[1])
            issue = bool(loaded and pending and not ctx.get(lane.full) and rng.random() >= idle
                         and not (first and not free[bank]))
            ctx.set(lane.issue, issue)
            pipeline.insert(0, pending.pop(0) if issue else None)
            if issue:
                free[bank] = False
                first = pipeline[0][1]
                bank ^= first
            await ctx.tick()
            if not pending and not any(pipeline):
                break
        ctx.set(lane.push, 0)
        ctx.set(lane.issue, 0)

    async def drain(ctx):
        nonlocal compared, loaded
        for address, word in enumerate(words):
            ctx.set(lane.write, 1)
            ctx.set(lane.address, address)
            ctx.set(lane.data, word)
            await ctx.tick()
        ctx.set(lane.write, 0)
        ctx.set(lane.write_last, 1)
        ctx.set(lane.data, len(words) - 1)
        await ctx.tick()
        ctx.set(lane.write_last, 0)
        ctx.set(hold, 0)
        loaded = True
        bank = 0
        while expected:
            await ctx.tick().until(lane.done[bank])
            rows = expected.pop(0)
            for row in rng.sample(range(config.acc_rows), config.acc_rows):
                ctx.set(lane.drain_row, row)
                await ctx.tick()
                ctx.set(lane.drain_row, rng.randrange(config.acc_rows))
                ctx.set(lane.drain_select, 1 << bank)
                await ctx.tick()
                ctx.set(lane.drain_select, 0)
                got, other = ctx.get((lane.drain_0, lane.drain_1)[bank]), ctx.get(
                    (lane.drain_1, lane.drain_0)[bank])
                assert not any(other), "only the selected bank drains"
                for channel in range(config.channels):
                    want = (rows[row][channel] + half) % wrap - half
                    assert got[channel] == want, (bank, row, channel)
                    compared += 1
                await ctx.tick()
                assert not any(ctx.get(lane.drain_0)) and not any(ctx.get(lane.drain_1)), \
                    "an unselected lane drains 0"
            ctx.set(lane.bank_clear, 1 << bank)
            await ctx.tick()
            ctx.set(lane.bank_clear, 0)
            free[bank] = True
            bank ^= 1

    async def count(ctx):
        nonlocal products, nulls
        async for _, _, product, null in ctx.tick().sample(lane.fired_product, lane.fired_null):
            products += product
            nulls += null

    simulator = Simulator(ResetInserter(hold)(lane))
    simulator.add_clock(1e-6)
    simulator.add_testbench(push)
    simulator.add_testbench(drain)
    simulator.add_testbench(count, background=True)
    simulator.run()
    assert not expected
    weights = sum(len(column) for tile in tiles for column in tile)
    assert products == rounds * weights
    assert products + nulls == rounds * len(words)
    return compared, products


@pytest.mark.parametrize("idle", [0.0, 0.6])
@pytest.mark.parametrize("config", [
    TINY,
    TINY.replace(channels=1, queue_depth=1),
    TINY.replace(index_mode="relative4", acc_rows=64, queue_depth=3, stream_depth=4096),
    TINY.replace(acc_rows=12, weight_bits=16, acc_bits=40),
], ids=["tiny", "one-channel", "relative4", "wide"])
def test_lane_matches_twin(config: EngineConfig, idle: float, seed: int) -> None:
    rng = random.Random(seed)
    compared, products = run_lane(config, random_tiles(config, rng, 4), 2, rng, idle)
    assert compared >= 8 * config.acc_rows
    assert products > 0


def test_latencies_are_exact(simulate) -> None:
    """One column of two entries of one row, which end a tile: when each fires, accumulates,
    and the tile is done."""
    config = TINY.replace(channels=1)
    lane, hold = Lane(config=config), Signal(init=1)
    layout = entry_layout(config)
    words = [layout.pack({"weight": weight, "index": 5, "last": last})
             for weight, last in ((2, 0), (3, 1))]
    assert lane.latency == timing.MAC
    issue = 8
    head = issue + timing.BROADCAST
    seen: list[tuple[int, ...]] = []

    async def testbench(ctx):
        for address, word in enumerate(words):
            ctx.set(lane.write, 1)
            ctx.set(lane.address, address)
            ctx.set(lane.data, word)
            await ctx.tick()
        ctx.set(lane.write, 0)
        ctx.set(lane.write_last, 1)
        ctx.set(lane.data, len(words) - 1)
        await ctx.tick()
        ctx.set(lane.write_last, 0)
        ctx.set(hold, 0)
        ctx.set(lane.drain_select, 1)
        ctx.set(lane.drain_row, 5)
        for cycle in range(head + 8):
            ctx.set(lane.issue, cycle == issue)
            ctx.set(lane.push, cycle == issue + timing.BROADCAST - 1)
            ctx.set(lane.column, [10])
            ctx.set(lane.tile_last, 1)
            _, _, fired, drain, done = await ctx.tick().sample(
                lane.fired_product, lane.drain_0, lane.done)
            seen.append((fired, drain[0], done))

    simulate(ResetInserter(hold)(lane), testbench)
    fired, drained, done = zip(*seen, strict=True)
    assert [cycle for cycle, bit in enumerate(fired) if bit] == [head + 1, head + 2]
    readable = [head + timing.MAC, head + 1 + timing.MAC]
    assert [cycle - 1 for cycle, value in enumerate(drained) if value == 20] == readable[:1]
    assert drained[readable[1] + 1] == 50
    assert done.index(1) == readable[1]


def test_full_follows_issue_and_pop_with_a_queue_of_one(simulate) -> None:
    """The only place is taken from the cycle after the issue to the one after the pop."""
    config = TINY.replace(channels=1, queue_depth=1)
    lane, hold = Lane(config=config), Signal(init=1)
    full: list[int] = []
    nearly: list[int] = []  # sampled after the clock edge: a cycle earlier than full

    async def testbench(ctx):
        ctx.set(lane.write, 1)
        ctx.set(lane.data, entry_layout(config).pack({"weight": 1, "index": 0, "last": 1}))
        await ctx.tick()
        ctx.set(lane.write, 0)
        ctx.set(lane.write_last, 1)
        ctx.set(lane.data, 0)
        await ctx.tick()
        ctx.set(lane.write_last, 0)
        ctx.set(hold, 0)
        for cycle in range(14):
            ctx.set(lane.issue, cycle == 6)
            ctx.set(lane.push, cycle == 6 + timing.BROADCAST - 1)
            full.append((await ctx.tick().sample(lane.full))[2])
            nearly.append(ctx.get(lane.nearly_full))

    simulate(ResetInserter(hold)(lane), testbench)
    popped = 6 + timing.BROADCAST
    assert [cycle for cycle, bit in enumerate(full) if bit] == list(range(7, popped + 1))
    assert [cycle for cycle, bit in enumerate(nearly) if not bit] == list(range(6, popped))


def test_channels_of_every_group_and_no_other(seed: int) -> None:
    """Nine channels are two groups of multipliers; every channel drains its own sums."""
    rng = random.Random(seed)
    config = TINY.replace(channels=9, queue_depth=5)
    compared, products = run_lane(config, random_tiles(config, rng, 2), 1, rng, 0.2)
    assert compared >= 2 * 9 * config.acc_rows
    assert products + compared > 0
