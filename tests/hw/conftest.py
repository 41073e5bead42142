"""Simulation of one unit in Amaranth's simulator, and integer twins to compare it with.

The twins are plain Python integers written from the contract's formulas, independent of the
golden model.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import pytest
from amaranth.hdl import Elaboratable
from amaranth.sim import Simulator

from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.shell import ShellConfig
from ese_lstm.contract.tables import FUNCTIONS, activation_table

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
