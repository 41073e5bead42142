"""Weight stream: cyclic order, latency, throughput, back-pressure and reset."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal

from ese_lstm.contract import timing
from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.spmv.weight_stream import WeightStream

CONFIG = PRESETS["tiny"].replace(stream_depth=20)
LATENCY = timing.FIFO_OUT


class Bench:
    """A weight stream held in reset, and its loading."""

    def __init__(self, config=CONFIG):
        self.unit, self.hold = WeightStream(config=config), Signal(init=1)
        self.dut = ResetInserter(self.hold)(self.unit)

    async def load(self, ctx, words):
        ctx.set(self.hold, 1)
        for address, word in enumerate(words):
            ctx.set(self.unit.write, 1)
            ctx.set(self.unit.address, address)
            ctx.set(self.unit.data, word)
            await ctx.tick()
        ctx.set(self.unit.write, 0)
        ctx.set(self.unit.write_last, 1)
        ctx.set(self.unit.data, len(words) - 1)
        await ctx.tick()
        ctx.set(self.unit.write_last, 0)
        ctx.set(self.hold, 0)


def random_words(rng, length):
    return [rng.randrange(1 << CONFIG.entry_bits) for _ in range(length)]


@pytest.mark.parametrize("pause", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 20])
def test_repeats_its_entries(simulate, streams, seed, length, pause):
    rng, bench = random.Random(seed), Bench()
    words = random_words(rng, length)

    async def testbench(ctx):
        await bench.load(ctx, words)
        taken = await streams.take(ctx, bench.unit.entries, 5 * length + 3, rng, pause)
        assert taken == words * 5 + (words * 3)[:3]

    simulate(bench.dut, testbench)


@pytest.mark.parametrize("length", [1, 7])
def test_first_entry_after_3_cycles_then_one_a_cycle(clocked, simulate, seed, length):
    bench = Bench()
    words = random_words(random.Random(seed), length)

    async def testbench(ctx):
        await bench.load(ctx, words)
        ctx.set(bench.unit.entries.ready, 1)
        seen = [(await ctx.tick().sample(bench.unit.entries.valid))[2] for _ in range(40)]
        assert seen == [0] * LATENCY + [1] * (40 - LATENCY)

    simulate(bench.dut, testbench)


def test_offers_an_entry_without_being_asked(simulate):
    bench = Bench()

    async def testbench(ctx):
        await bench.load(ctx, [5, 6])
        for _ in range(30):
            await ctx.tick()
        assert ctx.get(bench.unit.entries.valid) and ctx.get(bench.unit.entries.payload) == 5

    simulate(bench.dut, testbench)


def test_reset_starts_over_and_keeps_memory(simulate, streams, seed):
    """Stopped at any place, with entries fetched ahead, and loaded anew with fewer entries."""
    rng, bench = random.Random(seed), Bench()
    words, shorter = random_words(rng, 9), random_words(rng, 4)

    async def testbench(ctx):
        await bench.load(ctx, words)
        for taken in range(12):
            assert await streams.take(ctx, bench.unit.entries, taken, rng, 0.3) \
                == (words * 2)[:taken]
            ctx.set(bench.hold, 1)
            await ctx.tick()
            ctx.set(bench.hold, 0)
        await bench.load(ctx, shorter)
        assert await streams.take(ctx, bench.unit.entries, 9, rng) == (shorter * 3)[:9]

    simulate(bench.dut, testbench)
