"""Benches that must fail, each in its own way; ``job()["how"]`` chooses."""

import cocotb

from ese_lstm.sim.rtl.bench import PATTERNS, Bench, StreamSink, StreamSource, finish, generator, job


@cocotb.test()
async def misbehave(dut) -> None:
    how = str(job()["how"])
    rng = generator(1)
    bench = Bench(dut)
    bench.sources = [StreamSource(dut, "i", range(1, 30), pause=PATTERNS["rare"](rng), rng=rng)]
    bench.sinks = [StreamSink(dut, "o", pause=PATTERNS["half"](rng))]
    await bench.start(hold=int(how != "unstable"))
    for _ in range(200):
        await bench.cycle()
    if how == "assert":
        assert bench.sinks[0].words == [], "words came out"
    if how != "silent":
        finish({"words": bench.sinks[0].words, "taken": bench.sources[0].taken})
