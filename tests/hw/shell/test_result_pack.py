"""Result pack: rows to packets, full speed, and what a cut leaves."""

import random

import numpy as np
import pytest

from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.packets import pack_frames, row_beats
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.hw.shell.result_pack import ResultPack

SHELL = SHELL_PRESETS["tiny"]
CONFIGS = [EngineConfig(lanes=1, channels=channels, act_bits=act_bits)
           for channels, act_bits in ((2, 16), (4, 16), (9, 16), (3, 18))]
config_cases = pytest.mark.parametrize("config", CONFIGS, ids=("less", "equal", "more", "wide"))


class Bench:
    """Random frames, and the beats that they mean."""

    def __init__(self, config, rng, beats, shell=SHELL):
        self.config, self.shell, self.rng, self.to_beats = config, shell, rng, beats
        self.unit = ResultPack(config=config, shell=shell)
        self.per_row = row_beats(config, shell)
        self.counted = 0

    def frame(self, width):
        """Rows for the unit, and their packet's beats."""
        limit = 1 << (self.config.act_bits - 1)
        values = [[self.rng.randrange(-limit, limit) for _ in range(self.config.channels)]
                  for _ in range(width)]
        rows = [{"values": row, "last": number == width - 1} for number, row in enumerate(values)]
        masks = np.zeros((1, self.config.channels), bool)
        packet = pack_frames(np.array([values]), masks, masks, self.config, self.shell)
        return rows, self.to_beats(packet[0], self.shell)[self.per_row:]  # without the flags

    async def observe(self, ctx):
        async for _, _, packet in ctx.tick().sample(self.unit.packet):
            self.counted += packet


def plain(beat):
    return {"data": beat.data, "keep": beat.keep, "last": beat.last}


@pytest.fixture
def bench(seed, beats):
    return lambda config, shell=SHELL: Bench(config, random.Random(seed), beats, shell)


@config_cases
@pytest.mark.parametrize("depth", [2, 16])
@pytest.mark.parametrize("idle, pause", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.7), (0.4, 0.4)])
def test_packets(bench, simulate, streams, config, depth, idle, pause):
    run = bench(config, SHELL.replace(result_depth=depth))
    rows, expected, got = [], [], []
    for _ in range(15):
        frame, packet = run.frame(run.rng.randint(1, 6))
        rows += frame
        expected += packet

    async def send(ctx):
        await streams.send(ctx, run.unit.rows, rows, run.rng, idle)

    async def take(ctx):
        got.extend(await streams.take(ctx, run.unit.beats, len(expected), run.rng, pause))
        for _ in range(10):
            await ctx.tick()
            assert not ctx.get(run.unit.beats.valid)

    simulate(run.unit, send, take, background=(run.observe,))
    assert [plain(beat) for beat in got] == expected and run.counted == 15


@config_cases
def test_latency_and_one_beat_a_cycle(bench, simulate, config):
    run = bench(config)
    rows, expected = run.frame(4)
    valid, got = [], []

    async def testbench(ctx):
        unit = run.unit
        ctx.set(unit.beats.ready, 1)
        for cycle in range(len(expected) + 10):
            ctx.set(unit.rows.valid, cycle < len(rows))
            ctx.set(unit.rows.payload, rows[min(cycle, 3)])
            _, _, offered, beat, ready = await ctx.tick().sample(
                unit.beats.valid, unit.beats.payload, unit.rows.ready)
            assert ready
            if offered:
                valid.append(cycle)
                got.append(plain(beat))

    simulate(run.unit, testbench)
    first = ResultPack.latency
    assert valid == list(range(first, first + 4 * run.per_row)) and got == expected


def test_holds_as_many_rows_as_it_says(bench, simulate):
    """While nothing leaves: result_depth rows, and one in the serialiser."""
    run = bench(CONFIGS[0])
    rows, _ = run.frame(40)
    taken = []

    async def testbench(ctx):
        ctx.set(run.unit.rows.valid, 1)
        for _ in range(60):
            ctx.set(run.unit.rows.payload, rows[len(taken)])
            if (await ctx.tick().sample(run.unit.rows.ready))[2]:
                taken.append(1)

    simulate(run.unit, testbench)
    assert len(taken) == SHELL.result_depth + 1


@config_cases
@pytest.mark.parametrize("pause", [0.0, 0.6])
def test_a_cut_ends_the_packet_and_forgets_the_rows(bench, simulate, streams, config, pause):
    """At any time of a packet; what was offered stays, then TLAST, then new packets whole."""
    run = bench(config)
    cuts = open_packets = 0

    async def testbench(ctx):
        nonlocal cuts, open_packets
        unit = run.unit
        for wait in range(ResultPack.latency + 4 * run.per_row + 4):
            rows, expected = run.frame(4)
            ctx.set(unit.cut, 0)
            got, offered = [], None

            async def cycle(ctx, got=got):
                nonlocal offered
                ready = run.rng.random() >= pause
                ctx.set(unit.beats.ready, ready)
                _, _, valid, beat = await ctx.tick().sample(unit.beats.valid, unit.beats.payload)
                if offered is not None:
                    assert valid and plain(beat) == offered, "a beat offered stays until taken"
                offered = plain(beat) if valid and not ready else None
                if valid and ready:
                    got.append(plain(beat))

            for number in range(wait):
                ctx.set(unit.rows.valid, number < len(rows))
                ctx.set(unit.rows.payload, rows[min(number, 3)])
                await cycle(ctx)
            ctx.set(unit.rows.valid, 0)
            ctx.set(unit.cut, 1)
            for _ in range(run.rng.randint(1, 3)):
                await cycle(ctx)
            ctx.set(unit.cut, 0)
            rows_after, after = run.frame(2)
            for row in rows_after:
                ctx.set(unit.rows.valid, 1)
                ctx.set(unit.rows.payload, row)
                await cycle(ctx)
            ctx.set(unit.rows.valid, 0)
            for _ in range(60):
                await cycle(ctx)
            assert offered is None
            assert got[-len(after):] == after
            before = got[:-len(after)]
            cuts += 1
            if before != expected and before:
                open_packets += 1
                torn = before[:-1]
                assert before[-1]["last"] and before[-1]["data"] == 0
                assert before[-1]["keep"] == (1 << SHELL.stream_bytes) - 1
                assert torn == expected[:len(torn)] and 0 < len(torn) < len(expected)

    simulate(run.unit, testbench)
    assert cuts > 10 and open_packets > 2


def test_a_cut_packet_is_not_counted(bench, simulate):
    run = bench(CONFIGS[2])
    rows, _ = run.frame(2)

    async def testbench(ctx):
        unit = run.unit
        for row in rows:
            ctx.set(unit.rows.payload, row)
            ctx.set(unit.rows.valid, 1)
            await ctx.tick()
        ctx.set(unit.rows.valid, 0)
        ctx.set(unit.beats.ready, 1)
        for _ in range(3):
            await ctx.tick()
        ctx.set(unit.cut, 1)
        for _ in range(20):
            await ctx.tick()

    simulate(run.unit, testbench, background=(run.observe,))
    assert run.counted == 0
