"""The engine from one run to the next: stops, other images, resets."""

import random

from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract import timing
from ese_lstm.contract.config import PRESETS
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.rtl.load import load_beats

TINY = PRESETS["tiny"]
SHAPES = {
    "lstm": (3, [LayerShape(5)]),
    "stack": (4, [LayerShape(9), LayerShape(6)]),
    "projection": (5, [LayerShape(11, 7, peepholes=True)]),
    "one-cell": (1, [LayerShape(1, bias=False)]),
}


def test_run_lowered_anywhere_finishes_started_frames_and_forgets_the_rest(
        engine_bench, synthetic, seed):
    """Six runs of one image, each cut in another cycle; every run is a first run."""
    rng = random.Random(seed)
    config = TINY.replace(lanes=3)
    image, frames = synthetic(config, *SHAPES["projection"], seed, frames=6)
    masks = engine_bench.everyone(6, config.channels)
    results = decode_image(image).program.results
    bench = engine_bench(config, rng, pause=0.4)
    finished = []

    async def drive(ctx):
        await bench.load(ctx, load_beats(image))
        for attempt in range(6):
            bench.forget()
            await bench.run(ctx)
            frame_in, beat = bench.engine.frame_in, 0
            for _ in range([3, 40][attempt] if attempt < 2 else rng.randrange(60, 400)):
                number, index = divmod(beat, frames.shape[1])
                ctx.set(frame_in.valid, number < len(frames))
                if number < len(frames):
                    ctx.set(frame_in.payload, {
                        "values": frames[number][index].tolist(), "active": 3, "start": 0,
                        "last": index == frames.shape[1] - 1})
                _, _, ready = await ctx.tick().sample(frame_in.ready)
                beat += ready and number < len(frames)
            ctx.set(frame_in.valid, 0)
            await bench.stop(ctx)
            number, rest = divmod(len(bench.results), results)
            assert rest == 0, "a started frame is finished"
            assert bench.written == bench.golden(image, frames[:number], masks[0][:number],
                                                 masks[1][:number])
            finished.append(number)

    bench.simulate(drive)
    assert len(finished) == 6 and finished[0] == 0 and max(finished) > 0


def test_another_image_loaded_after_a_stop(engine_bench, synthetic, seed):
    """Larger, smaller, larger again: nothing of the image before shows."""
    images = [synthetic(TINY, *SHAPES[shape], seed + k, frames=2 + k)
              for k, shape in enumerate(("projection", "one-cell", "stack"))]
    bench = engine_bench(TINY, random.Random(seed), 0.1, 0.3)
    compared = []

    async def drive(ctx):
        for image, frames in [*images, images[0]]:
            bench.forget()
            masks = engine_bench.everyone(len(frames), TINY.channels)
            await bench.load(ctx, load_beats(image))
            await bench.run(ctx)
            await bench.send(ctx, frames, *masks)
            await bench.until_results(ctx, len(frames) * decode_image(image).program.results)
            await bench.stop(ctx)
            compared.append(bench.compare(image, frames, *masks))

    bench.simulate(drive)
    assert len(compared) == 4 and min(compared) > 0


def test_run_raised_again_before_idle_goes_on(engine_bench, synthetic, seed):
    """Run that returns before the engine is idle is no restart: the streams go on."""
    image, frames = synthetic(TINY, *SHAPES["lstm"], seed, frames=4)
    masks = engine_bench.everyone(4, TINY.channels)
    bench = engine_bench(TINY, random.Random(seed), pause=0.2)

    async def drive(ctx):
        await bench.load(ctx, load_beats(image))
        await bench.run(ctx)
        await bench.send(ctx, frames[:2], masks[0][:2], masks[1][:2])
        ctx.set(bench.engine.run, 0)
        for _ in range(4):
            await ctx.tick()
        assert not ctx.get(bench.engine.idle)
        ctx.set(bench.engine.run, 1)
        await bench.send(ctx, frames[2:], masks[0][2:], masks[1][2:])
        await bench.until_results(ctx, 4 * 5)
        await bench.stop(ctx)

    bench.simulate(drive)
    assert bench.compare(image, frames, *masks) > 0


def test_reset_in_mid_run_leaves_nothing_behind(engine_bench, synthetic, seed):
    """Reset for one cycle with results under way and run still high: they are not written later,
    where they would count as results of the next run and keep the engine from becoming idle."""
    image, frames = synthetic(TINY, *SHAPES["lstm"], seed, frames=3)
    masks = engine_bench.everyone(3, TINY.channels)
    bench = engine_bench(TINY, random.Random(seed), pause=0.2)

    async def drive(ctx):
        for written in (1, 4, 7, None):
            bench.forget()
            await bench.load(ctx, load_beats(image))
            await bench.run(ctx)
            await bench.send(ctx, frames[:2], masks[0][:2], masks[1][:2])
            if written is None:
                break
            await bench.until_results(ctx, written)
            ctx.set(bench.reset, 1)
            await ctx.tick()
            ctx.set(bench.reset, 0)
            before = len(bench.results), len(bench.cells)
            for _ in range(2 * timing.VISIBLE):
                await ctx.tick()
            assert (len(bench.results), len(bench.cells)) == before
            await bench.stop(ctx)
        await bench.send(ctx, frames[2:], masks[0][2:], masks[1][2:])
        await bench.until_results(ctx, 3 * 5)
        await bench.stop(ctx)

    bench.simulate(drive)
    assert bench.compare(image, frames, *masks) > 0


def test_load_port_waits_for_idle(engine_bench, synthetic, seed):
    """Beats offered while running are not taken."""
    image, frames = synthetic(TINY, *SHAPES["one-cell"], seed, frames=2)
    masks = engine_bench.everyone(2, TINY.channels)
    bench = engine_bench(TINY, random.Random(seed))

    async def drive(ctx):
        await bench.load(ctx, load_beats(image))
        await bench.run(ctx)
        ctx.set(bench.engine.load.valid, 1)
        await bench.send(ctx, frames, *masks)
        for _ in range(200):
            await ctx.tick()
            assert not ctx.get(bench.engine.load.ready)
        ctx.set(bench.engine.load.valid, 0)
        await bench.stop(ctx)

    bench.simulate(drive)
    assert bench.compare(image, frames, *masks) > 0
