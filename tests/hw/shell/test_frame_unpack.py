"""Frame unpack: columns of good packets, faults of bad ones, and what comes after them."""

import random

import numpy as np
import pytest

from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.packets import pack_frames, row_beats
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.hw.shell.frame_unpack import FrameUnpack

SHELL = SHELL_PRESETS["tiny"]
# Rows smaller than a beat, as large, larger by a part of a beat, and of 32-bit containers.
CONFIGS = [EngineConfig(lanes=1, channels=channels, act_bits=act_bits, activation_depth=64,
                        stream_depth=16, param_depth=16, cell_depth=16)
           for channels, act_bits in ((2, 16), (4, 16), (9, 16), (3, 18))]
config_cases = pytest.mark.parametrize("config", CONFIGS, ids=("less", "equal", "more", "wide"))


class Bench:
    """The unit before an engine that drops frames of the wrong length."""

    def __init__(self, config, width, rng, beats):
        self.config, self.width, self.rng, self.to_beats = config, width, rng, beats
        self.unit = FrameUnpack(config=config, shell=SHELL)
        self.per_row = row_beats(config, SHELL)
        self.whole = (width + 1) * self.per_row
        self.packets, self.good, self.faults = [], [], []
        self.columns, self.frames, self.told, self.counted, self.busy = [], [], [], 0, 0

    def packet(self, rows=None):
        """Beats of a random packet and the frame that it means."""
        limit, channels = 1 << (self.config.act_bits - 1), self.config.channels
        rows = self.width if rows is None else rows
        values = np.array([[[self.rng.randrange(-limit, limit) for _ in range(channels)]
                            for _ in range(rows)]])
        active, start = (np.array([[self.rng.random() < 0.5 for _ in range(channels)]])
                         for _ in range(2))
        packed = pack_frames(values, active, start, self.config, SHELL)
        masks = [sum(int(bit) << c for c, bit in enumerate(mask[0])) for mask in (active, start)]
        return self.to_beats(packed[0], SHELL), (values[0].tolist(), *masks)

    def add_good(self):
        packet, frame = self.packet()
        self.packets.append(packet)
        self.good.append(frame)

    def add_length(self, count):
        """A packet of ``count`` beats, which are not a packet's."""
        packet, _ = self.packet(rows=self.width + count)
        packet = packet[:count]
        packet[-1]["last"] = 1
        self.packets.append(packet)
        self.faults.append("length")

    def add_keep(self, position, count=None):
        """A packet with a byte missing in one beat, of the right length or not."""
        packet, _ = self.packet(rows=2 * self.width)
        packet = packet[:count or self.whole]
        packet[-1]["last"] = 1
        packet[position]["keep"] &= ~(1 << self.rng.randrange(SHELL.stream_bytes))
        self.packets.append(packet)
        self.faults.append("keep")

    def enable(self, ctx, on=1):
        ctx.set(self.unit.enable, on)
        ctx.set(self.unit.input_width, self.width)

    async def engine(self, ctx, pause):
        """Take columns; a frame counts if its last column comes with the right number."""
        unit = self.unit
        while True:
            ready = self.rng.random() >= pause and ctx.get(unit.enable)
            ctx.set(unit.frames.ready, ready)
            _, _, valid, column, enable = await ctx.tick().sample(
                unit.frames.valid, unit.frames.payload, unit.enable)
            if not enable:
                self.columns = []
            elif valid and ready:
                self.columns.append(list(column["values"]))
                if column.last:
                    if len(self.columns) == self.width:
                        self.frames.append((self.columns, column.active, column.start))
                    self.columns = []

    async def observe(self, ctx):
        unit, beats, under_way = self.unit, self.unit.beats, 0
        sampled = ctx.tick().sample(unit.length_error, unit.keep_error, unit.frame, unit.busy,
                                    beats.valid & beats.ready, beats.payload.last)
        async for _, _, length, keep, frame, busy, taken, last in sampled:
            assert not (length and keep)
            assert busy == under_way, "from the first beat of a packet to its last"
            under_way = int(not last) if taken else under_way
            self.busy += busy
            self.told += ["length"] * length + ["keep"] * keep
            self.counted += frame

    def check(self):
        assert self.frames == self.good and self.good
        assert self.told == self.faults
        assert self.counted == len(self.good) and not self.columns and self.busy


@pytest.fixture
def bench(seed, beats):
    return lambda config, width: Bench(config, width, random.Random(seed), beats)


@config_cases
@pytest.mark.parametrize("idle, pause", [(0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.4, 0.4)])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_good_packets_arrive_whole_and_bad_ones_not(bench, simulate, streams, config, width, idle,
                                                    pause):
    run = bench(config, width)
    for _ in range(12):
        run.add_good()
        kind = run.rng.randrange(3)
        if kind == 1:
            run.add_length(run.rng.choice([n for n in range(1, 2 * run.whole) if n != run.whole]))
        elif kind == 2:
            count = run.rng.randint(1, 2 * run.whole)
            run.add_keep(run.rng.randrange(min(count, run.whole)), count)

    async def send(ctx):
        run.enable(ctx)
        for packet in run.packets:
            await streams.send(ctx, run.unit.beats, packet, run.rng, idle)
        for _ in range(40):
            await ctx.tick()

    async def engine(ctx):
        await run.engine(ctx, pause)

    run.add_good()
    simulate(run.unit, send, background=(engine, run.observe))
    run.check()


@config_cases
@pytest.mark.parametrize("width", [1, 3])
def test_every_length_and_every_torn_beat(bench, simulate, streams, config, width):
    run = bench(config, width)
    for count in range(1, run.whole + 2 * run.per_row + 1):
        if count != run.whole:
            run.add_length(count)
            run.add_good()
    for position in range(run.whole):
        run.add_keep(position)
        run.add_good()

    async def send(ctx):
        run.enable(ctx)
        for packet in run.packets:
            await streams.send(ctx, run.unit.beats, packet, run.rng)
        for _ in range(10):
            await ctx.tick()

    async def engine(ctx):
        await run.engine(ctx, 0.0)

    simulate(run.unit, send, background=(engine, run.observe))
    run.check()
    assert len(run.faults) > run.whole


@config_cases
def test_latency_and_one_beat_a_cycle(bench, simulate, config):
    run = bench(config, 3)
    for _ in range(3):
        run.add_good()
    sent = [beat for packet in run.packets for beat in packet]
    taken, valid = [], []

    async def testbench(ctx):
        unit = run.unit
        run.enable(ctx)
        ctx.set(unit.frames.ready, 1)
        for cycle in range(len(sent) + 3):
            ctx.set(unit.beats.valid, cycle < len(sent))
            ctx.set(unit.beats.payload, sent[min(cycle, len(sent) - 1)])
            _, _, ready, offered = await ctx.tick().sample(unit.beats.ready, unit.frames.valid)
            taken.append(ready and cycle < len(sent))
            if offered:
                valid.append(cycle)

    simulate(run.unit, testbench)
    assert taken == [True] * len(sent) + [False] * 3
    ends = [row * run.per_row - 1 + packet * run.whole
            for packet in range(3) for row in range(2, 5)]
    assert valid == [end + FrameUnpack.latency for end in ends]


@config_cases
def test_packets_wait_while_not_enabled(bench, simulate, streams, config):
    run = bench(config, 2)
    run.add_good()

    async def send(ctx):
        run.enable(ctx, 0)
        await streams.send(ctx, run.unit.beats, run.packets[0], run.rng)
        for _ in range(5):
            await ctx.tick()

    async def later(ctx):
        for _ in range(20):
            assert not ctx.get(run.unit.beats.ready)
            await ctx.tick()
        run.enable(ctx)

    async def engine(ctx):
        await run.engine(ctx, 0.3)

    simulate(run.unit, send, later, background=(engine, run.observe))
    run.check()


@config_cases
@pytest.mark.parametrize("again", [0, 1], ids=("stays low", "returns at once"))
def test_disable_in_mid_packet_forgets_it_and_its_rest(bench, simulate, streams, config, again):
    """After any beat of a packet; the rest is taken without an error, enabled or not."""
    run = bench(config, 2)

    async def send(ctx):
        for cut in range(1, run.whole):
            run.enable(ctx)
            packet, _ = run.packet()
            await streams.send(ctx, run.unit.beats, packet[:cut], run.rng, 0.2)
            run.enable(ctx, 0)
            await ctx.tick()
            run.enable(ctx, again)
            await streams.send(ctx, run.unit.beats, packet[cut:], run.rng, 0.2)
            run.enable(ctx)
            run.add_good()
            await streams.send(ctx, run.unit.beats, run.packets[-1], run.rng, 0.2)
            for _ in range(10):
                await ctx.tick()

    async def engine(ctx):
        await run.engine(ctx, 0.2)

    simulate(run.unit, send, background=(engine, run.observe))
    run.check()
    assert len(run.good) == run.whole - 1 > 0


@pytest.mark.parametrize("bad", ["short", "long", "keep"])
def test_disable_while_a_bad_packet_is_dropped(bench, simulate, streams, bad):
    run = bench(CONFIGS[2], 3)

    async def send(ctx):
        for pause in range(6):
            run.enable(ctx)
            {"short": lambda: run.add_length(run.whole - run.per_row),
             "long": lambda: run.add_length(run.whole + 2),
             "keep": lambda: run.add_keep(run.whole - 2)}[bad]()
            await streams.send(ctx, run.unit.beats, run.packets[-1], run.rng)
            for _ in range(pause):
                await ctx.tick()
            run.enable(ctx, 0)
            await ctx.tick()
            run.enable(ctx)
            run.add_good()
            await streams.send(ctx, run.unit.beats, run.packets[-1], run.rng)
            for _ in range(10):
                await ctx.tick()

    async def engine(ctx):
        await run.engine(ctx, 0.5)

    simulate(run.unit, send, background=(engine, run.observe))
    run.check()


def test_without_a_header_every_packet_is_refused(bench, simulate, streams):
    run = bench(CONFIGS[0], 0)
    for count in (1, 2, 3, 1, 80):
        run.add_length(count)

    async def send(ctx):
        run.enable(ctx)
        for packet in run.packets:
            await streams.send(ctx, run.unit.beats, packet, run.rng)
        for _ in range(5):
            await ctx.tick()

    async def engine(ctx):
        await run.engine(ctx, 0.0)

    simulate(run.unit, send, background=(engine, run.observe))
    assert run.told == ["length"] * 5 and not run.frames and not run.columns
