"""Element-wise unit with its memories: tiles in the sequencer's order, channels in lock-step."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal

from ese_lstm.contract import timing
from ese_lstm.contract.cells import LINEAR, LSTM
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import param_layout
from ese_lstm.hw.elementwise.unit import ElementwiseUnit

TINY = PRESETS["tiny"]
I, F, G, O = range(LSTM.size)
CONFIGS = {
    "tiny": TINY,
    "one-channel": TINY.replace(channels=1),
    "act8": TINY.replace(channels=3, act_bits=8, cell_bits=14, cell_frac=10, cell_depth=9,
                         param_depth=77),
}


class Tiles:
    """Rows with the cycle each is issued in, and the writes that must follow."""

    def __init__(self, config, twin, rng):
        self.config, self.rng, self.twin = config, rng, twin(config)
        top = 1 << (config.acc_bits - 2)
        self.params = [(rng.randrange(-top, top) >> rng.randrange(10),
                        rng.randrange(-(1 << 11), 1 << 11)) for _ in range(config.param_depth)]
        self.state = [[0] * config.channels for _ in range(config.cell_depth)]
        self.now, self.issues, self.cells, self.results = 0, {}, {}, {}

    def row(self, cycle, **sample):
        """Issue a row of random sums."""
        top = 1 << (self.config.acc_bits - 1)
        sums = [self.rng.choice([-top, top - 1, 0, self.rng.randrange(-top, top)])
                >> self.rng.randrange(self.config.acc_bits - 16) for _ in self.state[0]]
        masks = {"active": sum(bit << c for c, bit in enumerate(self.active)),
                 "start": sum(bit << c for c, bit in enumerate(self.start))}
        self.issues[cycle] = ({"valid": 1, "shift": self.shift, **masks, **sample}, sums)
        return sums

    def gate(self, gate, total, param, cell):
        bias, peephole = self.params[param]
        x = self.twin.requantise(total + bias + peephole * cell, self.shift)
        return self.twin.activation("tanh" if gate == G else "sigmoid", x)

    def masks(self, start=None):
        self.active = [self.rng.random() < 0.8 for _ in self.state[0]]
        self.start = [self.rng.random() < 0.3 if start is None else start for _ in self.state[0]]
        self.shift = self.rng.randrange(8, 16)

    def lstm(self, count, start=None):
        """A tile of cells; gate o trails by O_SKEW."""
        config, rng = self.config, self.rng
        self.masks(start)
        cell_base = rng.randrange(config.cell_depth - count + 1)
        param_base = rng.randrange(config.param_depth - LSTM.size * count + 1)
        dest = rng.randrange(config.activation_depth - count)
        for k in range(count):
            first = self.now + LSTM.size * k
            cycles = [first, first + 1, first + 2, first + LSTM.size * timing.O_SKEW + 3]
            sums = [self.row(cycles[gate], kind=LSTM.kind, gate=gate,
                             param=param_base + LSTM.size * k + gate, cell=cell_base + k,
                             dest=dest + k if gate == O else 0,
                             output=rng.randrange(2), last=gate == O and k == count - 1)
                    for gate in range(LSTM.size)]
            previous = [0 if fresh else c for fresh, c in
                        zip(self.start, self.state[cell_base + k], strict=True)]
            new, hidden = [], []
            for c, old in enumerate(previous):
                i, f, g = (self.gate(gate, sums[gate][c], param_base + LSTM.size * k + gate, old)
                           for gate in (I, F, G))
                cell = self.twin.cell(f, old, i, g) if self.active[c] else 0
                o = self.gate(O, sums[O][c], param_base + LSTM.size * k + O, cell)
                new.append(cell)
                hidden.append(self.twin.hidden(o, cell) if self.active[c] else 0)
            self.state[cell_base + k] = new
            self.cells[cycles[G] + timing.DRAIN + timing.CELL] = (cell_base + k, new)
            self.result(cycles[O], dest + k, hidden)
        self.now += LSTM.size * (count + timing.O_SKEW) - 1 + timing.EPILOGUE_GAP

    def linear(self, count):
        """A tile of linear rows, with peepholes that must not count."""
        config, rng = self.config, self.rng
        self.masks()
        param_base = rng.randrange(config.param_depth - count + 1)
        dest = rng.randrange(config.activation_depth - count)
        for k in range(count):
            sums = self.row(self.now + k, kind=LINEAR.kind, gate=rng.randrange(LSTM.size),
                            param=param_base + k, cell=rng.randrange(config.cell_depth),
                            dest=dest + k,
                            output=rng.randrange(2), last=k == count - 1)
            self.result(self.now + k, dest + k, [
                self.twin.requantise(total + self.params[param_base + k][0], self.shift)
                if active else 0 for total, active in zip(sums, self.active, strict=True)])
        self.now += count - 1 + timing.EPILOGUE_GAP

    def result(self, cycle, dest, values):
        sample = self.issues[cycle][0]
        self.results[cycle + timing.DRAIN + timing.RESULT] = (
            dest, values, sample["output"], int(sample["last"]))

    def inputs(self):
        """Params first; then each row's sample a cycle after its issue, its sums after DRAIN."""
        layout = param_layout(self.config)
        rows = [{"load.write": 1, "load.address": address,
                 "load.data": layout.pack({"bias": bias, "peephole": peephole})}
                for address, (bias, peephole) in enumerate(self.params)]
        self.offset = len(rows)
        idle = {"valid": 0, "kind": LSTM.kind, "gate": G, "param": 0, "cell": 0, "dest": 0,
                "output": 1}
        for cycle in range(self.now + timing.VISIBLE + timing.CELL):
            sample = self.issues.get(cycle - 1, (idle, None))[0]
            sums = self.issues.get(cycle - timing.DRAIN, (None, [5] * len(self.state[0])))[1]
            rows.append({"load.write": 0, "sample": sample, "row": sums})
        return rows

    def check(self, seen):
        """Every write in its cycle, no other; returns values compared."""
        cells, results = {}, {}
        for cycle, (cell, result, output, last) in enumerate(seen[self.offset:]):
            if cell.valid:
                cells[cycle] = (cell.address, list(cell["values"]))
            if result.valid:
                results[cycle] = (result.address, list(result["values"]), output, last)
            else:
                assert not output
        assert cells == self.cells
        assert results == self.results
        return self.config.channels * (len(cells) + len(results))


OUTPUTS = ("cell", "result", "output", "last")


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_tiles_match_twin_in_every_cycle(clocked, twin, seed, config):
    """State carried from tile to tile, starting, active and inactive channels; exact latencies."""
    tiles = Tiles(config, twin, random.Random(seed))
    tiles.lstm(config.cell_depth if config.cell_depth < 10 else 9, start=True)
    for _ in range(12):
        tiles.lstm(tiles.rng.choice([1, 2, 7]))
        tiles.linear(tiles.rng.choice([1, 5, 16]))
    unit = ElementwiseUnit(config=config)
    assert unit.latency == timing.RESULT
    assert tiles.check(clocked(unit, tiles.inputs(), OUTPUTS)) > 100 * config.channels
    assert any(any(values) for _, values in tiles.cells.values())


@pytest.mark.parametrize(("early", "fresh"), [(0, True), (1, False)])
def test_o_skew_is_the_least_that_reads_the_new_state(clocked, twin, seed, early, fresh):
    """In the sequencer's order gate o comes 4·O_SKEW + 1 cycles after g: one cycle earlier its
    tanh and peephole would use the state before."""
    tiles = Tiles(TINY.replace(channels=1), twin, random.Random(seed))
    tiles.params = [(0, 1 << 10)] * TINY.param_depth
    tiles.active, tiles.start, tiles.shift = [True], [True], 12
    g = 2
    o = g + LSTM.size * timing.O_SKEW + 1 - early
    assert LSTM.size * (timing.O_SKEW - 1) + 1 < timing.CELL + timing.OPERAND_LEAD + 1
    for cycle, gate in ((0, I), (1, F), (g, G), (o, O)):
        tiles.row(cycle, kind=LSTM.kind, gate=gate, param=gate, cell=3, dest=0, output=0, last=0)
        tiles.issues[cycle][1][0] = 1 << 22
    i, f, new_gate = (tiles.gate(gate, 1 << 22, gate, 0) for gate in (I, F, G))
    state = tiles.twin.cell(f, 0, i, new_gate)
    assert state > 0
    cell = state if fresh else 0
    tiles.now = o + 1
    seen = clocked(ElementwiseUnit(config=tiles.config), tiles.inputs(), OUTPUTS)
    results = [list(result["values"]) for _, result, _, _ in seen if result.valid]
    assert results == [[tiles.twin.hidden(tiles.gate(O, 1 << 22, O, cell), cell)]]


def test_reset_ends_rows_under_way(simulate):
    """A reset of one cycle, at any distance from a row: nothing of it is written afterwards."""
    unit, reset = ElementwiseUnit(config=TINY), Signal()
    written = {True: 0, False: 0}

    async def testbench(ctx):
        for distance in range(timing.VISIBLE + 3):
            for gate in (G, O):
                after = False
                for cycle in range(2 * timing.VISIBLE):
                    ctx.set(unit.sample, {"valid": cycle == 1, "kind": LSTM.kind, "gate": gate,
                                          "output": 1})
                    ctx.set(reset, cycle == distance)
                    _, _, cell, result, output = await ctx.tick().sample(
                        unit.cell.valid, unit.result.valid, unit.output)
                    after |= cycle > distance >= 1
                    written[after] += cell + result + output

    simulate(ResetInserter(reset)(unit), testbench)
    assert written[True] == 0
    assert written[False] > 0


def test_channels_do_not_mix(clocked, twin, seed):
    """The same rows of channel 0 beside other sums, masks and states of channel 1."""
    seen = []
    for other in range(2):
        tiles = Tiles(TINY, twin, random.Random(seed))
        tiles.lstm(5, start=True)
        tiles.linear(5)
        tiles.lstm(5, start=False)
        for sample, sums in tiles.issues.values():
            sample["active"] = 1 | (sample["active"] & 2 if other else 2)
            sums[1] ^= -other
        outputs = clocked(ElementwiseUnit(config=TINY), tiles.inputs(), OUTPUTS)
        seen.append([[(cell["values"][c], result["values"][c]) for cell, result, _, _ in outputs
                      if cell.valid or result.valid] for c in range(2)])
    assert seen[0][0] == seen[1][0] and len(seen[0][0]) > 20
    assert seen[0][1] != seen[1][1]
