"""Guard of the memory port: AXI4's rules on the outside, and nobody hangs, whatever is reset."""

import random

import pytest

from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.memory.guard import Guard

SHELL = ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=16,
                    outstanding=4, result_depth=16)


@pytest.mark.parametrize("pace", [1.0, 0.6, 0.2])
def test_everything_goes_through(make_world, simulate, seed, pace) -> None:
    rng, dut = random.Random(seed), Guard(shell=SHELL)
    world = make_world(dut, rng, pace=pace, inside_pace=rng.choice([0.2, 0.6, 1.0]))

    async def drive(ctx):
        for _ in range(1500):
            await world.cycle(ctx)
        await world.settle(ctx)

    simulate(dut, drive)
    reads, writes = world.inside.done["r"], world.inside.done["b"]
    assert reads + writes == world.inside.number and min(reads, writes) > 20
    assert world.check() == 0 and len(world.memory.written) == writes
    assert all(row["open"] and not row["isolated"] for row in world.log)


@pytest.mark.parametrize("pace", [1.0, 0.6, 0.2])
def test_a_reset_while_the_memory_goes_on_did_not_end(make_world, simulate, seed, pace) -> None:
    """Resets of any length at any moment: answers to requests from before are swallowed, bursts of
    W that were begun are completed without strobes, and everything after is answered."""
    rng, dut = random.Random(seed), Guard(shell=SHELL)
    world = make_world(dut, rng, pace=pace, delay=rng.choice([3, 40]),
                  inside_pace=rng.choice([0.3, 1.0]))
    outstanding = 0

    async def drive(ctx):
        nonlocal outstanding
        for _ in range(60):
            for _ in range(rng.choice([0, 1, 2, 5, 30, 150])):
                await world.cycle(ctx)
            outstanding += not world.memory.idle
            for _ in range(rng.choice([1, 1, 2, 5, 100])):
                await world.cycle(ctx, reset=True)
        done = dict(world.inside.done)
        await world.until(ctx, lambda: all(world.inside.done[k] > done[k] + 5 for k in done))
        await world.settle(ctx)

    simulate(dut, drive)
    assert outstanding > 10 and world.check() > 2
    assert world.memory.strays == 0
    assert not any(row["isolated"] or row["timed_out"] for row in world.log)


def test_requests_wait_until_nothing_is_outstanding(make_world, simulate, seed) -> None:
    """After a reset no request of the inside goes out before the last answer from before came."""
    rng, dut = random.Random(seed), Guard(shell=SHELL)
    world = make_world(dut, rng, delay=60)

    async def drive(ctx):
        for _ in range(20):
            for _ in range(rng.randint(1, 60)):
                await world.cycle(ctx)
            await world.cycle(ctx, reset=True)
            asked = set(world.memory.asked)
            old = set(world.inside.bursts)
            waiting = not world.memory.idle or ctx.get(dut.busy)
            while ctx.get(dut.busy):
                assert not ctx.get(dut.open)
                await world.cycle(ctx)
                assert set(world.memory.asked) - asked <= old, "a new request before the old end"
            assert world.memory.idle and (waiting or not ctx.get(dut.busy))

    simulate(dut, drive)


@pytest.mark.parametrize("timeout", [1, 7, 60])
def test_timeout_exactly(make_world, simulate, seed, timeout) -> None:
    """timed_out after ``timeout`` cycles in a row without progress while the memory is waited for,
    and never before; the memory's slowness alone does not isolate."""
    rng, dut = random.Random(seed), Guard(shell=SHELL)
    world = make_world(dut, rng, delay=3)
    async def drive(ctx):
        ctx.set(dut.timeout, timeout)
        await world.until(ctx, lambda: ctx.get(dut.busy) and not world.timeouts)
        world.memory.silent = True
        await world.until(ctx, lambda: ctx.get(dut.isolated))

    simulate(dut, drive)
    waited = 0
    for row in world.log:
        assert row["timed_out"] == (waited == timeout), "exactly then"
        waited = waited + 1 if row["busy"] and not row["moves"] else 0
    assert world.timeouts == 1


def test_no_timeout_is_zero(make_world, simulate, seed) -> None:
    rng, dut = random.Random(seed), Guard(shell=SHELL)
    world = make_world(dut, rng)

    async def drive(ctx):
        await world.until(ctx, lambda: ctx.get(dut.busy))
        world.memory.silent = True
        for _ in range(1000):
            await world.cycle(ctx)
        world.memory.silent = False
        await world.settle(ctx)

    simulate(dut, drive)
    assert world.timeouts == 0 and all(row["open"] for row in world.log)


@pytest.mark.parametrize("back", ["soon", "late", "never"])
def test_a_memory_that_falls_silent(make_world, simulate, seed, back) -> None:
    """All that the inside waits for, and asks for, ends with an error; nothing of it goes out.
    After ``resume`` it goes on as soon as the memory has answered what it owes."""
    rng, dut = random.Random(seed), Guard(shell=SHELL)
    world = make_world(dut, rng, delay=8)
    inside, memory = world.inside, world.memory

    async def isolate(ctx):
        inside.wants, memory.silent = True, False
        ctx.set(dut.resume, 0)
        for _ in range(rng.randint(1, 200)):
            await world.cycle(ctx)
        memory.silent = True
        await world.until(ctx, lambda: ctx.get(dut.isolated))
        await world.cycle(ctx)
        refused = dict(inside.refused)
        memory.silent = back != "soon"
        await world.until(ctx, lambda: all(inside.refused[k] > refused[k] + 5 for k in refused))
        assert ctx.get(dut.isolated)
        inside.wants = False
        await world.until(ctx, lambda: inside.idle)

    async def drive(ctx):
        ctx.set(dut.timeout, 30)
        for _ in range(6):
            await isolate(ctx)
            if back == "soon":
                await world.until(ctx, lambda: memory.idle)
                assert ctx.get(dut.isolated), "until it is told"
            ctx.set(dut.resume, 1)
            await world.cycle(ctx)
            ctx.set(dut.resume, 0)
            assert not ctx.get(dut.isolated)
            if back == "never":
                timeouts = world.timeouts
                await world.until(ctx, lambda: ctx.get(dut.isolated))
                assert world.timeouts == timeouts + 1 and ctx.get(dut.busy), "told again"
                ctx.set(dut.forget, 1)
                await world.cycle(ctx)
                ctx.set(dut.forget, 0)
                memory.forget()
                assert not ctx.get(dut.busy) and ctx.get(dut.isolated)
                ctx.set(dut.resume, 1)
            memory.silent = False
            await world.until(ctx, lambda: ctx.get(dut.open))
            assert memory.idle
            ctx.set(dut.resume, 0)
            done = dict(inside.done)
            inside.wants = True
            await world.until(ctx, lambda done=done: all(
                inside.done[k] > done[k] + 5 for k in done))
        await world.settle(ctx)

    simulate(dut, drive)
    world.check()


def test_beats_that_nothing_asked_for_wrapped_the_counts(make_world, simulate, seed) -> None:
    """Swallowed and told; then all is as before."""
    rng, dut = random.Random(seed), Guard(shell=SHELL)
    world = make_world(dut, rng, inside_pace=0.03)
    world.memory.stray = 0.5

    async def drive(ctx):
        for _ in range(1500):
            await world.cycle(ctx)
        world.memory.stray = 0.0
        await world.settle(ctx)

    simulate(dut, drive)
    assert world.memory.strays > 5 and world.check() == 0
    assert world.inside.done["r"] + world.inside.done["b"] == world.inside.number > 5


def test_forget_does_nothing_while_open(make_world, simulate, seed) -> None:
    rng, dut = random.Random(seed), Guard(shell=SHELL)
    world = make_world(dut, rng)

    async def drive(ctx):
        ctx.set(dut.forget, 1)
        for _ in range(300):
            await world.cycle(ctx)
        await world.settle(ctx)

    simulate(dut, drive)
    assert world.inside.done["r"] + world.inside.done["b"] == world.inside.number > 10


@pytest.mark.parametrize("beats", [1, 3])
def test_latency_and_throughput(simulate, beats) -> None:
    """A cycle later, and a beat a cycle over the ends of bursts; R and B in the same cycle."""
    dut = Guard(shell=SHELL)
    request = {"address": 64, "length": beats - 1}
    rows = [{"inside_aw_valid": int(k % beats == 0), "inside_ar_valid": int(k == 0)}
            for k in range(12)]
    seen = []

    async def drive(ctx):
        for port in (dut.ar, dut.aw, dut.w):
            ctx.set(port.ready, 1)
        for port in (dut.inside_r, dut.inside_b):
            ctx.set(port.ready, 1)
        ctx.set(dut.inside_aw.payload, request)
        ctx.set(dut.inside_ar.payload, request)
        for k, row in enumerate(rows):
            ctx.set(dut.inside_aw.valid, row["inside_aw_valid"])
            ctx.set(dut.inside_ar.valid, row["inside_ar_valid"])
            ctx.set(dut.inside_w.valid, 1)
            ctx.set(dut.inside_w.payload, {"data": k, "strobe": 255,
                                           "last": k % beats == beats - 1})
            ctx.set(dut.r.valid, int(k == 4))
            ctx.set(dut.r.payload, {"data": 7, "resp": 0, "last": 0})
            assert ctx.get(dut.inside_w.ready)
            assert ctx.get(dut.inside_r.valid) == int(k == 4) and ctx.get(dut.r.ready)
            seen.append(tuple(ctx.get(port.valid) for port in (dut.ar, dut.aw, dut.w))
                        + (ctx.get(dut.w.payload.data), ctx.get(dut.w.payload.last)))
            await ctx.tick()

    simulate(dut, drive)
    late = Guard.latency
    for k in range(late, len(rows)):
        before = rows[k - late]
        assert seen[k] == (before["inside_ar_valid"], before["inside_aw_valid"], 1, k - late,
                           int((k - late) % beats == beats - 1))
