"""The engine between its streams, and random networks to run on it."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.frames import quantise_frames
from ese_lstm.contract.image import Image
from ese_lstm.hw.engine import Engine
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel
from ese_lstm.sim.rtl.load import load_beats

PERIOD = 1e-6
Write = tuple[int, list[int]]


class EngineBench:
    """An engine with its streams and its observers: every write, every output, in order.

    idle, pause: probability of an idle cycle before each input column, and of not taking an
    output; ``pause`` may be changed at any time. rows: streamed weights of a frame; row_pause:
    probability of an idle cycle before each. reset: the clock domain's, for testbenches.
    """

    LIMIT = 100_000
    streams: Any

    def __init__(self, config: EngineConfig, rng: random.Random, idle: float = 0.0,
                 pause: float = 0.0, row_pause: float = 0.0) -> None:
        self.config, self.rng, self.idle, self.pause = config, rng, idle, pause
        self.rows: list[int] = []
        self.row_pause = row_pause
        self.engine, self.reset = Engine(config=config), Signal()
        self.forget()

    def forget(self) -> None:
        """Start the records over, for the next run."""
        self.cells: list[Write] = []
        self.results: list[Write] = []
        self.outputs: list[Write] = []
        self.result_cycles: list[int] = []

    async def load(self, ctx: Any, beats: Sequence[int]) -> None:
        """Send every beat, as ints, through the load port of an idle engine."""
        for beat in beats:
            ctx.set(self.engine.load.payload.as_value(), beat)
            ctx.set(self.engine.load.valid, 1)
            await ctx.tick().until(self.engine.load.ready)
        ctx.set(self.engine.load.valid, 0)

    async def send(self, ctx: Any, frames: Any, active: Any, start: Any) -> None:
        """Send frames (frames, inputs, channels) with their masks (frames, channels); frames may
        also be a list of frames of different widths."""
        beats = [{"values": [int(value) for value in column],
                  "active": sum(int(bit) << c for c, bit in enumerate(is_active)),
                  "start": sum(int(bit) << c for c, bit in enumerate(is_start)),
                  "last": index == len(frame) - 1}
                 for frame, is_active, is_start in zip(frames, active, start, strict=True)
                 for index, column in enumerate(frame)]
        await self.streams.send(ctx, self.engine.frame_in, beats, self.rng, self.idle)

    async def until_results(self, ctx: Any, count: int) -> None:
        """Wait for ``count`` results since :meth:`forget`."""
        for _ in range(self.LIMIT):
            if len(self.results) >= count:
                return
            await ctx.tick()
        raise AssertionError(f"only {len(self.results)} of {count} results")

    async def run(self, ctx: Any) -> None:
        """Raise run."""
        ctx.set(self.engine.run, 1)
        await ctx.tick()

    async def stop(self, ctx: Any) -> None:
        """Lower run and wait until the engine is idle."""
        ctx.set(self.engine.run, 0)
        for _ in range(self.LIMIT):
            await ctx.tick()
            if ctx.get(self.engine.idle):
                return
        raise AssertionError("the engine does not become idle")

    def simulate(self, *testbenches: Any) -> None:
        """Run until every testbench returns."""
        engine = self.engine

        async def observe(ctx: Any) -> None:
            cycle = 0
            sampled = ctx.tick().sample(engine.trace_cell, engine.trace_result)
            async for _, _, cell, result in sampled:
                cycle += 1
                if cell.valid:
                    self.cells.append((cell.address, list(cell["values"])))
                if result.valid:
                    self.results.append((result.address, list(result["values"])))
                    self.result_cycles.append(cycle)

        async def take(ctx: Any) -> None:
            offered = None
            while True:
                ready = self.rng.random() >= self.pause
                ctx.set(engine.frame_out.ready, ready)
                _, _, valid, payload, reset = await ctx.tick().sample(
                    engine.frame_out.valid, engine.frame_out.payload, self.reset)
                if offered is not None:
                    assert valid and payload == offered[0], "a payload offered stays until taken"
                offered = (payload,) if valid and not ready and not reset else None
                if ready and valid:
                    self.outputs.append((payload.last, list(payload["values"])))

        simulator = Simulator(ResetInserter(self.reset)(engine))
        simulator.add_clock(PERIOD)
        for testbench in testbenches:
            simulator.add_testbench(testbench)
        for testbench in (observe, take, *([self.feed] if self.rows else [])):
            simulator.add_testbench(testbench, background=True)
        simulator.run()

    async def feed(self, ctx: Any) -> None:
        """Offer the rows, over and over; from the first again when rows_enable has fallen."""
        port, number, offered = self.engine.rows, 0, False
        while True:
            offered = offered or self.rng.random() >= self.row_pause
            ctx.set(port.payload.as_value(), self.rows[number] if offered else
                    self.rng.getrandbits(len(port.payload.as_value())))
            ctx.set(port.valid, offered)
            _, _, ready, enable = await ctx.tick().sample(port.ready, self.engine.rows_enable)
            if not enable:
                number, offered = 0, False
            elif offered and ready:
                number, offered = (number + 1) % len(self.rows), False

    def play(self, image: Image, frames: Any, active: Any, start: Any,
             beats: Sequence[int] | None = None) -> None:
        """One run of an image, from loading to idle; ``beats`` loads something else."""
        total = len(frames) * decode_image(image).program.results
        self.rows = image.words("rows") if image.rows else []

        async def drive(ctx: Any) -> None:
            await self.load(ctx, load_beats(image) if beats is None else beats)
            await self.run(ctx)
            await self.send(ctx, frames, active, start)
            await self.until_results(ctx, total)
            await self.stop(ctx)
            self.counters = ctx.get(engine.counters)
            self.frame_error = bool(ctx.get(engine.frame_error))

        engine = self.engine
        self.simulate(drive)

    @property
    def written(self) -> tuple[list[Write], list[Write], list[Write]]:
        """Cell writes, results and outputs since :meth:`forget`."""
        return self.cells, self.results, self.outputs

    @staticmethod
    def golden(image: Image, frames: Any, active: Any, start: Any
               ) -> tuple[list[Write], list[Write], list[Write]]:
        """What :attr:`written` must be, by the golden model from its first frame on."""
        model = GoldenModel(decode_image(image))
        cells: list[Write] = []
        results: list[Write] = []
        outputs: list[Write] = []
        for frame, is_active, is_start in zip(frames, active, start, strict=True):
            step = model.step(frame, is_active, is_start)
            for trace, writes in ((step.trace_cell, cells), (step.trace_result, results)):
                writes += [(int(address), [int(value) for value in values]) for address, values
                           in zip(trace.addresses, trace.values, strict=True)]
            outputs += [(int(k == len(step.outputs) - 1), [int(value) for value in row])
                        for k, row in enumerate(step.outputs)]
        return cells, results, outputs

    def compare(self, image: Image, frames: Any, active: Any, start: Any) -> int:
        """Check everything that a run wrote; values compared."""
        golden = self.golden(image, frames, active, start)
        assert self.written == golden
        return image.config.channels * sum(map(len, golden))

    @staticmethod
    def everyone(frames: int, channels: int) -> tuple[Any, Any]:
        """Masks of frames: every channel active from the first one on."""
        return np.ones((frames, channels), bool), np.zeros((frames, channels), bool)


@pytest.fixture
def engine_bench(streams: Any) -> type[EngineBench]:
    """The engine's bench: ``engine_bench(config, rng, idle, pause)``."""
    EngineBench.streams = streams
    return EngineBench


@pytest.fixture
def synthetic() -> Callable[..., tuple[Image, Any]]:
    """``synthetic(config, inputs, layers, seed, density=0.4, frames=4)``: a random network's
    image and random integer frames (frames, inputs, channels)."""

    def make(config: EngineConfig, inputs: int, layers: Sequence[LayerShape], seed: int,
             density: float = 0.4, frames: int = 4) -> tuple[Image, Any]:
        rng = np.random.default_rng(seed)
        network = random_network(rng, inputs, layers)
        real = [random_frames(rng, frames, inputs) for _ in range(config.channels)]
        image, _ = compress_network(network, config, density, real,
                                    CompressOptions(balance="matrix"))
        return image, np.stack([quantise_frames(stream, image.manifest)[0] for stream in real],
                               axis=-1)

    return make
