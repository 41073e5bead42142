"""The whole engine in Amaranth's simulator against the golden model: every write, every output."""

import random
from itertools import pairwise

import numpy as np
import pytest

from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract.cells import LINEAR
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import (
    Section,
    entry_layout,
    epilogue_layout,
    header_layout,
    load_layout,
    param_layout,
    segment_layout,
)
from ese_lstm.hw.engine import Engine
from ese_lstm.hw.verilog.emit import emit
from ese_lstm.sim.golden.cycles import simulate_model
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.rtl.load import load_beats

TINY = PRESETS["tiny"]
SHAPES = {
    "lstm": (3, [LayerShape(5)]),
    "stack": (4, [LayerShape(9), LayerShape(6)]),
    "projection": (5, [LayerShape(11, 7, peepholes=True)]),
    "two-projections": (2, [LayerShape(6, 17, peepholes=True), LayerShape(4, 3)]),
    "one-cell": (1, [LayerShape(1, bias=False)]),
}
CONFIGS = {
    "tiny": TINY,
    "relative4": TINY.replace(index_mode="relative4", acc_rows=32),
    "one-lane-one-channel": TINY.replace(lanes=1, channels=1, queue_depth=1, stream_depth=2048),
    "three-lanes": TINY.replace(lanes=3, channels=1, queue_depth=5, acc_rows=4),
    "twelve-rows": TINY.replace(acc_rows=12, channels=3, activation_depth=100, cell_depth=23),
}


def random_masks(rng, frames, channels):
    """Active and start of every frame and channel."""
    active = np.array([[rng.random() < 0.8 for _ in range(channels)] for _ in range(frames)])
    start = np.array([[rng.random() < 0.3 for _ in range(channels)] for _ in range(frames)])
    return active, start


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_matches_golden_and_cycle_model_while_flowing(engine_bench, synthetic, seed, config,
                                                      shape):
    rng = random.Random(seed)
    image, frames = synthetic(config, *SHAPES[shape], seed)
    masks = random_masks(rng, len(frames), config.channels)
    bench = engine_bench(config, rng)
    bench.play(image, frames, *masks)
    assert bench.compare(image, frames, *masks) > 0
    assert not bench.frame_error
    counters, manifest = bench.counters, image.manifest
    assert counters.frames == len(frames)
    assert counters.products == len(frames) * manifest.entries
    assert counters.nulls == len(frames) * (manifest.null_entries + manifest.filler_entries)
    assert counters.products + counters.nulls + counters.starved == config.lanes * counters.cycles
    report = simulate_model(decode_image(image), frames=len(frames))
    ends = bench.result_cycles[decode_image(image).program.results - 1::
                               decode_image(image).program.results]
    measured = [b - a for a, b in pairwise(ends)]
    assert measured == [b.last_visible - a.last_visible for a, b in pairwise(report.frames)]
    assert len(measured) == len(frames) - 1 > 0
    for name in ("bank", "dependency", "queue"):
        assert counters[f"stall_{name}"] == sum(getattr(frame.stalls, name)
                                                for frame in report.frames)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_matches_golden_with_idle_and_back_pressure(engine_bench, synthetic, seed, config, shape):
    rng = random.Random(seed)
    image, frames = synthetic(config, *SHAPES[shape], seed, frames=3)
    masks = random_masks(rng, len(frames), config.channels)
    bench = engine_bench(config, rng, 0.3, 0.9)
    bench.play(image, frames, *masks)
    assert bench.compare(image, frames, *masks) > 0


def test_output_blocked_for_long_loses_nothing(engine_bench, synthetic, seed):
    """Nothing is taken for 1,500 cycles: the engine stops in the middle and goes on."""
    config = TINY.replace(output_depth=4)
    image, frames = synthetic(config, *SHAPES["lstm"], seed, frames=5)
    masks = engine_bench.everyone(5, config.channels)
    bench = engine_bench(config, random.Random(seed), pause=1.0)
    held = []

    async def drive(ctx):
        await bench.load(ctx, load_beats(image))
        await bench.run(ctx)
        await bench.send(ctx, frames, *masks)
        await bench.until_results(ctx, 25)
        await bench.stop(ctx)
        held.append(ctx.get(bench.engine.counters).stall_output)

    async def open_later(ctx):
        for _ in range(1500):
            await ctx.tick()
        assert len(bench.outputs) == 0 and len(bench.results) == config.output_depth
        bench.pause = 0.0

    bench.simulate(drive, open_later)
    assert bench.compare(image, frames, *masks) > 0
    assert held[0] > 1000


def test_frames_of_wrong_length_are_dropped_whole(engine_bench, synthetic, seed):
    """Short and long frames between good ones, with masks of their own, leave no trace."""
    rng = random.Random(seed)
    image, frames = synthetic(TINY, *SHAPES["stack"], seed, frames=4)
    active, start = random_masks(rng, 4, TINY.channels)
    width = frames.shape[1]
    mixed, is_active, is_start = [], [], []
    for frame, a, s in zip(frames, active, start, strict=True):
        for length in (rng.randrange(1, width), rng.randrange(width + 1, 3 * width), None):
            mixed.append(frame if length is None else np.full((length, TINY.channels), 99))
            is_active.append(a if length is None else ~a)
            is_start.append(s if length is None else ~s)
    bench = engine_bench(TINY, rng, 0.2)
    errors = []

    async def drive(ctx):
        await bench.load(ctx, load_beats(image))
        await bench.run(ctx)
        errors.append(ctx.get(bench.engine.frame_error))
        await bench.send(ctx, mixed, is_active, is_start)
        await bench.until_results(ctx, 4 * 15)
        await bench.stop(ctx)
        errors.append(ctx.get(bench.engine.frame_error))
        assert ctx.get(bench.engine.counters).frames == 4
        await bench.run(ctx)
        await ctx.tick()
        errors.append(ctx.get(bench.engine.frame_error))
        await bench.stop(ctx)

    bench.simulate(drive)
    assert bench.compare(image, frames, active, start) > 0
    assert errors == [0, 1, 0], "set by the drop, readable when idle, cleared by the next start"


def test_a_stream_that_starts_beside_running_ones(engine_bench, synthetic, seed):
    """Channel 1 pauses and then starts a new stream; it computes what a fresh engine would, and
    channel 0 what it would have computed beside any other stream."""
    image, frames = synthetic(TINY, *SHAPES["two-projections"], seed, frames=6)
    active, start = engine_bench.everyone(6, 2)
    active[2, 1], start[3, 1] = False, True
    bench, alone = (engine_bench(TINY, random.Random(seed)) for _ in range(2))
    bench.play(image, frames, active, start)
    assert bench.compare(image, frames, active, start) > 0
    swapped = frames.copy()
    swapped[:3, :, 1], swapped[3:, :, 1] = frames[3:, :, 1], frames[:3, :, 1]
    alone.play(image, swapped, *engine_bench.everyone(6, 2))
    results = decode_image(image).program.results
    first = [values[0] for _, values in bench.results]
    assert first == [values[0] for _, values in alone.results]
    assert not any(values[1] for _, values in bench.results[2 * results:3 * results])
    restarted = [values[1] for _, values in bench.results[3 * results:]]
    assert restarted == [values[1] for _, values in alone.results[:3 * results]]
    assert len(restarted) == 3 * results and any(restarted)


def linear_program(config, columns, weights, shift):
    """Beats of a program of one linear tile over the input: one lane, dense rows."""
    layout = load_layout(config)
    beats = []

    def beat(section, data, address=0):
        beats.append(layout.pack({"data": data, "address": address, "lane": 0,
                                  "section": section}))

    rows = len(weights)
    beat(Section.HEADER, header_layout(config).pack(
        {"input_even": 0, "input_odd": 20, "input_width": columns, "results": rows}))
    beat(Section.SEGMENT, segment_layout(config).pack(
        {"base_even": 0, "base_odd": 20, "length": columns, "need": 0, "wait": 0,
         "recurrent": 0, "last": 1, "end": 1}))
    beat(Section.EPILOGUE, epilogue_layout(config).pack(
        {"kind": LINEAR.kind, "count": rows, "shift": shift, "dest_even": 40, "dest_odd": 60,
         "cell_base": 0, "param_base": 0, "output": 1, "output_last": 1, "end": 1}))
    for row in range(rows):
        beat(Section.PARAM, param_layout(config).pack({"bias": 0, "peephole": 0}), row)
    entries = [(weights[row][column], row) for column in range(columns) for row in range(rows)]
    for address, (weight, row) in enumerate(entries):
        beat(Section.ENTRY, entry_layout(config).pack(
            {"weight": weight, "index": row, "last": row == rows - 1}), address)
    beat(Section.LANE_LAST, len(entries) - 1)
    return beats


def test_masks_of_frames_without_dependencies_stay_apart(engine_bench, seed):
    """A program of one tile and no recurrence: with long columns and a deep queue the third frame
    is taken before the first one's epilogue begins, and must not change its masks."""
    rng = random.Random(seed)
    config = TINY.replace(lanes=1, queue_depth=32)
    weights = [[rng.randrange(1, 500) for _ in range(3)] for _ in range(config.acc_rows)]
    frames = [[[rng.randrange(-2000, 2000) for _ in range(2)] for _ in range(3)]
              for _ in range(12)]
    active = [[rng.random() < 0.5, rng.random() < 0.5] for _ in frames]
    active[0], active[2] = [True, True], [False, False]
    bench = engine_bench(config, rng)

    async def drive(ctx):
        await bench.load(ctx, linear_program(config, 3, weights, 6))
        await bench.run(ctx)
        await bench.send(ctx, frames, active, active)
        await bench.until_results(ctx, len(frames) * config.acc_rows)
        await bench.stop(ctx)

    bench.simulate(drive)
    limit = 1 << (config.act_bits - 1)
    expected = [[max(-limit, min(limit - 1, (sum(w * column[c] for w, column in zip(
                    row, frame, strict=True)) + 32) // 64)) if mask[c] else 0 for c in range(2)]
                for frame, mask in zip(frames, active, strict=True) for row in weights]
    assert [values for _, values in bench.results] == expected
    assert [values for _, values in bench.outputs] == expected
    assert len(expected) == 12 * config.acc_rows


SMALLEST = TINY.replace(lanes=1, channels=1, queue_depth=1, acc_rows=4, stream_depth=8,
                        activation_depth=4, cell_depth=1, param_depth=4, segment_depth=2,
                        epilogue_depth=1, output_depth=2)


def test_the_smallest_engine_that_holds_one_cell(engine_bench, synthetic, seed):
    """Every memory exactly full, some of them one word deep."""
    image, frames = synthetic(SMALLEST, *SHAPES["one-cell"], seed, density=1.0, frames=8)
    assert len(image.sections["segments"]) == 2 and len(image.sections["params"]) == 4
    masks = random_masks(random.Random(seed), 8, 1)
    bench = engine_bench(SMALLEST, random.Random(seed), 0.1, 0.5)
    bench.play(image, frames, *masks)
    assert bench.compare(image, frames, *masks) > 0


def test_memories_of_depth_1_have_an_address_in_verilog():
    """Without one, Yosys writes wires of the range [-1:0]."""
    config = SMALLEST.replace(param_depth=1, segment_depth=1)
    engine = Engine(config=config)
    text = emit(engine, "ese", config)
    assert engine.config is config
    assert "reg [" in text and "[-1:0]" not in text
