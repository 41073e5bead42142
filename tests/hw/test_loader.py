"""Load port: every section's strobe, address and data, one cycle after the beat."""

import random

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import SECTION_BITS, Section, header_layout, load_layout
from ese_lstm.hw.loader import Loader

TINY = PRESETS["tiny"]
MEMORIES = {Section.SEGMENT: "segment", Section.EPILOGUE: "epilogue", Section.PARAM: "param"}
CONFIGS = {"tiny": TINY, "one-lane": TINY.replace(lanes=1), "five-lanes": TINY.replace(lanes=5),
           "deep": TINY.replace(stream_depth=1 << 17, param_depth=1)}


def strobes(ctx, dut, config, beat):
    """Check all strobes in the cycle after ``beat`` (None: no beat); returns how many are set."""
    section = None if beat is None else beat["section"]
    for number, name in MEMORIES.items():
        store = getattr(dut, name)
        write, address, data = store.write, store.address, store.data
        assert ctx.get(write) == (section == number), name
        if section == number:
            assert ctx.get(address) == beat["address"] % (1 << len(address))
            assert ctx.get(data) == beat["data"] % (1 << len(data))
    for number, member in ((Section.ENTRY, dut.entries.entry),
                           (Section.LANE_LAST, dut.entries.last)):
        lane = beat["lane"] if section == number and beat["lane"] < config.lanes else None
        assert ctx.get(member) == (0 if lane is None else 1 << lane)
    if section in (Section.ENTRY, Section.LANE_LAST):
        assert ctx.get(dut.entries.address) == beat["address"] % (1 << config.stream_address_bits)
        assert ctx.get(dut.entries.data) == beat["data"] % (1 << len(dut.entries.data))
    return section in {*MEMORIES, Section.ENTRY, Section.LANE_LAST}


@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_beat_reaches_its_memory_and_no_other(simulate, streams, seed, config, idle):
    """All eight section codes, two of them unknown, and lanes beyond the last."""
    rng, dut, layout = random.Random(seed), Loader(config=config), load_layout(config)
    assert dut.latency == 1
    data, header_bits = layout.field("data"), header_layout(config).bits
    beats = [{"data": rng.choice([0, data.maximum, rng.getrandbits(data.bits)]),
              "address": rng.randint(0, layout.field("address").maximum),
              "lane": rng.randint(0, layout.field("lane").maximum),
              "section": section} for section in range(1 << SECTION_BITS) for _ in range(20)]
    rng.shuffle(beats)
    accepted, seen = [], 0

    async def send(ctx):
        await streams.send(ctx, dut.beats, beats, rng, idle)

    async def check(ctx):
        nonlocal seen
        header = 0
        while len(accepted) < len(beats):
            enable = rng.random() >= idle
            ctx.set(dut.enable, enable)
            _, _, valid, ready, payload = await ctx.tick().sample(
                dut.beats.valid, dut.beats.ready, dut.beats.payload)
            assert ready == enable, "ready follows enable and waits for nobody"
            beat = None
            if valid and ready:
                beat = {name: payload[name] for name in beats[0]}
                accepted.append(beat)
            seen += strobes(ctx, dut, config, beat)
            assert ctx.get(dut.header.as_value()) == header
            if beat and beat["section"] == Section.HEADER:
                header = beat["data"] % (1 << header_bits)

    simulate(dut, send, check)
    assert accepted == beats
    assert seen == 20 * 5
