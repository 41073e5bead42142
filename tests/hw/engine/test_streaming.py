"""The engine with streamed weights in Amaranth's simulator against the golden model."""

import random

import numpy as np
import pytest

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.frames import quantise_frames
from ese_lstm.contract.image import Image, split_words
from ese_lstm.contract.layout import row_layout
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.rtl.load import load_beats

TINY = PRESETS["tiny"].replace(fetch_depth=8, segment_depth=64)
CONFIGS = {
    "tiny": TINY,
    "relative4, deep": TINY.replace(index_mode="relative4", acc_rows=32, fetch_depth=100),
    "one lane, queue of one": TINY.replace(lanes=1, channels=1, queue_depth=1, fetch_depth=9),
    "three lanes": TINY.replace(lanes=3, channels=1, queue_depth=5, acc_rows=4),
}
SHAPES = [LayerShape(9, projection=4, peepholes=True), LayerShape(6)]


def streamed(config, resident, seed, frames=3, density=0.4):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 5, SHAPES)
    real = [random_frames(rng, frames, 5) for _ in range(config.channels)]
    image, _ = compress_network(network, config, density, real,
                                CompressOptions(resident=resident))
    values = np.stack([quantise_frames(stream, image.manifest)[0] for stream in real], axis=-1)
    return image, values, np.ones((frames, config.channels), bool), \
        np.zeros((frames, config.channels), bool)


def half(config, seed):
    """The configuration whose weight memories hold about half of the network."""
    image, *_ = streamed(config, "all", seed)
    return config.replace(stream_depth=max(4, int(image.sections["lane_lengths"].max()) // 2))


@pytest.mark.parametrize("resident", ["none", "auto"])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_matches_golden_at_any_rhythm_of_rows(engine_bench, seed, config, resident):
    rng = random.Random(seed)
    row_pause = rng.choice([0.0, 0.5, 0.9])
    config = half(config, seed) if resident == "auto" else config
    image, *run = streamed(config, resident, seed)
    assert image.rows > 0
    assert (resident == "none") == (len(image.sections["entries"]) == 0)
    bench = engine_bench(config, rng, rng.choice([0, 0.3]), rng.choice([0, 0.5]), row_pause)
    bench.play(image, *run)
    golden = bench.golden(image, *run)
    assert bench.written == golden and sum(map(len, golden)) > 0
    manifest = image.manifest
    assert bench.counters.products == len(run[0]) * manifest.entries
    assert bench.counters.nulls == len(run[0]) * (manifest.null_entries
                                                  + manifest.filler_entries)


def test_an_engine_that_can_stream_runs_resident_images(engine_bench, seed):
    image, *run = streamed(TINY, "all", seed)
    assert image.rows == 0 and image.manifest.streamed_entries == 0
    bench = engine_bench(TINY, random.Random(seed))
    bench.play(image, *run)
    assert bench.written == bench.golden(image, *run)


def test_rows_start_over_after_a_stop(engine_bench, seed):
    """Three runs without loading again: rows fetched ahead for a frame that never came are
    forgotten."""
    image, *run = streamed(TINY, "0", seed)
    bench = engine_bench(TINY, random.Random(seed), row_pause=0.2)
    bench.rows = image.words("rows")
    written = []

    async def drive(ctx):
        await bench.load(ctx, load_beats(image))
        for _ in range(3):
            bench.forget()
            await bench.run(ctx)
            await bench.send(ctx, *run)
            await bench.until_results(ctx, len(run[0]) * 19)
            for _ in range(bench.rng.randrange(40)):
                await ctx.tick()
            await bench.stop(ctx)
            written.append(bench.written)

    bench.simulate(drive)
    golden = bench.golden(image, *run)
    assert len(written) == 3 and all(each == golden for each in written)


def test_rows_one_lane_after_the_other_block_the_engine(engine_bench, seed):
    """The rule of the schedule is needed: without it the lanes wait for each other for ever. The
    golden model refuses such an image."""
    image, *run = streamed(TINY, "none", seed, density=1.0)
    layout = row_layout(TINY)
    rows = [layout.unpack(word) for word in image.words("rows")]
    broken = [layout.pack({"entry_0": row["entry_0"] if lane == 0 else 0,
                           "entry_1": row["entry_1"] if lane == 1 else 0, "mask": 1 << lane})
              for lane in range(2) for row in rows if row["mask"] >> lane & 1]
    section = split_words(broken, layout)
    with pytest.raises(EseError, match="lanes would wait for each other for ever"):
        decode_image(Image(image.manifest, TINY, {**image.sections, "rows": section}))
    bench = engine_bench(TINY, random.Random(seed))
    bench.rows = broken
    products = []

    async def drive(ctx):
        await bench.load(ctx, load_beats(image))
        await bench.run(ctx)
        await bench.send(ctx, run[0][:1], run[1][:1], run[2][:1])
        for _ in range(2):
            for _ in range(400):
                await ctx.tick()
            products.append(ctx.get(bench.engine.counters.products))

    bench.simulate(drive)
    assert 0 < products[0] == products[1] < image.manifest.entries
