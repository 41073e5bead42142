"""Frame output: places promised at issue, results that arrive later and cannot wait."""

import random

import pytest

from ese_lstm.contract import timing
from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.frame_output import FrameOutput

TINY = PRESETS["tiny"]
DELAY = timing.DRAIN + timing.RESULT


@pytest.mark.parametrize(("depth", "channels"), [(2, 2), (3, 1), (32, 2)])
@pytest.mark.parametrize(("idle", "pause"), [(0.0, 0.0), (0.5, 0.2), (0.1, 0.9)])
def test_nothing_is_lost_however_long_the_taker_waits(simulate, streams, seed, depth, channels,
                                                      idle, pause):
    """Results are issued whenever there is room and arrive a pipeline's length later."""
    rng = random.Random(seed)
    dut = FrameOutput(config=TINY.replace(output_depth=depth, channels=channels))
    results = [([rng.randrange(-(1 << 15), 1 << 15) for _ in range(channels)], rng.randrange(2))
               for _ in range(150)]
    promised = full = 0

    async def issue(ctx):
        nonlocal promised, full
        pending, pipeline = list(results), [None] * DELAY
        while pending or any(pipeline):
            room = ctx.get(dut.room)
            assert room == (promised < depth)
            assert ctx.get(dut.empty) == (promised == 0)
            full += not room
            issued = bool(room and pending and rng.random() >= idle)
            ctx.set(dut.issued, issued)
            arriving = pipeline.pop()
            pipeline.insert(0, pending.pop(0) if issued else None)
            ctx.set(dut.write, arriving is not None)
            ctx.set(dut.values, arriving[0] if arriving else [0] * channels)
            ctx.set(dut.last, arriving[1] if arriving else 0)
            _, _, valid, ready = await ctx.tick().sample(dut.frames.valid, dut.frames.ready)
            promised += issued - (valid and ready)
        ctx.set(dut.write, 0)

    async def take(ctx):
        taken = await streams.take(ctx, dut.frames, len(results), rng, pause)
        assert [(list(beat["values"]), beat["last"]) for beat in taken] == results
        for _ in range(3):
            await ctx.tick()
        assert ctx.get(dut.empty) and ctx.get(dut.room) and not ctx.get(dut.frames.valid)

    simulate(dut, issue, take)
    assert (full > 0) == (depth <= 3 or pause > 0.5)


def test_places_are_promised_at_issue(clocked):
    """Room goes with the last place in the cycle after its issue, long before the result."""
    seen = clocked(FrameOutput(config=TINY.replace(output_depth=2)),
                   [{"issued": 1}, {"issued": 1}, {"issued": 0}, {"write": 1}, {"write": 0}],
                   ["empty", "room"])
    assert seen == [(1, 1), (0, 1), (0, 0), (0, 0), (0, 0)]


def test_a_result_is_offered_one_cycle_after_it_arrives(simulate):
    dut = FrameOutput(config=TINY)
    assert dut.latency == 1

    async def testbench(ctx):
        for cycle in range(8):
            ctx.set(dut.issued, cycle == 0)
            ctx.set(dut.write, cycle == 3)
            _, _, valid = await ctx.tick().sample(dut.frames.valid)
            assert valid == (cycle >= 3 + dut.latency)

    simulate(dut, testbench)
