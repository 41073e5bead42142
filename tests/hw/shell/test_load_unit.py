"""Load unit: words of every section, memory bytes, faults, and packets cut by a reset."""

import random

import numpy as np
import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import Section, header_layout
from ese_lstm.contract.packets import MEMORY_SECTION, load_packet, load_sections, memory_packet
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.hw.shell.load_unit import ERRORS, LoadUnit

SHELL = SHELL_PRESETS["tiny"]
RESIDENT = PRESETS["tiny"].replace(lanes=3)
STREAMED = RESIDENT.replace(fetch_depth=8)
config_cases = pytest.mark.parametrize("config", [RESIDENT, STREAMED], ids=("resident", "streamed"))


class Bench:
    """The unit before an engine's load port and an external memory."""

    def __init__(self, config, shell, rng, beats):
        self.config, self.shell, self.rng, self.to_beats = config, shell, rng, beats
        self.unit = LoadUnit(config=config, shell=shell)
        self.sections = load_sections(config)
        self.packets, self.words, self.memory = [], [], []
        self.loaded, self.written, self.told, self.expected = [], [], [], []

    def packet(self, section, count=3, lane=0, address=0, wanted=True):
        """A packet of random words; ``wanted``: how many of them get through, or all."""
        kind = self.sections[section]
        words = [self.rng.getrandbits(kind.bits) for _ in range(count)]
        table = np.array([[word >> 32 * k & 0xFFFFFFFF for k in range(-(-kind.bits // 32))]
                          for word in words], np.uint32).reshape(count, -1)
        self.packets.append(self.to_beats(load_packet(
            section, table, self.shell, bits=kind.bits, lane=lane, address=address), self.shell))
        wanted = count if wanted is True else wanted
        self.words += [(int(section), lane, address + k, word)
                       for k, word in enumerate(words[:wanted])]
        return self.packets[-1]

    def bytes_packet(self, beats, address, wanted=True):
        data = np.frombuffer(self.rng.randbytes(beats * self.shell.stream_bytes), np.uint8)
        self.packets.append(self.to_beats(memory_packet(data, self.shell, address), self.shell))
        wanted = beats if wanted is True else wanted
        self.memory += [(address + k * self.shell.stream_bytes,
                         int.from_bytes(row.tobytes(), "little"), int(k == beats - 1))
                        for k, row in enumerate(data.reshape(beats, -1)[:wanted])]
        return self.packets[-1]

    def fault(self, name):
        self.expected.append(name)

    async def engine(self, ctx, pause=0.0):
        unit = self.unit
        while True:
            ctx.set(unit.load.ready, self.rng.random() >= pause)
            _, _, valid, ready, beat = await ctx.tick().sample(
                unit.load.valid, unit.load.ready, unit.load.payload)
            if valid and ready:
                bits = self.sections[Section(beat.section)].bits
                self.loaded.append((beat.section, beat.lane, beat.address,
                                    beat.data & ((1 << bits) - 1)))

    async def store(self, ctx, pause=0.0):
        port = self.unit.memory
        while True:
            ctx.set(port.ready, self.rng.random() >= pause)
            _, _, valid, ready, beat = await ctx.tick().sample(port.valid, port.ready, port.payload)
            if valid and ready:
                self.written.append((beat.address, beat.data, beat.last))

    async def observe(self, ctx):
        errors = [getattr(self.unit, f"{name}_error") for name in ERRORS]
        async for _, _, *values in ctx.tick().sample(*errors):
            assert sum(values) <= 1
            self.told += [name for name, value in zip(ERRORS, values, strict=True) if value]

    def background(self, pause=0.0):
        async def engine(ctx):
            await self.engine(ctx, pause)

        async def store(ctx):
            await self.store(ctx, pause)

        return (engine, self.observe, *((store,) if self.config.fetch_depth else ()))

    def check(self):
        assert self.loaded == self.words and self.words
        assert self.written == self.memory
        assert self.told == self.expected


@pytest.fixture
def bench(seed, beats):
    return lambda config, shell=SHELL: Bench(config, shell, random.Random(seed), beats)


@config_cases
@pytest.mark.parametrize("stream_bits", [64, 128, 512])
@pytest.mark.parametrize("idle, pause", [(0.0, 0.0), (0.4, 0.4)])
def test_words_of_every_section(bench, simulate, streams, config, stream_bits, idle, pause):
    run = bench(config, SHELL.replace(stream_bits=stream_bits))
    for section, kind in run.sections.items():
        for lane in range(kind.lanes):
            run.packet(section, min(kind.words, 4), lane)
            run.packet(section, 1, lane, kind.words - 1)
    if config.fetch_depth:
        run.bytes_packet(5, 0)
        top = (1 << run.shell.memory_address_bits) - 2 * run.shell.stream_bytes
        run.bytes_packet(2, top)
    run.rng.shuffle(run.packets)

    async def send(ctx):
        ctx.set(run.unit.enable, 1)
        for packet in run.packets:
            await streams.send(ctx, run.unit.beats, packet, run.rng, idle)
        for _ in range(20):
            await ctx.tick()
        assert not ctx.get(run.unit.busy)

    simulate(run.unit, send, background=run.background(pause))
    run.loaded.sort()
    run.words.sort()
    run.written.sort()
    run.memory.sort()
    run.check()


def test_latency_and_throughput(bench, simulate):
    """Words of one beat one a cycle, the first of a packet a cycle later than its beat could be."""
    run = bench(RESIDENT)
    packet = run.packet(Section.ENTRY, 6, 2)
    taken, valid = [], []

    async def testbench(ctx):
        unit, left = run.unit, list(packet)
        ctx.set(unit.enable, 1)
        ctx.set(unit.load.ready, 1)
        for cycle in range(14):
            ctx.set(unit.beats.valid, bool(left))
            ctx.set(unit.beats.payload, left[0] if left else packet[0])
            _, _, ready, offered, busy = await ctx.tick().sample(
                unit.beats.ready, unit.load.valid, unit.busy)
            if left and ready:
                left.pop(0)
                taken.append(cycle)
            if offered:
                valid.append(cycle)
            assert busy == (0 < cycle <= 8)

    simulate(run.unit, testbench)
    assert taken == [0, *range(2, 8)]
    assert valid == [cycle + LoadUnit.latency for cycle in taken[1:]]


def test_latency_and_throughput_to_memory(bench, simulate):
    """One word a cycle."""
    run = bench(STREAMED)
    packet = run.bytes_packet(6, 0)
    taken, valid = [], []

    async def testbench(ctx):
        unit, left = run.unit, list(packet)
        ctx.set(unit.enable, 1)
        ctx.set(unit.memory.ready, 1)
        for cycle in range(14):
            ctx.set(unit.beats.valid, bool(left))
            ctx.set(unit.beats.payload, left[0] if left else packet[0])
            _, _, ready, offered, busy = await ctx.tick().sample(
                unit.beats.ready, unit.memory.valid, unit.busy)
            if left and ready:
                left.pop(0)
                taken.append(cycle)
            if offered:
                valid.append(cycle)
            assert busy == (0 < cycle <= 8)

    simulate(run.unit, testbench)
    assert taken == [0, *range(2, 8)]
    assert valid == [cycle + LoadUnit.latency for cycle in taken[1:]]


def test_a_word_for_memory_stays_until_it_is_taken(bench, simulate, streams):
    """Behind it READY is low whatever is offered; hold does not take it back."""
    run = bench(STREAMED)
    packet = run.bytes_packet(3, 64)

    async def testbench(ctx):
        unit = run.unit
        ctx.set(unit.enable, 1)
        await streams.send(ctx, unit.beats, packet[:2], run.rng)
        ctx.set(unit.beats.payload, {**packet[2], "keep": 0})
        taken = []
        for hold in (0, 0, 1, 0):
            ctx.set(unit.beats.valid, not hold)
            ctx.set(unit.hold, hold)
            word = ctx.get(unit.memory.payload)
            assert ctx.get(unit.memory.valid) and ctx.get(unit.busy)
            assert (word.data, word.address) == (packet[1]["data"], 64)
            taken.append(ctx.get(unit.beats.valid) & ctx.get(unit.beats.ready))
            await ctx.tick()
        assert taken == [0, 0, 0, 1]  # the rest of the packet is swallowed beside it
        ctx.set(unit.memory.ready, 1)
        await ctx.tick()
        assert not ctx.get(unit.memory.valid)

    simulate(run.unit, testbench)


def test_header_tells_the_input_width(bench, simulate, streams):
    run = bench(RESIDENT)
    run.packet(Section.HEADER, 1)
    width = header_layout(RESIDENT).unpack(run.words[0][3])["input_width"]

    async def send(ctx):
        ctx.set(run.unit.enable, 1)
        assert ctx.get(run.unit.input_width) == 0
        await streams.send(ctx, run.unit.beats, run.packets[0], run.rng)
        for _ in range(5):
            await ctx.tick()
        assert ctx.get(run.unit.input_width) == width
        ctx.set(run.unit.hold, 1)
        await ctx.tick()
        assert ctx.get(run.unit.input_width) == 0

    simulate(run.unit, send, background=run.background())
    run.check()


def faults(run):
    """Every kind of faulty packet, after each a good one."""
    config, sections = run.config, run.sections

    def good():
        run.packet(Section.PARAM, 2, 0, run.rng.randrange(10))

    def edit(packet, position, **changes):
        packet[position].update(changes)

    good()
    for section in (6, 7, 200, MEMORY_SECTION):
        if section != MEMORY_SECTION or not config.fetch_depth:
            packet = run.packet(Section.PARAM, 3, wanted=0)
            edit(packet, 0, data=section)
            run.fault("section")
            good()
    for section, kind in sections.items():
        for lane in (kind.lanes, 255):
            run.packet(section, 1, lane, wanted=0)
            run.fault("lane")
            good()
        for address in (kind.words, kind.words + 1, 1 << 20, 1 << 47):
            run.packet(section, 1, kind.lanes - 1, address, wanted=0)
            run.fault("length")
            good()
        run.packet(section, 3, 0, kind.words - 1, wanted=1)
        run.fault("length")
        good()
        packet = run.packet(section, 1, wanted=0)
        del packet[1:]
        edit(packet, 0, last=1)
        run.fault("length")
        good()
        for torn in range(1, kind.beats(run.shell)):
            packet = run.packet(section, 1, wanted=0)
            del packet[1 + torn:]
            edit(packet, -1, last=1)
            run.fault("length")
            good()
    for position in range(4):
        packet = run.packet(Section.ENTRY, 3, 1, 5, wanted=max(0, position - 1))
        edit(packet, position, keep=packet[position]["keep"] ^ 1 << run.rng.randrange(8))
        run.fault("length")
        good()
    if config.fetch_depth:
        size, top = run.shell.stream_bytes, 1 << run.shell.memory_address_bits
        for address in (1, size // 2, top + 3):
            packet = run.bytes_packet(2, 0, wanted=0)
            edit(packet, 0, data=MEMORY_SECTION | address << 16)
            run.fault("length")
            good()
        packet = run.bytes_packet(2, 0, wanted=0)
        edit(packet, 0, data=MEMORY_SECTION | 1 << 8)
        run.fault("lane")
        good()
        run.bytes_packet(3, top - 2 * size, wanted=2)
        run.fault("length")
        good()
        packet = run.bytes_packet(3, 64, wanted=1)
        edit(packet, 2, keep=0)
        run.fault("length")
        good()


@config_cases
@pytest.mark.parametrize("idle, pause", [(0.0, 0.0), (0.3, 0.4)])
def test_every_fault_is_told_once_and_swallowed(bench, simulate, streams, config, idle, pause):
    run = bench(config)
    faults(run)

    async def send(ctx):
        ctx.set(run.unit.enable, 1)
        for packet in run.packets:
            await streams.send(ctx, run.unit.beats, packet, run.rng, idle)
        for _ in range(20):
            await ctx.tick()
        assert not ctx.get(run.unit.busy)

    simulate(run.unit, send, background=run.background(pause))
    run.check()
    assert len(run.expected) > 30


def test_while_the_engine_works_packets_are_swallowed(bench, simulate, streams):
    run = bench(RESIDENT)
    run.packet(Section.PARAM, 3, wanted=0)
    run.fault("busy")
    run.packet(Section.PARAM, 3)

    async def send(ctx):
        await streams.send(ctx, run.unit.beats, run.packets[0], run.rng, 0.2)
        ctx.set(run.unit.enable, 1)
        await streams.send(ctx, run.unit.beats, run.packets[1], run.rng, 0.2)
        for _ in range(5):
            await ctx.tick()

    simulate(run.unit, send, background=run.background(0.3))
    run.check()


def test_a_packet_that_began_while_idle_goes_on(bench, simulate, streams):
    """The engine waits for busy to fall; enable matters at the descriptor alone."""
    run = bench(RESIDENT)
    packet = run.packet(Section.ENTRY, 8)

    async def send(ctx):
        ctx.set(run.unit.enable, 1)
        await streams.send(ctx, run.unit.beats, packet[:3], run.rng)
        ctx.set(run.unit.enable, 0)
        await streams.send(ctx, run.unit.beats, packet[3:], run.rng)
        for _ in range(5):
            await ctx.tick()

    simulate(run.unit, send, background=run.background(0.3))
    run.check()


@config_cases
def test_hold_swallows_the_rest_of_a_packet(bench, simulate, streams, config):
    """After any beat of a packet; while held no other begins."""
    run = bench(config)

    async def send(ctx):
        ctx.set(run.unit.enable, 1)
        kinds = [Section.EPILOGUE] + [MEMORY_SECTION] * (config.fetch_depth > 0)
        for section in kinds:
            for cut in range(1, 5):
                if section == MEMORY_SECTION:
                    packet = run.bytes_packet(4, 64, wanted=max(0, cut - 1))
                else:
                    per_word = run.sections[section].beats(SHELL)
                    packet = run.packet(section, 4, wanted=max(0, cut - 1) // per_word)
                await streams.send(ctx, run.unit.beats, packet[:cut], run.rng)
                for _ in range(4):
                    await ctx.tick()
                ctx.set(run.unit.hold, 1)
                await ctx.tick()
                await streams.send(ctx, run.unit.beats, packet[cut:], run.rng)
                assert not ctx.get(run.unit.beats.ready) and not ctx.get(run.unit.busy)
                ctx.set(run.unit.hold, 0)
                await streams.send(ctx, run.unit.beats, run.packet(Section.PARAM, 2), run.rng)
                for _ in range(5):
                    await ctx.tick()

    simulate(run.unit, send, background=run.background())
    run.check()
