"""Epilogue sequencer against a twin that lays each tile's rows out as a plain list of cycles."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal

from ese_lstm.contract import timing
from ese_lstm.contract.cells import CELL_TYPES, LINEAR, LSTM
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import epilogue_layout, lane_of
from ese_lstm.hw.elementwise.epilogue import EpilogueSequencer

TINY = PRESETS["tiny"]
LIMIT = 20_000
CONFIGS = {
    "tiny": TINY,
    "one-lane-one-channel": TINY.replace(lanes=1, channels=1),
    "three-lanes-12-rows": TINY.replace(lanes=3, acc_rows=12, epilogue_depth=5),
    "one-slot": TINY.replace(lanes=5, acc_rows=4),
}
SAMPLE = ("kind", "gate", "shift", "param", "active", "start")


def random_tile(config, rng, **fields):
    cell = rng.choice(CELL_TYPES)
    most = config.units_per_tile(cell)
    return {"kind": cell.kind, "count": rng.choice([1, most, rng.randint(1, most)]),
            "shift": rng.randrange(64), "dest_even": rng.randrange(config.activation_depth),
            "dest_odd": rng.randrange(config.activation_depth),
            "cell_base": rng.randrange(config.cell_depth),
            "param_base": rng.randrange(config.param_depth), "output": rng.randrange(2),
            "output_last": rng.randrange(2), "end": 0, **fields}


def slots(tile):
    """What the tile does in each of its cycles: (unit, gate), None for a bubble."""
    if not tile["kind"]:
        return [(unit, 0) for unit in range(tile["count"])]
    cycles = []
    for step in range(tile["count"] + timing.O_SKEW):
        cycles += [(step, gate) if step < tile["count"] else None for gate in range(LSTM.size - 1)]
        cycles.append((step - timing.O_SKEW, LSTM.size - 1) if step >= timing.O_SKEW else None)
    return cycles


class Bench:
    """A sequencer beside its twin, compared in every cycle."""

    def __init__(self, config, tiles):
        self.config, self.tiles = config, tiles
        self.unit, self.hold = EpilogueSequencer(config=config), Signal(init=1)
        self.dut = ResetInserter(self.hold)(self.unit)
        self.number, self.frame, self.bank = 0, 0, 0
        self.done = [False, False]
        self.cycles, self.tile, self.results = [], None, 0
        self.row = self.clear = None
        self.issues, self.finished, self.rows = [], 0, 0

    async def load(self, ctx):
        layout = epilogue_layout(self.config)
        for address, tile in enumerate(self.tiles):
            ctx.set(self.unit.load.write, 1)
            ctx.set(self.unit.load.address, address)
            ctx.set(self.unit.load.data, layout.pack(tile))
            await ctx.tick()
        ctx.set(self.unit.load.write, 0)
        ctx.set(self.hold, 0)

    def fields(self, unit, gate):
        """Select, row, bank and sample of one issued row."""
        tile, config = self.tile, self.config
        lstm = tile["kind"] == LSTM.kind
        cell = CELL_TYPES[tile["kind"]]
        slot = unit // config.lanes
        result = not lstm or gate == LSTM.size - 1
        wrap = 1 << config.param_address_bits
        sample = {"kind": tile["kind"], "gate": gate, "shift": tile["shift"],
                  "param": (tile["param_base"] + cell.size * unit + gate * lstm) % wrap,
                  "active": self.masks[0], "start": self.masks[1]}
        if not lstm:
            del sample["gate"]
        else:
            sample["cell"] = (tile["cell_base"] + unit) % (1 << config.cell_address_bits)
        if result:
            base = tile["dest_odd" if self.parity else "dest_even"]
            sample["dest"] = (base + unit) % (1 << config.activation_address_bits)
            sample["output"] = tile["output"]
            sample["last"] = tile["output_last"] & (unit == tile["count"] - 1)
        lane = 1 << lane_of(unit, config.lanes)
        return {"select_0": 0 if self.bank else lane, "select_1": lane if self.bank else 0,
                "row": cell.size * slot + gate * lstm, "sample": sample}

    async def cycle(self, ctx, room, masks):
        """One cycle; ``masks`` = active_even, start_even, active_odd, start_odd."""
        unit = self.unit
        ctx.set(unit.drain.done, self.done[0] | self.done[1] << 1)
        ctx.set(unit.room, room)
        for name, mask in zip(("active_even", "start_even", "active_odd", "start_odd"), masks,
                              strict=True):
            ctx.set(getattr(unit.masks, name), mask)
        row, clear, self.row, self.clear = self.row, self.clear, None, None
        issued = stalled = False
        begin = self.tile is None and self.done[self.bank]
        if self.tile:
            step = self.cycles[0]
            result = step is not None and (not self.tile["kind"] or step[1] == LSTM.size - 1)
            stalled = bool(result and self.tile["output"] and not room)
            if not stalled:
                self.cycles.pop(0)
                issued = bool(result and self.tile["output"])
                self.row = None if step is None else self.fields(*step)
                self.results += result
            if not self.cycles:
                self.clear, self.tile = self.bank, None
                self.bank ^= 1
                self.finished += 1
        self.issues.append(self.row is not None)
        addressed = None if self.row is None else self.row.pop("row")
        drain = {name: getattr(unit.drain, name)
                 for name in ("select_0", "select_1", "row", "bank_clear")}
        outputs = drain | {name: getattr(unit, name)
                           for name in ("sample", "output_issued", "stall_output")}
        sampled = await ctx.tick().sample(*outputs.values())
        got = dict(zip(outputs, sampled[2:], strict=True))
        assert got["output_issued"] == issued and got["stall_output"] == stalled
        assert got["bank_clear"] == (0 if clear is None else 1 << clear)
        assert got["sample"]["valid"] == (row is not None)
        assert addressed in (None, got["row"])
        if row is None:
            assert got["select_0"] == got["select_1"] == 0
        else:
            sample = row.pop("sample")
            assert {name: got[name] for name in row} == row
            assert {name: got["sample"][name] for name in sample} == sample
            self.rows += 1
        if begin:
            self.tile = self.tiles[self.number]
            self.cycles, self.parity = slots(self.tile), self.frame % 2
            self.masks = masks[2:] if self.parity else masks[:2]
            self.frame += self.tile["end"]
            self.number = 0 if self.tile["end"] else self.number + 1
        if clear is not None:
            self.done[clear] = False
        return clear


@pytest.mark.parametrize(("late", "full"), [(0.0, 0.0), (0.9, 0.0), (0.3, 0.7)])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_cycle_matches_twin(simulate, seed, config, late, full):
    """Both kinds of tiles, whole, partial and of one unit, over several frames."""
    rng = random.Random(seed)
    tiles = [random_tile(config, rng) for _ in range(config.epilogue_depth if
                                                     config.epilogue_depth < 8 else 4)]
    tiles[0] |= {"kind": LSTM.kind, "count": config.cells_per_tile, "output": 1}
    tiles[1] |= {"kind": LINEAR.kind, "count": config.rows_per_tile, "output": 1}
    tiles[2]["count"] = 1
    tiles[-1]["end"] = 1
    bench, frames, every = Bench(config, tiles), 3, (1 << config.channels) - 1

    async def testbench(ctx):
        await bench.load(ctx)
        banks, left = 0, frames * len(tiles)
        for _ in range(LIMIT):
            if left and not bench.done[banks] and bench.clear is None and rng.random() >= late:
                bench.done[banks] = True
                banks ^= 1
                left -= 1
            await bench.cycle(ctx, rng.random() >= full,
                              [rng.randint(0, every) for _ in range(4)])
            if bench.finished == frames * len(tiles) and bench.row is bench.clear is None:
                break

    simulate(bench.dut, testbench)
    assert bench.finished == frames * len(tiles) and bench.frame == frames
    assert bench.rows == frames * sum(tile["count"] * CELL_TYPES[tile["kind"]].size
                                      for tile in tiles)
    assert bench.results == frames * sum(tile["count"] for tile in tiles)


@pytest.mark.parametrize("lstm", [0, 1])
def test_start_gap_and_bank_free_are_exact(simulate, seed, lstm):
    """Two tiles done at once: the first row, the gap between them, and when a bank is free."""
    rng = random.Random(seed)
    tile = random_tile(TINY, rng, kind=(LSTM if lstm else LINEAR).kind, count=1, output=0, end=1)
    bench, done, cleared = Bench(TINY, [tile]), 4, []
    assert bench.unit.latency == timing.EPILOGUE_START

    async def testbench(ctx):
        await bench.load(ctx)
        for cycle in range(60):
            if cycle == done:
                bench.done = [True, True]
            if await bench.cycle(ctx, True, [0] * 4) is not None:
                cleared.append(cycle)

    simulate(bench.dut, testbench)
    issued = [cycle for cycle, issue in enumerate(bench.issues) if issue]
    length = LSTM.size * (1 + timing.O_SKEW) if lstm else 1
    first = done + timing.EPILOGUE_START
    second = first + length - 1 + timing.EPILOGUE_GAP
    last = [LSTM.size * timing.O_SKEW + LSTM.size - 1] if lstm else []
    offsets = [0, 1, 2, *last] if lstm else [0]
    assert issued == [start + offset for start in (first, second) for offset in offsets]
    ends = [first + length - 1, second + length - 1]
    # The broadcaster issues into the bank in the cycle after bank_clear (test_broadcaster).
    assert [cycle + 1 for cycle in cleared] == [end + timing.BANK_FREE for end in ends]


def test_a_cell_takes_issues_per_cell(simulate, seed):
    """As many rows a cell, and as many cycles from one cell to the next."""
    cells = 2 * timing.O_SKEW + 1
    config = TINY.replace(acc_rows=LSTM.size * 8)
    tile = random_tile(config, random.Random(seed), kind=LSTM.kind, count=cells, output=0, end=1)
    bench, firsts, rows = Bench(config, [tile]), [], 0

    async def testbench(ctx):
        nonlocal rows
        await bench.load(ctx)
        ctx.set(bench.unit.drain.done, 1)
        for cycle in range(timing.ISSUES_PER_CELL * (cells + timing.O_SKEW) + 8):
            _, _, sample = await ctx.tick().sample(bench.unit.sample)
            rows += sample.valid
            firsts.extend([cycle] * (sample.valid and sample.gate == 0))

    simulate(bench.dut, testbench)
    assert rows == timing.ISSUES_PER_CELL * cells
    assert firsts == [firsts[0] + timing.ISSUES_PER_CELL * k for k in range(cells)]


def test_a_full_output_stops_everything_and_nothing_is_lost(simulate, seed):
    """No room for a hundred cycles in the middle of a tile."""
    rng = random.Random(seed)
    tile = random_tile(TINY, rng, kind=LSTM.kind, count=TINY.cells_per_tile, output=1, end=1)
    bench = Bench(TINY, [tile])

    async def testbench(ctx):
        await bench.load(ctx)
        bench.done[0] = True
        for cycle in range(180):
            await bench.cycle(ctx, not 25 <= cycle < 125, [1] * 4)

    simulate(bench.dut, testbench)
    assert bench.finished == 1 and bench.results == TINY.cells_per_tile
    assert not any(bench.issues[30:125]) and any(bench.issues[125:])
