"""The whole engine in Amaranth's simulator against the golden model: every write, every output."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS, EngineConfig
from ese_lstm.contract.frames import quantise_frames
from ese_lstm.contract.image import Image
from ese_lstm.contract.layout import load_layout
from ese_lstm.hw.engine import Engine
from ese_lstm.sim.golden.cycles import simulate_model
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel
from ese_lstm.sim.rtl.load import load_beats

TINY = PRESETS["tiny"]
LIMIT = 200_000


class Run:
    """One simulated run: writes of both buffers and outputs, in order, and the counters."""

    def __init__(self, image: Image, frames: np.ndarray, active: np.ndarray, start: np.ndarray,
                 rng: random.Random, idle: float = 0.0, pause: float = 0.0) -> None:
        self.cells: list[tuple[int, list[int]]] = []
        self.results: list[tuple[int, list[int]]] = []
        self.outputs: list[tuple[list[int], int]] = []
        self.ends: list[int] = []
        config = image.config
        engine = Engine(config=config)
        results_per_frame = decode_image(image).program.results
        total = len(frames) * results_per_frame
        layout = load_layout(config)

        async def drive(ctx):
            for beat in load_beats(image):
                fields = layout.unpack(beat)
                ctx.set(engine.load.payload, fields)
                ctx.set(engine.load.valid, 1)
                await ctx.tick().until(engine.load.ready)
            ctx.set(engine.load.valid, 0)
            ctx.set(engine.run, 1)
            for number, frame in enumerate(frames):
                for index, column in enumerate(frame):
                    while rng.random() < idle:
                        ctx.set(engine.frame_in.valid, 0)
                        await ctx.tick()
                    ctx.set(engine.frame_in.payload, {
                        "values": [int(v) for v in column],
                        "active": sum(int(a) << c for c, a in enumerate(active[number])),
                        "start": sum(int(s) << c for c, s in enumerate(start[number])),
                        "last": index == len(frame) - 1})
                    ctx.set(engine.frame_in.valid, 1)
                    await ctx.tick().until(engine.frame_in.ready)
            ctx.set(engine.frame_in.valid, 0)
            for _ in range(LIMIT):
                if len(self.results) == total:
                    break
                await ctx.tick()
            ctx.set(engine.run, 0)
            await ctx.tick().until(engine.idle)
            self.counters = ctx.get(engine.counters)
            self.frame_error = ctx.get(engine.frame_error)

        async def observe(ctx):
            cycle = 0
            sampled = ctx.tick().sample(engine.trace_cell, engine.trace_result)
            async for _, _, cell, result in sampled:
                cycle += 1
                if cell.valid:
                    self.cells.append((cell.address, list(cell["values"])))
                if result.valid:
                    self.results.append((result.address, list(result["values"])))
                    if len(self.results) % results_per_frame == 0:
                        self.ends.append(cycle)

        async def take(ctx):
            while True:
                ready = rng.random() >= pause
                ctx.set(engine.frame_out.ready, ready)
                _, _, valid, payload = await ctx.tick().sample(
                    engine.frame_out.valid, engine.frame_out.payload)
                if ready and valid:
                    self.outputs.append((list(payload["values"]), payload.last))

        simulator = Simulator(engine)
        simulator.add_clock(1e-6)
        simulator.add_testbench(drive)
        simulator.add_testbench(observe, background=True)
        simulator.add_testbench(take, background=True)
        simulator.run()


def compare(run: Run, image: Image, frames: np.ndarray, active: np.ndarray,
            start: np.ndarray) -> int:
    """Check a run against the golden model; returns values compared."""
    golden = GoldenModel(decode_image(image))
    cells, results, outputs = [], [], []
    for frame, is_active, is_start in zip(frames, active, start, strict=True):
        step = golden.step(frame, is_active, is_start)
        cells += [(int(a), [int(x) for x in v]) for a, v in
                  zip(step.trace_cell.addresses, step.trace_cell.values, strict=True)]
        results += [(int(a), [int(x) for x in v]) for a, v in
                    zip(step.trace_result.addresses, step.trace_result.values, strict=True)]
        outputs += [([int(x) for x in row], int(k == len(step.outputs) - 1))
                    for k, row in enumerate(step.outputs)]
    assert run.cells == cells
    assert run.results == results
    assert run.outputs == outputs
    return image.config.channels * (len(cells) + len(results) + len(outputs))


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
}


def make(config: EngineConfig, shape: str, seed: int, density: float = 0.4, frames: int = 4
         ) -> tuple[Image, np.ndarray]:
    """A random network's image and random integer frames (frames, inputs, channels)."""
    rng = np.random.default_rng(seed)
    inputs, layers = SHAPES[shape]
    network = random_network(rng, inputs, layers)
    real = [random_frames(rng, frames, inputs) for _ in range(config.channels)]
    image, _ = compress_network(network, config, density, real,
                                CompressOptions(balance="matrix"))
    integers = [quantise_frames(stream, image.manifest)[0] for stream in real]
    return image, np.stack(integers, axis=-1)


@pytest.mark.parametrize("idle, pause", [(0.0, 0.0), (0.3, 0.9)], ids=["flowing", "pausing"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_engine_matches_golden(config: EngineConfig, shape: str, idle: float, pause: float,
                               seed: int) -> None:
    image, frames = make(config, shape, seed)
    rng = random.Random(seed)
    active = np.array([[rng.random() < 0.8 for _ in range(config.channels)] for _ in frames])
    start = np.array([[rng.random() < 0.3 for _ in range(config.channels)] for _ in frames])
    run = Run(image, frames, active, start, rng, idle, pause)
    assert compare(run, image, frames, active, start) > 0
    assert not run.frame_error
    assert run.counters.frames == len(frames)
    assert run.counters.products + run.counters.nulls + run.counters.starved \
        == config.lanes * run.counters.cycles
    assert run.counters.products == len(frames) * image.manifest.entries
    assert run.counters.nulls == len(frames) * (image.manifest.null_entries
                                                + image.manifest.filler_entries)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_cycle_model_is_exact(config: EngineConfig, shape: str, seed: int) -> None:
    image, frames = make(config, shape, seed, frames=6)
    every = np.ones((len(frames), config.channels), dtype=bool)
    run = Run(image, frames, every, ~every, random.Random(seed))
    report = simulate_model(decode_image(image), frames=len(frames))
    measured = [b - a for a, b in zip(run.ends, run.ends[1:], strict=False)]
    predicted = [b.last_visible - a.last_visible
                 for a, b in zip(report.frames, report.frames[1:], strict=False)]
    assert measured == predicted and len(measured) == len(frames) - 1
