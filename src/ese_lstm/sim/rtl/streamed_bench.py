"""cocotb bench of the engine with its weight fetch on a modelled memory."""

import random
import time
from typing import Any

import cocotb

from .bench import PATTERNS, generator, job
from .engine_bench import EngineBench, report_run
from .memory_model import MemoryModel


class StreamedBench(EngineBench):
    """An engine's bench with a memory that moves in every cycle."""

    def __init__(self, dut: Any, values: dict[str, Any]) -> None:
        super().__init__(dut, values)
        rng = generator(int(values["seed"]) + 1)
        pause = PATTERNS[str(values["memory_pause"])](random.Random(rng.random()))
        self.memory = MemoryModel(dut, values, pause, rng)
        self.runs = len(self.memory.timings)

    async def step(self) -> None:
        """One cycle of streams, traces and memory."""
        await self.bench.rise()
        self.memory.drive()
        for source in self.bench.sources:
            source.drive()
        for sink in self.bench.sinks:
            sink.drive()
        await self.bench.fall()
        for source in self.bench.sources:
            source.sample()
        for sink in self.bench.sinks:
            sink.sample()
        self.memory.sample()
        self.cells.sample()
        self.results.sample()


@cocotb.test()
async def run_image(dut: Any) -> None:
    """Bench of :func:`runner.run_image` for engines that stream weights."""
    values = job()
    engine = StreamedBench(dut, values)
    await engine.bench.start(run=0)
    begin = time.process_time()
    await engine.load()
    loaded, load_s = engine.bench.cycles, time.process_time() - begin
    for timing in engine.memory.timings:
        engine.memory.timing = timing
        await engine.run()
        await engine.stop()
        for _ in range(engine.patience):
            if int(dut.fetch_idle.value):
                break
            await engine.step()
        assert int(dut.fetch_idle.value), "the weight fetch must become idle after the engine"
        assert not int(dut.fetch_error.value), "no beat came with an error"
    report_run(engine, loaded, load_s, time.process_time() - begin)
