"""cocotb bench of the whole engine: load an image, stream frames in and out, watch every write."""

import random
import time
from typing import Any

import cocotb
import numpy as np

from .bench import PATTERNS, Bench, StreamSink, StreamSource, finish, generator, job, report
from .words import from_bytes, to_bytes

QUIET_CYCLES = 64
"""Cycles after the last frame in which nothing may come out any more."""


class Trace:
    """Records the write port ``name`` of one of the engine's buffers."""

    def __init__(self, dut: Any, name: str) -> None:
        self._valid = getattr(dut, f"{name}__valid")
        self._address = getattr(dut, f"{name}__address")
        self._values = getattr(dut, f"{name}__values")
        self.addresses: list[int] = []
        self.words: list[int] = []

    def sample(self) -> None:
        """At a falling edge."""
        if int(self._valid.value):
            self.addresses.append(int(self._address.value))
            self.words.append(int(self._values.value))

    def arrays(self, name: str) -> dict[str, Any]:
        """For :func:`finish`."""
        return {f"{name}_addresses": np.array(self.addresses, np.int64),
                f"{name}_words": to_bytes(self.words, len(self._values))}


class EngineBench:
    """One image, one run of frames."""

    def __init__(self, dut: Any, values: dict[str, Any]) -> None:
        rng = generator(int(values["seed"]))
        self.dut = dut
        self.bench = Bench(dut)
        self.frames, self.runs = int(values["frames"]), 1
        self.outputs = self.frames * int(values["output_width"])
        self.patience = int(values["patience"])
        self.names = [str(name) for name in values["counters"]]
        input_pause, output_pause = (PATTERNS[str(values[key])](random.Random(rng.random()))
                                     for key in ("input_pause", "output_pause"))
        load_pause = PATTERNS[str(values["load_pause"])](random.Random(rng.random()))
        self.loader = StreamSource(dut, "load", from_bytes(values["beats"]), pause=load_pause,
                                   rng=rng)
        self.words = from_bytes(values["words"])
        self.source = StreamSource(dut, "frame_in", self.words, pause=input_pause, rng=rng)
        self.sink = StreamSink(dut, "frame_out", pause=output_pause)
        self.cells, self.results = Trace(dut, "trace_cell"), Trace(dut, "trace_result")
        self.last_bit = len(dut.frame_out__payload) - 1
        self.counters: list[list[int]] = []

    async def load(self) -> None:
        """Write every word of the image through the load port."""
        self.bench.sources = [self.loader]
        total = len(self.loader.words)
        while not self.loader.done:
            await self.bench.cycle()
            if self.bench.cycles % 8192 == 0:
                report(0.3 * self.loader.taken / total)
            assert self.bench.cycles < 40 * total + 1000, "the load port stopped taking beats"
        await self.bench.cycle()
        await self.bench.cycle()
        assert int(self.dut.idle.value), "the engine must be idle while it is loaded"
        self.bench.sources = []

    async def run(self) -> None:
        """Stream all frames through; sample counters with the last word of each."""
        self.dut.run.value = 1
        self.source.words.extend(() if self.source.words else self.words)
        self.bench.sources, self.bench.sinks = [self.source], [self.sink]
        quiet, before = 0, -1
        target = len(self.sink.words) + self.outputs
        while len(self.sink.words) < target:
            got = len(self.sink.words)
            await self.step()
            if len(self.sink.words) > got and self.sink.words[-1] >> self.last_bit:
                self.counters.append([int(getattr(self.dut, f"counters__{name}").value)
                                      for name in self.names])
                report(0.3 + 0.7 * len(self.counters) / (self.frames * self.runs))
            events = (self.source.taken + len(self.sink.words) + len(self.results.words)
                      + len(self.cells.words))
            quiet = quiet + 1 if events == before else 0
            before = events
            assert quiet < self.patience, self.stuck()

    async def stop(self) -> None:
        """Lower run: the engine becomes idle and says nothing more."""
        self.dut.run.value = 0
        for _ in range(self.patience):
            if int(self.dut.idle.value):
                break
            await self.step()
        assert int(self.dut.idle.value), "the engine must become idle after run falls"
        for _ in range(QUIET_CYCLES):
            await self.step()
        assert not int(self.dut.frame_error.value), "frame_error must stay low"
        assert self.source.done, f"{len(self.source.words)} input words were never taken"

    async def step(self) -> None:
        """One cycle of streams and traces."""
        await self.bench.cycle()
        self.cells.sample()
        self.results.sample()

    def stuck(self) -> str:
        """Where a run stopped."""
        return (f"nothing happened for {self.patience} cycles: {self.source.taken} input words "
                f"taken, {len(self.results.words)} results and {len(self.cells.words)} cells "
                f"written, {len(self.sink.words)} of {self.outputs} output words received")


def report_run(engine: EngineBench, loaded: int, load_s: float, cpu_s: float) -> None:
    """Hand a finished run to the caller; loaded: cycles of loading, and its processor time."""
    finish({"outputs": to_bytes(engine.sink.words, engine.last_bit + 1),
            "counters": np.array(engine.counters, np.int64).reshape(-1, len(engine.names)),
            "load_cycles": loaded, "cycles": engine.bench.cycles,
            "load_cpu_s": load_s, "cpu_s": cpu_s,
            **engine.cells.arrays("cell"), **engine.results.arrays("result")})


@cocotb.test()
async def run_image(dut: Any) -> None:
    """Bench of :func:`runner.run_image`."""
    values = job()
    engine = EngineBench(dut, values)
    await engine.bench.start(run=0)
    begin = time.process_time()
    await engine.load()
    loaded, load_s = engine.bench.cycles, time.process_time() - begin
    await engine.run()
    await engine.stop()
    report_run(engine, loaded, load_s, time.process_time() - begin)
