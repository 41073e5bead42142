"""Benches that must fail, each in its own way; ``job()["how"]`` chooses."""

import cocotb

from ese_lstm.sim.rtl.bench import PATTERNS, Bench, StreamSink, StreamSource, finish, generator, job


@cocotb.test()
async def misbehave(dut) -> None:
    how = str(job()["how"])
    rng = generator(1)
    source = StreamSource(dut, "i", range(1, 30), pause=PATTERNS["rare"](rng), rng=rng)
    sink = StreamSink(dut, "o", pause=PATTERNS["half"](rng))
    bench = Bench(dut, [source, sink])
    await bench.start(hold=int(how != "unstable"))
    for _ in range(200):
        await bench.cycle()
    if how == "assert":
        assert sink.words == [], "words came out"
    if how != "silent":
        finish({"words": sink.words, "taken": source.taken})
