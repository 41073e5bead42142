"""Simulation of one unit in Amaranth's simulator, and integer twins to compare it with.

The twins are plain Python integers written from the contract's formulas, independent of the
golden model.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Elaboratable, ResetInserter, Signal
from amaranth.sim import Simulator

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.frames import quantise_frames
from ese_lstm.contract.image import Image
from ese_lstm.contract.shell import ShellConfig
from ese_lstm.contract.tables import FUNCTIONS, activation_table
from ese_lstm.hw.engine import Engine
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel
from ese_lstm.sim.rtl.load import load_beats

PERIOD = 1e-6


def pytest_configure(config: pytest.Config) -> None:
    """A unit that refused its arguments was rightly never elaborated."""
    config.addinivalue_line("filterwarnings", "ignore::amaranth.hdl.UnusedElaboratable")


class Twin:
    """Element-wise arithmetic of one configuration."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.act = config.act_bits
        self.one = 1 << (config.act_bits - 1)
        self.table = activation_table(config)
        self.cell_saturations = 0

    @staticmethod
    def round_shift(value: int, shift: int) -> int:
        """floor(value / 2**shift + ½)."""
        return (2 * value + (1 << shift)) // (1 << (shift + 1))

    @staticmethod
    def saturate(value: int, bits: int) -> int:
        """Nearest integer that ``bits`` bits hold."""
        return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, value))

    def requantise(self, value: int, shift: int) -> int:
        """Accumulator to act_bits."""
        return self.saturate(self.round_shift(value, shift), self.act)

    def activation(self, function: str, x: int) -> int:
        """σ or tanh of a gate input."""
        number = FUNCTIONS.index(function)
        index, rest = divmod(min(abs(x), self.one - 1), 1 << self.table.rest_bits)
        rise = self.round_shift(self.table.slope[number][index] * rest, self.table.rest_bits)
        value = self.table.base[number][index] + rise
        if x >= 0:
            return value
        return -value if function == "tanh" else self.one - value

    def cell(self, f: int, c: int, i: int, g: int) -> int:
        """f·c + i·g in the cell format; the sum is exact before its one rounding."""
        frac, cell_frac = self.act - 1, self.config.cell_frac
        common = max(frac + cell_frac, 2 * frac)
        total = (f * c << (common - frac - cell_frac)) + (i * g << (common - 2 * frac))
        rounded = self.round_shift(total, common - cell_frac)
        limited = self.saturate(rounded, self.config.cell_bits)
        self.cell_saturations += limited != rounded
        return limited

    def hidden(self, o: int, c: int) -> int:
        """o·tanh(c)."""
        x = self.requantise(c, self.config.cell_frac - (self.act - 4))
        return self.saturate(self.round_shift(o * self.activation("tanh", x), self.act - 1),
                             self.act)


@pytest.fixture
def twin() -> type[Twin]:
    """The integer twin's class: ``twin(config)``."""
    return Twin


@pytest.fixture
def simulate() -> Callable[..., None]:
    """``simulate(dut, *testbenches, background=())``: run until every testbench returns."""

    def run(dut: Elaboratable, *testbenches: Any, background: Sequence[Any] = ()) -> None:
        simulator = Simulator(dut)
        simulator.add_clock(PERIOD)
        for testbench in testbenches:
            simulator.add_testbench(testbench)
        for testbench in background:
            simulator.add_testbench(testbench, background=True)
        simulator.run()

    return run


Rows = Sequence[Mapping[str, int]]


@pytest.fixture
def clocked(simulate: Callable[..., None]) -> Callable[[Any, Rows, Sequence[str]],
                                                       list[tuple[int, ...]]]:
    """``clocked(dut, inputs, outputs)``: cycle by cycle, drive the members that ``inputs[t]``
    names during cycle t and return the values of members ``outputs`` in that cycle."""

    def run(dut: Any, inputs: Rows, outputs: Sequence[str]) -> list[tuple[int, ...]]:
        seen: list[tuple[int, ...]] = []
        ports = {name: attrgetter(name)(dut) for row in inputs for name in row}
        sampled = [attrgetter(name)(dut) for name in outputs]

        async def testbench(ctx: Any) -> None:
            for row in inputs:
                for name, value in row.items():
                    ctx.set(ports[name], value)
                seen.append(tuple((await ctx.tick().sample(*sampled))[2:]))

        simulate(dut, testbench)
        return seen

    return run


class Streams:
    """Both ends of a stream, with idle cycles and back-pressure."""

    @staticmethod
    async def send(ctx: Any, port: Any, payloads: Sequence[Any], rng: random.Random,
                   idle: float = 0.0) -> None:
        """Send ``payloads``, each after a run of idle cycles of that probability."""
        for payload in payloads:
            while rng.random() < idle:
                await ctx.tick()
            ctx.set(port.payload, payload)
            ctx.set(port.valid, 1)
            await ctx.tick().until(port.ready)
            ctx.set(port.valid, 0)

    @staticmethod
    async def take(ctx: Any, port: Any, count: int, rng: random.Random,
                   pause: float = 0.0) -> list[Any]:
        """Take ``count`` payloads; check that each one offered stays until it is taken."""
        taken: list[Any] = []
        offered = None
        while len(taken) < count:
            ready = rng.random() >= pause
            ctx.set(port.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(port.valid, port.payload)
            if offered is not None:
                assert valid and payload == offered[0], "a payload offered stays until taken"
            offered = (payload,) if valid and not ready else None
            if valid and ready:
                taken.append(payload)
        ctx.set(port.ready, 0)
        return taken


@pytest.fixture
def streams() -> type[Streams]:
    """``streams.send`` and ``streams.take``."""
    return Streams


@pytest.fixture
def beats() -> Callable[[Any, ShellConfig], list[dict[str, int]]]:
    """``beats(packet, shell)``: beats of a packet of bytes on one of the shell's AXI4-Streams."""

    def cut(packet: Any, shell: ShellConfig) -> list[dict[str, int]]:
        rows = packet.reshape(-1, shell.stream_bytes)
        return [{"data": int.from_bytes(row.tobytes(), "little"),
                 "keep": (1 << shell.stream_bytes) - 1, "last": int(number == len(rows) - 1)}
                for number, row in enumerate(rows)]

    return cut


Write = tuple[int, list[int]]


class EngineBench:
    """An engine with its streams and its observers: every write, every output, in order.

    idle, pause: probability of an idle cycle before each input column, and of not taking an
    output; ``pause`` may be changed at any time. rows: streamed weights of a frame; row_pause:
    probability of an idle cycle before each. reset: the clock domain's, for testbenches.
    """

    LIMIT = 100_000

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
        await Streams.send(ctx, self.engine.frame_in, beats, self.rng, self.idle)

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


@pytest.fixture
def engine_bench() -> type[EngineBench]:
    """The engine's bench: ``engine_bench(config, rng, idle, pause)``."""
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
