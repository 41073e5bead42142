"""Element-wise unit of one channel against its integer twin, cycle by cycle."""

import random

import pytest

from ese_lstm.contract import timing
from ese_lstm.contract.cells import LINEAR, LSTM
from ese_lstm.contract.config import SHIFT_BITS, EngineConfig
from ese_lstm.hw.elementwise import channel
from ese_lstm.hw.elementwise.channel import ElementwiseChannel

CONFIGS = {
    "default": {},
    "act8": {"act_bits": 8, "cell_bits": 12, "cell_frac": 4, "peephole_bits": 8, "acc_bits": 20},
    "act8-fine": {"act_bits": 8, "cell_bits": 14, "cell_frac": 10},
    "act12": {"act_bits": 12, "cell_bits": 20, "cell_frac": 11, "acc_bits": 24},
    "act18": {"act_bits": 18, "cell_bits": 27, "cell_frac": 14, "acc_bits": 48},
    "act18-fine": {"act_bits": 18, "cell_bits": 27, "cell_frac": 23, "acc_bits": 48},
}
OUTPUTS = ("cell_valid", "cell_out", "result_valid", "result")
I, F, G, O = range(LSTM.size)


def signed_range(bits):
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


class Stimulus:
    """Samples cycle by cycle, and what must come out of them in which cycle."""

    def __init__(self, config, twin, rng):
        self.config, self.twin, self.rng = config, twin, rng
        self.rows, self.cells, self.results = [], {}, {}
        self.inactive = 0

    def number(self, bits):
        """A number of up to ``bits`` bits: an extreme, a small or any one."""
        low, high = signed_range(bits)
        kind = self.rng.randrange(4)
        if kind == 0:
            return self.rng.choice([low, high, 0, 1, -1])
        return self.rng.randint(low, high) >> (self.rng.randrange(bits) if kind > 1 else 0)

    def sample(self, **fields):
        """One sample with random operands; the last ``fields`` are given."""
        config = self.config
        return {"valid": 1, "kind": LSTM.kind, "gate": self.rng.randrange(LSTM.size),
                "shift": self.rng.randrange(1 << SHIFT_BITS),
                "acc": self.number(config.acc_bits), "bias": self.number(config.acc_bits),
                "peephole": self.number(config.peephole_bits),
                "cell_in": self.number(config.cell_bits), "active": self.rng.randrange(2), **fields}

    def idle(self, cycles=1):
        for _ in range(cycles):
            self.rows.append(self.sample(valid=0, kind=self.rng.randrange(2)))

    def gate(self, sample):
        """Twin's gate of an LSTM sample."""
        total = sample["acc"] + sample["bias"] + sample["peephole"] * sample["cell_in"]
        x = self.twin.requantise(total, sample["shift"])
        return self.twin.activation("tanh" if sample["gate"] == G else "sigmoid", x)

    def cell(self, active):
        """The four samples of a cell: at its limits, inside its ranges, or anything."""
        config, rng = self.config, self.rng
        previous = self.number(config.cell_bits)
        shift = rng.randrange(config.acc_bits - config.act_bits + 4)
        given = {"active": active, "shift": shift}
        kind = rng.randrange(3)
        if kind == 0:
            previous, sign = rng.choice(
                [(limit, 1 if limit > 0 else 0) for limit in signed_range(config.cell_bits)])
            high = {"acc": signed_range(config.acc_bits)[1], "bias": 0, "peephole": 0, "shift": 0}
            fields = [high, high, {**high, "acc": signed_range(config.acc_bits)[sign]}, {}]
        elif kind == 1:
            previous = rng.randint(-3 << config.cell_frac, 3 << config.cell_frac)
            given["shift"] = shift = rng.randrange(1, config.acc_bits - config.act_bits)
            reach = 1 << (config.act_bits + shift - 2)
            weight = min(signed_range(config.peephole_bits)[1], reach >> (config.cell_frac + 2))
            fields = [{"acc": rng.randint(-reach, reach), "bias": rng.randint(-reach, reach),
                       "peephole": rng.randint(-weight, weight)} for _ in range(LSTM.size)]
        else:
            fields = [{}] * LSTM.size
        samples = [self.sample(**{**given, "gate": gate, "cell_in": previous, **fields[gate]})
                   for gate in (I, F, G)]
        i, f, g = map(self.gate, samples)
        new = self.twin.cell(f, previous, i, g)
        samples.append(self.sample(**{**given, "gate": O, "cell_in": new, **fields[O]}))
        return samples, new, self.twin.hidden(self.gate(samples[O]), new)

    def lstm(self, count, skew, idle):
        """A tile of ``count`` cells in the sequencer's order, o ``skew`` cells behind."""
        tile = []
        for _ in range(count):
            active = self.rng.randrange(4) > 0
            self.inactive += not active
            samples, new, hidden = self.cell(int(active))
            tile.append((samples, new if active else 0, hidden if active else 0))
        for step in range(count + skew):
            for gate in (I, F, G, O):
                if self.rng.random() < idle:
                    self.idle(self.rng.randrange(1, 4))
                number = step - skew if gate == O else step
                if not 0 <= number < count:
                    if self.rng.randrange(2):
                        self.idle()
                    continue
                samples, new, hidden = tile[number]
                if gate == G:
                    self.cells[len(self.rows) + timing.CELL] = new
                if gate == O:
                    self.results[len(self.rows) + timing.RESULT] = hidden
                self.rows.append(samples[gate])

    def linear(self, count, idle):
        """A tile of ``count`` linear rows; peephole, cell and gate are noise."""
        for _ in range(count):
            if self.rng.random() < idle:
                self.idle(self.rng.randrange(1, 4))
            sample = self.sample(kind=LINEAR.kind, active=int(self.rng.randrange(4) > 0))
            if self.rng.randrange(3):
                sample["shift"] = self.rng.randrange(self.config.acc_bits - self.config.act_bits)
            y = self.twin.requantise(sample["acc"] + sample["bias"], sample["shift"])
            self.inactive += not sample["active"]
            self.results[len(self.rows) + timing.RESULT] = y if sample["active"] else 0
            self.rows.append(sample)


def cell_can_saturate(reference):
    """Whether f, i and g at their largest push the largest state over (f is always under 1)."""
    sigmoid, tanh = (reference.activation(name, reference.one - 1) for name in ("sigmoid", "tanh"))
    reference.cell(sigmoid, signed_range(reference.config.cell_bits)[1], sigmoid, tanh)
    return reference.cell_saturations > 0


def check(seen, stimulus):
    """(values compared, mismatches); a valid in a wrong cycle is a mismatch."""
    compared = mismatches = 0
    cells, results = dict(stimulus.cells), dict(stimulus.results)
    for cycle, (cell_valid, cell_out, result_valid, result) in enumerate(seen):
        for valid, value, expected in ((cell_valid, cell_out, cells.pop(cycle, None)),
                                       (result_valid, result, results.pop(cycle, None))):
            compared += expected is not None
            mismatches += valid != (expected is not None) or bool(valid and value != expected)
    assert not cells
    assert not results
    return compared, mismatches


@pytest.mark.parametrize("name", CONFIGS)
def test_cells_and_linear_rows_in_any_pattern(clocked, twin, seed, name):
    rng = random.Random(f"{seed} {name}")
    config = EngineConfig(lanes=1, channels=1, **CONFIGS[name])
    reference = twin(config)
    stimulus = Stimulus(config, reference, rng)
    for idle in (0.0, 0.3, 0.9):
        for skew in (timing.O_SKEW, 1, 0):
            stimulus.lstm(rng.randrange(1, 25), skew, idle)
            stimulus.linear(rng.randrange(1, 25), idle)
        stimulus.lstm(20, timing.O_SKEW, idle)
        stimulus.lstm(20, timing.O_SKEW, idle)
    stimulus.idle(timing.CELL + 1)
    dut = ElementwiseChannel(config=config)
    assert (dut.result_latency, dut.cell_latency) == (timing.RESULT, timing.CELL) == (13, 14)
    compared, mismatches = check(clocked(dut, stimulus.rows, OUTPUTS), stimulus)
    assert mismatches == 0
    assert compared == len(stimulus.cells) + len(stimulus.results) > 300
    assert (reference.cell_saturations > 0) == cell_can_saturate(twin(config))
    assert stimulus.inactive > 0
    assert len(set(stimulus.results.values())) > 50


def test_wrong_rounding_of_the_cell_is_seen(clocked, twin, seed, monkeypatch):
    """The comparison above can fail: truncating instead of rounding shows."""
    monkeypatch.setattr(channel, "round_shift",
                        lambda value, shift: value.as_signed().shift_right(shift))
    config = EngineConfig(lanes=1, channels=1)
    stimulus = Stimulus(config, twin(config), random.Random(seed))
    stimulus.lstm(40, timing.O_SKEW, 0.0)
    stimulus.idle(timing.CELL + 1)
    seen = clocked(ElementwiseChannel(config=config), stimulus.rows, OUTPUTS)
    _, mismatches = check(seen, stimulus)
    assert mismatches > 0


def test_inactive_sample_gives_zero(clocked, twin):
    """Both outputs of a cell whose every operand is at its limit."""
    config = EngineConfig(lanes=1, channels=1)
    reference = twin(config)
    limit = signed_range(config.cell_bits)[1]
    hidden = reference.hidden(reference.activation("sigmoid", (1 << 15) - 1), limit)
    assert hidden > 32700
    limits = {"valid": 1, "kind": LSTM.kind, "shift": 0, "acc": signed_range(config.acc_bits)[1],
              "bias": 0, "peephole": 0, "cell_in": limit}
    for active in (0, 1):
        rows = [{**limits, "gate": gate, "active": active} for gate in (I, F, G, O)]
        rows += [{"valid": 0}] * (timing.CELL + 1)
        seen = clocked(ElementwiseChannel(config=config), rows, OUTPUTS)
        assert seen[G + timing.CELL][:2] == (1, active * limit)
        assert seen[O + timing.RESULT][2:] == (1, active * hidden)
        assert sum(row[0] + row[2] for row in seen) == 2


@pytest.mark.parametrize("gate", [I, G])
def test_a_gate_is_there_gate_cycles_after_its_sample(simulate, gate):
    """Zeros around one large sample: σ and tanh leave their value of 0 for a single cycle."""
    dut = ElementwiseChannel(config=EngineConfig(lanes=1, channels=1))
    module = dut.elaborate(None)
    value, seen, at = module.submodules.gate_activation.y, [], 3

    async def testbench(ctx):
        ctx.set(dut.kind, LSTM.kind)
        ctx.set(dut.gate, gate)
        for cycle in range(2 * timing.GATE):
            ctx.set(dut.acc, (1 << 30) * (cycle == at))
            seen.append((await ctx.tick().sample(value))[2])

    simulate(module, testbench)
    settled = seen[timing.GATE:]
    assert [cycle for cycle, y in enumerate(settled, timing.GATE) if y != settled[-1]] == [
        at + timing.GATE]
