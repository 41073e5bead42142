"""cocotb bench of the whole engine: load an image, stream frames in and out, watch every write.

An engine that streams weights has its weight fetch beside it, on a modelled memory.
"""

import random
import time
from typing import Any

import cocotb
import numpy as np

from ...contract.memory import MemoryTiming
from .bench import (
    PATTERNS,
    Bench,
    Part,
    StreamSink,
    StreamSource,
    finish,
    generator,
    job,
    report,
)
from .memory_model import MemoryModel
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

    def drive(self) -> None:
        """Nothing: it only watches."""

    def sample(self) -> bool:
        """Whether a word is written."""
        written = bool(int(self._valid.value))
        if written:
            self.addresses.append(int(self._address.value))
            self.words.append(int(self._values.value))
        return written

    def arrays(self, name: str) -> dict[str, Any]:
        """For :func:`finish`."""
        return {f"{name}_addresses": np.array(self.addresses, np.int64),
                f"{name}_words": to_bytes(self.words, len(self._values))}


class EngineBench:
    """One image and its frames, run once; once on each memory, if weights are streamed."""

    def __init__(self, dut: Any, values: dict[str, Any]) -> None:
        rng = generator(int(values["seed"]))
        self.dut = dut
        self.bench = Bench(dut)
        self.frames = int(values["frames"])
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
        self.timings: list[MemoryTiming | None] = [None]
        self.parts: list[Part] = [self.source, self.sink, self.cells, self.results]
        self.memory: MemoryModel | None = None
        if "memory_timings" in values:
            rng = generator(int(values["seed"]) + 1)
            pause = PATTERNS[str(values["memory_pause"])](random.Random(rng.random()))
            self.memory = MemoryModel(dut, values, pause, rng)
            self.timings = [*self.memory.timings]
            self.parts.append(self.memory)

    async def load(self) -> None:
        """Write every word of the image through the load port."""
        self.bench.parts = [self.loader]
        total = len(self.loader.words)
        while not self.loader.done:
            await self.bench.cycle()
            if self.bench.cycles % 8192 == 0:
                report(0.3 * self.loader.taken / total)
            assert self.bench.cycles < 40 * total + 1000, "the load port stopped taking beats"
        await self.bench.cycle()
        await self.bench.cycle()
        assert int(self.dut.idle.value), "the engine must be idle while it is loaded"

    async def run(self, timing: MemoryTiming | None) -> None:
        """Stream all frames through, with this memory; sample counters with the last word of
        each."""
        if self.memory is not None and timing is not None:
            self.memory.reads.timing = timing
        self.dut.run.value = 1
        self.source.words.extend(() if self.source.words else self.words)
        self.bench.parts = self.parts
        quiet, before = 0, -1
        target = len(self.sink.words) + self.outputs
        while len(self.sink.words) < target:
            got = len(self.sink.words)
            await self.bench.cycle()
            if len(self.sink.words) > got and self.sink.words[-1] >> self.last_bit:
                self.counters.append([int(getattr(self.dut, f"counters__{name}").value)
                                      for name in self.names])
                report(0.3 + 0.7 * len(self.counters) / (self.frames * len(self.timings)))
            events = (self.source.taken + len(self.sink.words) + len(self.results.words)
                      + len(self.cells.words))
            quiet = quiet + 1 if events == before else 0
            before = events
            assert quiet < self.patience, self.stuck()

    async def stop(self) -> None:
        """Lower run: the engine becomes idle and says nothing more."""
        self.dut.run.value = 0
        await self.until_high("idle", "the engine must become idle after run falls")
        for _ in range(QUIET_CYCLES):
            await self.bench.cycle()
        assert not int(self.dut.frame_error.value), "frame_error must stay low"
        assert self.source.done, f"{len(self.source.words)} input words were never taken"
        if self.memory is not None:
            await self.until_high("fetch_idle", "the fetch must become idle after the engine")
            assert not int(self.dut.fetch_error.value), "no beat came with an error"

    async def until_high(self, port: str, rule: str) -> None:
        """Wait for an output."""
        for _ in range(self.patience):
            if int(getattr(self.dut, port).value):
                return
            await self.bench.cycle()
        raise AssertionError(rule)

    def stuck(self) -> str:
        """Where a run stopped."""
        return (f"nothing happened for {self.patience} cycles: {self.source.taken} input words "
                f"taken, {len(self.results.words)} results and {len(self.cells.words)} cells "
                f"written, {len(self.sink.words)} of {self.outputs} output words received")


@cocotb.test()
async def run_image(dut: Any) -> None:
    """Bench of :func:`runner.run_image`."""
    engine = EngineBench(dut, job())
    await engine.bench.start(run=0)
    begin = time.process_time()
    await engine.load()
    loaded, load_s = engine.bench.cycles, time.process_time() - begin
    for timing in engine.timings:
        await engine.run(timing)
        await engine.stop()
    finish({"outputs": to_bytes(engine.sink.words, engine.last_bit + 1),
            "counters": np.array(engine.counters, np.int64).reshape(-1, len(engine.names)),
            "load_cycles": loaded, "cycles": engine.bench.cycles,
            "load_cpu_s": load_s, "cpu_s": time.process_time() - begin,
            **engine.cells.arrays("cell"), **engine.results.arrays("result")})
