"""Write master: every word at its place, in bursts that the standard allows."""

import random

import pytest

from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.memory.write_master import WriteMaster

SHELL = ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=16,
                    outstanding=4, result_depth=16)
CASES = {
    "equal": SHELL,
    "two words a beat": SHELL.replace(memory_bits=128, burst_beats=4),
    "sixteen words a beat": SHELL.replace(memory_bits=1024, burst_beats=32),
    "four beats a word": SHELL.replace(stream_bits=256, burst_beats=256),
    "single beats": SHELL.replace(burst_beats=1),
}


@pytest.mark.parametrize("pause", [0.0, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_packets_anywhere(name, pause, memory, simulate, streams, seed):
    """Packets of random length and place, some without their last word; all bytes written arrive
    and nothing else changes."""
    rng = random.Random(seed)
    shell = CASES[name]
    size = shell.stream_bytes
    content = bytearray(rng.randbytes(16384))
    slave = memory(shell, bytes(content), rng, pause)
    master = WriteMaster(shell=shell)
    words = []
    for _ in range(12):
        count = rng.choice([1, 2, 3, 17, 60])
        first = size * rng.randrange(16384 // size - count)
        for k in range(count):
            data = rng.randbytes(size)
            content[first + size * k:first + size * (k + 1)] = data
            words.append({"data": int.from_bytes(data, "little"), "address": first + size * k,
                          "last": k == count - 1 and rng.random() < 0.7})

    async def drive(ctx):
        assert ctx.get(master.idle)
        await streams.send(ctx, master.words, words, rng, rng.choice([0.0, 0.3]))
        for _ in range(5000):
            await ctx.tick()
            if ctx.get(master.idle):
                break
        assert ctx.get(master.idle)

    simulate(master, drive, background=[
        slave.write(master.aw, master.w, master.b)])
    assert slave.content == content
    strobes = sum(strobe.bit_count() for _, strobe in slave.written)
    assert strobes == size * len(words) > 0


def test_errors_are_told(memory, simulate, streams, seed):
    rng = random.Random(seed)
    slave = memory(SHELL, bytes(4096), rng)
    slave.bad = {8 * 15}
    master = WriteMaster(shell=SHELL)
    words = [{"data": k, "address": 8 * k, "last": k == 39} for k in range(40)]
    errors = 0

    async def drive(ctx):
        await streams.send(ctx, master.words, words, rng)
        await ctx.tick().until(master.idle)

    async def watch(ctx):
        nonlocal errors
        async for _, _, error in ctx.tick().sample(master.error):
            errors += error

    simulate(master, drive, background=[
        slave.write(master.aw, master.w, master.b), watch])
    assert errors == 1 and slave.bursts == [(0, 16), (128, 16), (256, 8)]


@pytest.mark.parametrize("pause", [0.0, 0.5])
@pytest.mark.parametrize("order", ["request first", "data seen", "data first"])
def test_neither_channel_waits_for_the_other(order, pause, memory, simulate, streams, seed):
    """A slave may hold back AWREADY until it sees WVALID, or until it has the data (A3.3.1)."""
    rng = random.Random(seed)
    slave = memory(SHELL, bytes(4096), rng, pause)
    master = WriteMaster(shell=SHELL)
    content = rng.randbytes(8 * 131)
    words = [{"data": int.from_bytes(content[8 * k:8 * k + 8], "little"), "address": 8 * k,
              "last": k % 50 == 49 or k == 130} for k in range(131)]

    async def drive(ctx):
        await streams.send(ctx, master.words, words, rng)

    async def watch(ctx):
        for _ in range(2000):
            await ctx.tick()
            if len(slave.written) == 131 and ctx.get(master.idle):
                break
        assert ctx.get(master.idle), "the master must not wait for AWREADY"

    simulate(master, watch, background=[
        drive, slave.write(master.aw, master.w, master.b, order)])
    assert slave.content[:len(content)] == content and len(slave.written) == 131


@pytest.mark.parametrize("name", ["equal", "single beats", "four beats a word"])
def test_throughput(name, memory, simulate, streams, seed):
    """A beat a cycle, over the ends of bursts."""
    rng = random.Random(seed)
    shell = CASES[name]
    slave = memory(shell, bytes(65536), rng)
    master = WriteMaster(shell=shell)
    words = [{"data": k, "address": shell.stream_bytes * k, "last": k == 199} for k in range(200)]

    async def drive(ctx):
        await streams.send(ctx, master.words, words, rng)
        await ctx.tick().until(master.idle)

    simulate(master, drive, background=[slave.write(master.aw, master.w, master.b)])
    beats = 200 * max(1, shell.stream_bits // shell.memory_bits)
    assert len(slave.bursts) > 2 and len(slave.beat_cycles) == beats
    assert slave.beat_cycles[-1] - slave.beat_cycles[0] == beats - 1


def test_an_answer_that_nothing_asked_for_wrapped_the_count(simulate):
    """The master was never idle again, and load packets hung."""
    master = WriteMaster(shell=SHELL)

    async def drive(ctx):
        ctx.set(master.b.valid, 1)
        await ctx.tick().repeat(3)
        ctx.set(master.b.valid, 0)
        await ctx.tick()
        assert ctx.get(master.idle)

    simulate(master, drive)
