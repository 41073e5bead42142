"""Weight fetch: the right rows in the right order, whatever the memory and the engine do."""

import random

import pytest

from ese_lstm.contract import timing
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import row_layout
from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.memory.gearbox import Gearbox
from ese_lstm.hw.memory.read_master import ReadMaster
from ese_lstm.hw.memory.row_fetch import RowFetch

SHELL = ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=16,
                    outstanding=4, result_depth=16)
TINY = PRESETS["tiny"].replace(fetch_depth=8)
CASES = {
    "row is a beat": (TINY, SHELL, 700),
    "row below a beat": (TINY.replace(lanes=1, channels=1), SHELL, 500),
    "row over many beats": (TINY.replace(lanes=32), SHELL.replace(burst_beats=3), 60),
    "two rows in a beat": (TINY.replace(lanes=5), SHELL.replace(
        memory_bits=256, burst_beats=128, outstanding=2), 130),
    "bursts of one beat": (TINY.replace(lanes=3), SHELL.replace(burst_beats=1, outstanding=1), 20),
    "widest bus": (TINY.replace(lanes=40), SHELL.replace(memory_bits=1024, burst_beats=5), 50),
}


def content(config, count, rng):
    layout = row_layout(config)
    rows = [rng.getrandbits(layout.bits) for _ in range(count)]
    size = timing.WORD_BITS // 8 * layout.words32
    return rows, b"".join(row.to_bytes(size, "little") for row in rows)


@pytest.mark.parametrize("name", CASES)
def test_rows_round_after_round(name, memory, simulate, streams, seed):
    rng = random.Random(seed)
    config, shell, count = CASES[name]
    rows, data = content(config, count, rng)
    base = shell.memory_bytes * rng.randrange(1, 200)
    slave = memory(shell, bytes(base) + data + bytes(8192), rng, rng.choice([0.0, 0.4]),
                   rng.choice([0, 7, 50]))
    fetch = RowFetch(config=config, shell=shell)
    got = []

    async def drive(ctx):
        ctx.set(fetch.base, base)
        ctx.set(fetch.count, count)
        assert ctx.get(fetch.idle)
        ctx.set(fetch.enable, 1)
        got.extend(await streams.take(ctx, fetch.rows, 2 * count + 5, rng,
                                      rng.choice([0.0, 0.5])))
        assert not ctx.get(fetch.idle)

    simulate(fetch, drive, background=[slave.read(fetch.ar, fetch.r)])
    values = [sum(row[f"entry_{k}"] << config.entry_bits * k for k in range(config.lanes))
              | row.mask << config.lanes * config.entry_bits for row in got]
    assert values == (rows + rows + rows[:5])
    beats = -(-len(data) // shell.memory_bytes)
    frame = 0
    for address, length in slave.bursts:  # each round from the base on, without gaps
        assert address == base + shell.memory_bytes * frame
        frame = (frame + length) % beats
    assert slave.most_outstanding <= shell.outstanding


def test_stops_at_any_moment_and_starts_over(memory, simulate, streams, seed):
    """Runs of random length with pauses of a cycle or more: each begins with row 0, also while
    bursts of the one before are still under way."""
    rng = random.Random(seed)
    config, shell, count = CASES["row is a beat"]
    rows, data = content(config, count, rng)
    slave = memory(shell, data + bytes(4096), rng, 0.2, 20)
    fetch = RowFetch(config=config, shell=shell)
    checked = 0

    async def drive(ctx):
        nonlocal checked
        ctx.set(fetch.count, count)
        for _ in range(25):
            ctx.set(fetch.enable, 1)
            for _ in range(rng.choice([1, 2, 5, 9, 12, 20, 60])):
                await ctx.tick()
            if rng.random() < 0.7:
                wanted = rng.randrange(1, 40)
                taken = await streams.take(ctx, fetch.rows, wanted, rng, 0.3)
                for row, value in zip(taken, rows, strict=False):
                    assert row.entry_0 == value & (1 << config.entry_bits) - 1
                    assert row.mask == value >> 2 * config.entry_bits
                    checked += 1
            ctx.set(fetch.enable, 0)
            for _ in range(rng.choice([1, 1, 2, 30, 200])):
                await ctx.tick()
        for _ in range(500):
            await ctx.tick()
        assert ctx.get(fetch.idle) and slave.outstanding == 0

    simulate(fetch, drive, background=[slave.read(fetch.ar, fetch.r)])
    assert checked > 100


def test_errors_are_told_and_nothing_hangs(memory, simulate, streams, seed):
    rng = random.Random(seed)
    config, shell, count = CASES["row is a beat"]
    count = 100
    rows, data = content(config, count, rng)
    slave = memory(shell, data + bytes(4096), rng, 0.2)
    slave.bad = {8 * 17, 8 * 44}
    fetch = RowFetch(config=config, shell=shell)
    errors = 0

    async def drive(ctx):
        ctx.set(fetch.count, count)
        ctx.set(fetch.enable, 1)
        taken = await streams.take(ctx, fetch.rows, count, rng, 0.3)
        assert taken[5].mask == rows[5] >> 2 * config.entry_bits
        ctx.set(fetch.enable, 0)
        await ctx.tick().until(fetch.idle)

    async def watch(ctx):
        nonlocal errors
        async for _, _, error in ctx.tick().sample(fetch.error):
            errors += error

    simulate(fetch, drive, background=[slave.read(fetch.ar, fetch.r), watch])
    assert errors in (2, 3, 4)  # the next round may have begun


@pytest.mark.parametrize("name", ["row is a beat", "two rows in a beat", "widest bus"])
def test_the_buffer_has_so_many_lines(name, simulate) -> None:
    """No row is taken: beats are, until the lines are full and a row waits in every stage."""
    config, shell, _ = CASES[name]
    gearbox = Gearbox(config=config, shell=shell)
    beats = 0

    async def drive(ctx):
        nonlocal beats
        ctx.set(gearbox.count, 1 << 20)
        await ctx.tick().repeat(2)
        ctx.set(gearbox.run, 1)
        ctx.set(gearbox.beats.valid, 1)
        for _ in range(20 * timing.LINES):
            _, _, taken = await ctx.tick().sample(gearbox.beats.ready)
            beats += taken

    simulate(gearbox, drive)
    waiting = (1 + gearbox.stages) * gearbox.row_words
    assert beats == (timing.LINES * gearbox.banks + waiting) // (
        shell.memory_bits // timing.WORD_BITS)


def test_no_rows_no_requests(memory, simulate, seed):
    config, shell, _ = CASES["row is a beat"]
    slave = memory(shell, bytes(4096), random.Random(seed))
    fetch = RowFetch(config=config, shell=shell)

    async def drive(ctx):
        ctx.set(fetch.enable, 1)
        for _ in range(100):
            await ctx.tick()
            assert ctx.get(fetch.idle) and not ctx.get(fetch.rows.valid)

    simulate(fetch, drive, background=[slave.read(fetch.ar, fetch.r)])
    assert slave.bursts == []


@pytest.mark.parametrize("name", ["row is a beat", "row over many beats", "two rows in a beat"])
def test_latency_and_throughput(name, memory, simulate):
    """enable → request exactly; then a beat or a row every cycle."""
    config, shell, _ = CASES[name]
    shell = shell.replace(burst_beats=16, outstanding=16)
    rng = random.Random(0)
    count = 400
    _, data = content(config, count, rng)
    slave = memory(shell, data + bytes(4096), rng)
    fetch = RowFetch(config=config, shell=shell)
    seen = []

    async def drive(ctx):
        ctx.set(fetch.count, count)
        ctx.set(fetch.rows.ready, 1)
        ctx.set(fetch.enable, 1)
        while sum(row for _, row, _ in seen) < count:
            _, _, asked, row, beat = await ctx.tick().sample(
                fetch.ar.valid, fetch.rows.valid, fetch.r.valid)
            seen.append((asked, row, beat))

    simulate(fetch, drive, background=[slave.read(fetch.ar, fetch.r)])
    requests = [cycle for cycle, (asked, _, _) in enumerate(seen) if asked]
    assert requests[0] == fetch.latency == (
        row_layout(config).words32.bit_length() + timing.FETCH_SETUP + timing.REQUEST)
    assert requests[1] == requests[0] + timing.REQUEST
    beats = -(-len(data) // shell.memory_bytes)
    first = next(cycle for cycle, (_, _, beat) in enumerate(seen) if beat)
    assert len(seen) - first <= max(beats, count) + 16


def test_a_last_beat_that_nothing_asked_for_wrapped_the_count(simulate) -> None:
    """The master was never idle again."""
    master = ReadMaster(shell=SHELL)

    async def drive(ctx):
        ctx.set(master.beats, 1)
        ctx.set(master.r.payload, {"data": 0, "resp": 0, "last": 1})
        ctx.set(master.r.valid, 1)
        await ctx.tick().repeat(3)
        ctx.set(master.r.valid, 0)
        ctx.set(master.run, 1)
        for _ in range(10):
            await ctx.tick()
        assert ctx.get(master.ar.valid)
        ctx.set(master.ar.ready, 1)
        ctx.set(master.run, 0)
        await ctx.tick()
        ctx.set(master.r.valid, 1)
        for _ in range(10):
            await ctx.tick()
        assert ctx.get(master.idle)

    simulate(master, drive)
