"""A lane's fetch FIFO: order, latency, and the promise of room."""

import random

import pytest

from ese_lstm.contract import timing
from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.spmv.fetch_fifo import FetchFifo


@pytest.mark.parametrize("depth", [8, 9, 64])
def test_order_and_room(depth, simulate, seed) -> None:
    """Pushed as the engine does, by the room of one cycle before: nothing is lost."""
    rng = random.Random(seed)
    config = PRESETS["tiny"].replace(fetch_depth=depth)
    fifo = FetchFifo(config=config)
    entries = [rng.getrandbits(config.entry_bits) for _ in range(600)]
    taken = []
    full = 0

    async def drive(ctx):
        nonlocal full
        number, room = 0, 1
        busy = 0.9
        while len(taken) < len(entries):
            if rng.random() < 0.02:
                busy = rng.choice([0.1, 0.5, 1.0])
            push = bool(room) and number < len(entries) and rng.random() < 0.8
            ready = rng.random() < busy
            ctx.set(fifo.push, push)
            ctx.set(fifo.entry, entries[number] if push else rng.getrandbits(config.entry_bits))
            ctx.set(fifo.entries.ready, ready)
            room = ctx.get(fifo.room)  # of this cycle, used in the next
            full += not room
            number += push
            _, _, valid, payload = await ctx.tick().sample(fifo.entries.valid,
                                                           fifo.entries.payload)
            if valid and ready:
                taken.append(payload)

    simulate(fifo, drive)
    assert taken == entries and full > 0


def test_latency(simulate) -> None:
    config = PRESETS["tiny"].replace(fetch_depth=8)
    fifo = FetchFifo(config=config)
    seen = []

    async def drive(ctx):
        for cycle in range(12):
            ctx.set(fifo.push, cycle == 2)
            ctx.set(fifo.entry, 5)
            _, _, valid = await ctx.tick().sample(fifo.entries.valid)
            seen.append(valid)

    simulate(fifo, drive)
    arrives, written = 1, 1  # and 1 more before, at the stage where a row waits for room
    assert seen.index(1) == 2 + FetchFifo.latency == 2 + arrives + written + timing.FIFO_OUT
    assert 1 + FetchFifo.latency == timing.ROW


def test_room_ends_where_the_rule_says(simulate) -> None:
    """Nothing is taken: the FIFO and the short one behind it fill up to the margin, no further."""
    config = PRESETS["tiny"].replace(fetch_depth=8)
    fifo = FetchFifo(config=config)
    pushed = 0

    async def drive(ctx):
        nonlocal pushed
        for _ in range(60):
            push = bool(ctx.get(fifo.room))
            ctx.set(fifo.push, push)
            pushed += push
            await ctx.tick()
            ctx.set(fifo.push, 0)
            for _ in range(3):
                await ctx.tick()

    simulate(fifo, drive)
    assert pushed == config.fetch_depth - timing.ROW_MARGIN + timing.PREFETCH


@pytest.mark.parametrize("depth", [8, 9, 64])
def test_room_is_exactly_row_room_free_places(depth, simulate) -> None:
    """Nothing is taken: PREFETCH entries go on to the short FIFO, the others stay; there is room
    while ROW_ROOM places are free."""
    fifo = FetchFifo(config=PRESETS["tiny"].replace(fetch_depth=depth))
    rooms = []

    async def drive(ctx):
        for _ in range(depth + timing.PREFETCH + 1):
            for _ in range(8):
                await ctx.tick()
            rooms.append(ctx.get(fifo.room))
            ctx.set(fifo.push, 1)
            await ctx.tick()
            ctx.set(fifo.push, 0)

    simulate(fifo, drive)
    assert rooms == [int(depth - max(pushed - timing.PREFETCH, 0) >= timing.ROW_ROOM)
                     for pushed in range(len(rooms))]
    assert 0 < sum(rooms) < len(rooms)
