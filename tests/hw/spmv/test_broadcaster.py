"""Column broadcaster against a twin that knows the program as a plain list of columns."""

import random
from dataclasses import dataclass

import pytest
from amaranth.hdl import ResetInserter, Signal

from ese_lstm.contract import timing
from ese_lstm.contract.config import MAX_RESULTS, PRESETS, SEQUENCE_BITS
from ese_lstm.contract.layout import segment_layout
from ese_lstm.hw.spmv.broadcaster import Broadcaster

TINY = PRESETS["tiny"]
LIMIT = 20_000
OUTPUTS = ("issue", "issued", "frame_take", "frame_release", "frame_parity", "read_address", "push",
           "column", "tile_last", "done", "stall")
STALLS = ("input", "bank", "dependency", "queue")


@dataclass(frozen=True)
class Column:
    """One column of a frame: need is the result number of the run it waits for, or None."""

    address: int
    need: int | None
    recurrent: bool
    tile: int
    first: bool
    last: bool
    frame_end: bool


def random_program(config, rng, tiles, results, longest=5, segments_per_tile=3):
    """Segments as dictionaries, results of each tile; waits that earlier tiles can satisfy."""
    cuts = sorted(rng.sample(range(1, results), tiles - 1)) if tiles > 1 else []
    counts = [b - a for a, b in zip([0, *cuts], [*cuts, results], strict=True)]
    segments, before = [], 0
    for number, count in enumerate(counts):
        parts = rng.randint(1, segments_per_tile)
        for part in range(parts):
            length = rng.randint(1, min(longest, results))
            low, high = 1 - results, before - length + 1
            segments.append({
                "base_even": rng.randrange(config.activation_depth - longest),
                "base_odd": rng.randrange(config.activation_depth - longest),
                "length": length, "need": rng.choice([low, high, rng.randint(low, high)]),
                "wait": rng.randrange(2), "recurrent": rng.randrange(2),
                "last": part == parts - 1, "end": part == parts - 1 and number == tiles - 1})
        before += count
    return segments, counts


def frame_columns(segments, frame, results):
    """The columns of one frame, in order."""
    columns, tile, first = [], 0, True
    for segment in segments:
        for k in range(segment["length"]):
            last = k == segment["length"] - 1
            columns.append(Column(
                segment["base_odd" if frame % 2 else "base_even"] + k,
                frame * results + segment["need"] + k if segment["wait"] else None,
                bool(segment["recurrent"]), tile, first, bool(last and segment["last"]),
                bool(last and segment["end"])))
            first = bool(last and segment["last"])
        tile += segment["last"]
    return columns


class Bench:
    """A broadcaster, its twin and everything around it: lanes, epilogue, activation buffer."""

    def __init__(self, config, segments, counts, rng):
        self.config, self.segments, self.counts, self.rng = config, segments, counts, rng
        self.results = sum(counts)
        self.unit, self.hold = Broadcaster(config=config), Signal(init=1)
        self.dut = ResetInserter(self.hold)(self.unit)
        self.memory = [[rng.randrange(-(1 << 15), 1 << 15) for _ in range(config.channels)]
                       for _ in range(config.activation_depth)]
        self.taken, self.waiting = 0, []
        self.busy, self.bank = [False, False], 0
        self.written, self.soon, self.allowed = 0, 0, 0
        self.drains, self.starting = [], 0
        self.pipeline, self.issued, self.stalled = [None, None], [], dict.fromkeys(STALLS, 0)

    async def load(self, ctx):
        layout = segment_layout(self.config)
        for address, segment in enumerate(self.segments):
            ctx.set(self.unit.write, 1)
            ctx.set(self.unit.write_address, address)
            ctx.set(self.unit.write_data, layout.pack(segment))
            await ctx.tick()
        ctx.set(self.unit.write, 0)
        ctx.set(self.unit.header, {"results": self.results})
        ctx.set(self.hold, 0)

    def expected(self, full, run, ready, start):
        """What the unit must do in this cycle; advances the twin."""
        column = self.waiting[0] if self.waiting else None
        arrival = self.pipeline.pop(0)
        idle = column is None and not any(self.busy) \
            and self.written == self.taken * self.results
        out = {"issue": False, "frame_release": False, "done": idle, "stall": None,
               "address": None, "arrival": arrival}
        if column is None:
            out["stall"] = "input"
        elif column.first and self.busy[self.bank]:
            out["stall"] = "bank"
        elif column.need is not None and self.written < column.need:
            out["stall"] = "dependency"
        elif full:
            out["stall"] = "queue"
        else:
            out |= {"issue": True, "frame_release": column.frame_end, "address": column.address}
        arriving = None
        if out["issue"]:
            self.waiting.pop(0)
            mask = self.starting if column.recurrent else 0
            arriving = ([0 if mask >> c & 1 else value for c, value in
                         enumerate(self.memory[column.address])], column.last)
            if column.first:
                self.busy[self.bank] = True
            if column.last:
                self.drains.append((self.bank, self.counts[column.tile]))
                self.bank ^= 1
        self.pipeline.append(arriving)
        out["frame_take"] = not self.waiting and run and ready
        if out["frame_take"]:
            self.waiting = frame_columns(self.segments, self.taken, self.results)
            out["frame_parity"] = self.taken % 2
            self.taken += 1
            self.starting = start
        if out["stall"]:
            self.stalled[out["stall"]] += 1
        return out

    async def cycle(self, ctx, *, full=False, run=True, ready=True, start=0, clear=None):
        """One cycle: drive, compare every output with the twin."""
        unit = self.unit
        ctx.set(unit.full, full)
        ctx.set(unit.run, run)
        ctx.set(unit.frame_ready, ready)
        ctx.set(unit.frame_start, start)
        ctx.set(unit.written, self.soon % (1 << SEQUENCE_BITS))
        ctx.set(unit.bank_clear, 0 if clear is None else 1 << clear)
        want = self.expected(full, run, ready, start)
        sampled = await ctx.tick().sample(*(getattr(unit, name) for name in OUTPUTS))
        got = dict(zip(OUTPUTS, sampled[2:], strict=True))
        for name in ("issue", "frame_take", "frame_release", "done"):
            assert got[name] == want[name], name
        assert got["issued"] == bool(self.issued and self.issued[-1])
        assert [got["stall"][name] for name in STALLS] == [want["stall"] == s for s in STALLS]
        if want["issue"]:
            assert got["read_address"] == want["address"]
        if want["frame_take"]:
            assert got["frame_parity"] == want["frame_parity"]
        assert got["push"] == (want["arrival"] is not None)
        if want["arrival"]:
            assert (list(got["column"]), got["tile_last"]) == want["arrival"]
        ctx.set(unit.read_data, self.memory[got["read_address"]])
        self.issued.append(bool(got["issue"]))
        self.written = self.soon
        if clear is not None:
            self.busy[clear] = False
        return got

    def drain_one(self):
        """The epilogue issues a tile's last row: its results may be written from now on."""
        bank, count = self.drains.pop(0)
        self.allowed += count
        return bank

    def write_some(self):
        """Results are written, often exactly up to the one that the next column waits for."""
        room = self.allowed - self.soon
        need = self.waiting[0].need if self.waiting else None
        targets = [self.rng.randint(0, room), room]
        if need is not None:
            targets += [need - 1 - self.soon, need - self.soon]
        step = self.rng.choice(targets)
        if 0 <= step <= room:
            self.soon += step

    async def run(self, ctx, frames, full, slow):
        """``frames`` frames with random queue room, epilogue and input; then stop."""
        rng = self.rng
        for _ in range(LIMIT):
            clear = self.drain_one() if self.drains and rng.random() >= slow else None
            more = self.taken < frames
            got = await self.cycle(
                ctx, full=rng.random() < full, run=more and rng.random() < 0.95,
                ready=rng.random() >= slow / 2, clear=clear,
                start=rng.randrange(1 << self.config.channels))
            if rng.random() >= slow:
                self.write_some()
            if not more and got["done"]:
                break
        assert not self.waiting and not self.drains and self.pipeline == [None, None]
        columns = sum(segment["length"] for segment in self.segments)
        assert sum(self.issued) == frames * columns > 0


@pytest.mark.parametrize(("full", "slow"), [(0.0, 0.0), (0.5, 0.3), (0.1, 0.9)])
@pytest.mark.parametrize(("config", "tiles"), [
    (TINY, 3), (TINY, 1), (TINY.replace(channels=1), 4),
    (TINY.replace(activation_depth=100, segment_depth=7, channels=3), 2)],
    ids=["three-tiles", "one-tile", "one-channel", "odd-depths"])
def test_every_cycle_matches_twin(simulate, seed, config, tiles, full, slow):
    rng = random.Random(seed)
    segments, counts = random_program(config, rng, tiles, results=rng.randint(tiles, 20))
    bench = Bench(config, segments, counts, rng)

    async def testbench(ctx):
        await bench.load(ctx)
        await bench.run(ctx, frames=12, full=full, slow=slow)

    simulate(bench.dut, testbench)


@pytest.mark.parametrize("segments_per_tile", [1])
def test_single_column_tiles_fill_the_segment_memory(simulate, seed, segments_per_tile):
    """As many segments as there are places, not a power of two; every tile is one column."""
    rng = random.Random(seed)
    config = TINY.replace(segment_depth=7)
    segments, counts = random_program(config, rng, 7, 30, 1, segments_per_tile)
    assert len(segments) == config.segment_depth
    bench = Bench(config, segments, counts, rng)

    async def testbench(ctx):
        await bench.load(ctx)
        await bench.run(ctx, frames=8, full=0.2, slow=0.2)

    simulate(bench.dut, testbench)


def test_sequence_numbers_wrap(simulate, seed):
    """A program of the most results that a frame may have wraps the number in eight frames."""
    rng = random.Random(seed)
    segments, counts = random_program(TINY, rng, 3, MAX_RESULTS)
    for segment in segments:
        segment["wait"] = 1
    bench = Bench(TINY, segments, counts, rng)
    frames = 3 * (1 << SEQUENCE_BITS) // MAX_RESULTS

    async def testbench(ctx):
        await bench.load(ctx)
        await bench.run(ctx, frames=frames, full=0.1, slow=0.5)

    simulate(bench.dut, testbench)
    assert bench.written == frames * MAX_RESULTS == 3 << SEQUENCE_BITS
    assert bench.stalled["dependency"] > 0


def straight(length=6, **fields):
    return {"base_even": 3, "base_odd": 50, "length": length, "need": 0, "wait": 0,
            "recurrent": 0, "last": 1, "end": 1, **fields}


def test_a_column_a_cycle_across_segments_tiles_and_frames(simulate, seed):
    """From the frame's take to its last column, one column a cycle; the next frame follows."""
    segments = [straight(3, last=0, end=0), straight(2, end=0), straight(1)]
    bench = Bench(TINY, segments, [2, 2], random.Random(seed))

    async def testbench(ctx):
        await bench.load(ctx)
        for _ in range(31):
            clear = bench.drain_one() if bench.drains else None
            await bench.cycle(ctx, clear=clear)

    simulate(bench.dut, testbench)
    assert bench.issued == [False] + [True] * 30
    assert bench.taken == 6


def test_broadcast_and_bank_free_are_exact(simulate, seed):
    """The twin compares every cycle; here the two constants once in plain numbers. The row that
    drains a bank is issued in the cycle before ``bank_clear``."""
    bench = Bench(TINY, [straight(2)], [1], random.Random(seed))
    assert bench.unit.latency == timing.BROADCAST
    cleared, pushed = 12, []

    async def testbench(ctx):
        await bench.load(ctx)
        for cycle in range(20):
            got = await bench.cycle(ctx, clear=0 if cycle == cleared else None)
            pushed.append(got["push"])

    simulate(bench.dut, testbench)
    issues = [cycle for cycle, issue in enumerate(bench.issued) if issue]
    assert issues == [1, 2, 3, 4, cleared - 1 + timing.BANK_FREE, cleared + timing.BANK_FREE]
    assert [cycle for cycle, push in enumerate(pushed) if push] \
        == [cycle + timing.BROADCAST - 1 for cycle in issues]


def test_run_lowered_in_mid_frame_finishes_it(simulate, seed):
    bench = Bench(TINY, [straight(5)], [4], random.Random(seed))

    async def testbench(ctx):
        await bench.load(ctx)
        for cycle in range(30):
            clear = bench.drain_one() if bench.drains and cycle > 15 else None
            got = await bench.cycle(ctx, run=cycle < 3, clear=clear)
            bench.soon = bench.allowed
            assert got["done"] == (cycle == 0 or cycle > 17)

    simulate(bench.dut, testbench)
    assert sum(bench.issued) == 5
    assert bench.taken == 1
