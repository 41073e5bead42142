"""Frame input: what it writes, when a frame counts, and frames of the wrong length."""

import random

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.frame_input import SLOTS, FrameInput

TINY = PRESETS["tiny"]
LIMIT = 20_000


def beats(values, active, start):
    """A frame of ``values`` (width, channels); masks count with the last beat only."""
    return [{"values": column, "active": active if index == len(values) - 1 else ~active,
             "start": start if index == len(values) - 1 else ~start,
             "last": index == len(values) - 1} for index, column in enumerate(values)]


class Bench:
    """The unit, the buffer that it writes, and an engine that takes and releases frames."""

    def __init__(self, config, width, rng):
        self.config, self.width, self.rng = config, width, rng
        self.unit = FrameInput(config=config)
        self.even = rng.randrange(config.activation_depth - 2 * width)
        self.odd = self.even + width
        self.memory, self.writes = {}, 0
        self.mask = (1 << config.channels) - 1
        self.good, self.sent = [], []

    def frame(self, length):
        values = [[self.rng.randrange(-(1 << 15), 1 << 15) for _ in range(self.config.channels)]
                  for _ in range(length)]
        masks = self.rng.randint(0, self.mask), self.rng.randint(0, self.mask)
        if length == self.width:
            self.good.append((values, *masks))
        self.sent += beats(values, masks[0], masks[1])

    def start(self, ctx, run=1):
        ctx.set(self.unit.header, {"input_even": self.even, "input_odd": self.odd,
                                   "input_width": self.width})
        ctx.set(self.unit.run, run)

    async def observe(self, ctx):
        unit = self.unit
        store = unit.store
        sampled = ctx.tick().sample(store.write, store.address, store.data, unit.blocked)
        async for _, _, write, address, values, blocked in sampled:
            if write:
                assert not blocked, "the write port belongs to a result"
                self.memory[address] = list(values)
                self.writes += 1

    async def block(self, ctx, share):
        while True:
            ctx.set(self.unit.blocked, self.rng.random() < share)
            await ctx.tick()

    def held(self, number):
        base = self.odd if number % 2 else self.even
        return [self.memory.get(base + k) for k in range(self.width)]

    async def serve(self, ctx, slow):
        """Take and release every good frame, at most one ahead, as the broadcaster does; its
        columns must be there from take to release."""
        unit = self.unit
        for number, (values, active, start) in enumerate(self.good):
            await ctx.tick().until(unit.waiting.ready)
            while self.rng.random() < slow:
                await ctx.tick()
            assert (ctx.get(unit.waiting.active), ctx.get(unit.waiting.start)) == (active, start)
            assert self.held(number) == values
            ctx.set(unit.waiting.take, 1)
            await ctx.tick()
            ctx.set(unit.waiting.take, 0)
            while self.rng.random() < slow:
                await ctx.tick()
            ctx.set(unit.waiting.release, 1)
            await ctx.tick()
            ctx.set(unit.waiting.release, 0)
            assert self.held(number) == values
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(unit.waiting.ready)


@pytest.mark.parametrize("slow", [0.0, 0.9])
@pytest.mark.parametrize(("idle", "share"), [(0.0, 0.0), (0.4, 0.5)])
@pytest.mark.parametrize(("config", "width"), [
    (TINY, 5), (TINY, 1), (TINY.replace(channels=1, activation_depth=37), 9)])
def test_good_frames_arrive_whole_and_bad_ones_not(simulate, streams, seed, config, width, slow,
                                                   idle, share):
    rng = random.Random(seed)
    bench = Bench(config, width, rng)
    for length in [width, width, *(rng.choice([width, width, rng.randint(1, 3 * width + 2)])
                                   for _ in range(20)), width]:
        bench.frame(length)
    wrong = sum(beat["last"] for beat in bench.sent) - len(bench.good)

    async def send(ctx):
        bench.start(ctx)
        await streams.send(ctx, bench.unit.frames, bench.sent, rng, idle)

    async def serve(ctx):
        await bench.serve(ctx, slow)
        assert ctx.get(bench.unit.error) == (wrong > 0)

    async def block(ctx):
        await bench.block(ctx, share)

    simulate(bench.unit, send, serve, background=(bench.observe, block))
    assert len(bench.good) >= 3 and bench.writes >= width * len(bench.good)


@pytest.mark.parametrize("length", [1, 4, 6, 15])
def test_wrong_length_is_dropped_whole_and_the_next_frame_is_taken(simulate, streams, seed,
                                                                   length):
    rng = random.Random(seed)
    bench = Bench(TINY, 5, rng)
    for size in (length, 5):
        bench.frame(size)
    assert len(bench.good) == 1

    async def send(ctx):
        bench.start(ctx)
        await streams.send(ctx, bench.unit.frames, bench.sent[:length], rng)
        for _ in range(5):
            await ctx.tick()
        assert ctx.get(bench.unit.error) and not ctx.get(bench.unit.waiting.ready)
        await streams.send(ctx, bench.unit.frames, bench.sent[length:], rng)

    async def serve(ctx):
        await bench.serve(ctx, 0.5)

    simulate(bench.unit, send, serve, background=(bench.observe,))
    assert set(bench.memory) == set(range(bench.even, bench.even + 5)), "the even region only"


def test_ready_one_cycle_after_the_last_word(simulate, seed):
    bench = Bench(TINY, 3, random.Random(seed))
    bench.frame(3)
    ready = []

    async def testbench(ctx):
        bench.start(ctx)
        for cycle in range(6):
            ctx.set(bench.unit.frames.valid, cycle < 3)
            ctx.set(bench.unit.frames.payload, bench.sent[min(cycle, 2)])
            ready.append((await ctx.tick().sample(bench.unit.waiting.ready))[2])

    simulate(bench.unit, testbench)
    assert ready == [0, 0, 0, 1, 1, 1]


def test_no_more_than_two_frames_are_held(simulate, seed):
    """The third waits until the first is released; taking one frees no place."""
    bench = Bench(TINY, 1, random.Random(seed))
    for _ in range(4):
        bench.frame(1)
    taken = []

    async def testbench(ctx):
        bench.start(ctx)
        for cycle in range(20):
            ctx.set(bench.unit.frames.valid, 1)
            ctx.set(bench.unit.frames.payload, bench.sent[min(len(taken), 3)])
            ctx.set(bench.unit.waiting.take, cycle == 5)
            ctx.set(bench.unit.waiting.release, cycle == 10)
            if (await ctx.tick().sample(bench.unit.frames.ready))[2]:
                taken.append(cycle)

    simulate(bench.unit, testbench)
    assert taken == [0, 1, 11]
    assert SLOTS == 2


def test_takes_nothing_while_not_running(simulate, streams, seed):
    rng = random.Random(seed)
    bench = Bench(TINY, 4, rng)
    bench.frame(4)

    async def send(ctx):
        bench.start(ctx, run=0)
        await streams.send(ctx, bench.unit.frames, bench.sent, rng)

    async def run(ctx):
        for _ in range(10):
            await ctx.tick()
        assert bench.writes == 0
        ctx.set(bench.unit.run, 1)
        await bench.serve(ctx, 0.0)

    simulate(bench.unit, send, run, background=(bench.observe,))
    assert bench.writes == 4
