"""Entry decoder: every code of absolute entries, every gap of relative ones."""

import random

import pytest
from amaranth.sim import Simulator

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import entry_layout
from ese_lstm.hw.spmv.decoder import EntryDecoder

TINY = PRESETS["tiny"]
OUTPUTS = ("weight", "row", "last", "empty")


@pytest.mark.parametrize("acc_rows", [4, 12, 32])
def test_every_absolute_code(acc_rows):
    """Combinational: there is no clock."""
    config = TINY.replace(weight_bits=4, acc_rows=acc_rows)
    layout, dut = entry_layout(config), EntryDecoder(config=config)
    seen = []

    async def testbench(ctx):
        for word in range(1 << config.entry_bits):
            ctx.set(dut.entry, word)
            ctx.set(dut.take, word & 1)
            seen.append(tuple(ctx.get(getattr(dut, name)) for name in OUTPUTS))

    simulator = Simulator(dut)
    simulator.add_testbench(testbench)
    simulator.run()
    fields = [layout.unpack(word) for word in range(1 << config.entry_bits)]
    assert seen == [(field["weight"], field["index"], field["last"], field["weight"] == 0)
                    for field in fields]
    assert len(seen) == 1 << (4 + config.row_bits + 1)


def relative(layout, rows, rng):
    """(word, weight, row, last) of a column of ``rows``, gaps over 15 bridged; [] is a null."""
    entries, before = [], -1
    for row in rows:
        while row - before > 16:
            before += 16
            entries.append((0, 15, before))
        top = 1 << (layout.field("weight").bits - 1)
        entries.append((rng.choice([-top, top - 1, -1, 1]), row - before - 1, row))
        before = row
    entries = entries or [(0, 0, 0)]
    ends = [0] * (len(entries) - 1) + [1]
    return [(layout.pack({"weight": weight, "index": index, "last": last}), weight, row, last)
            for (weight, index, row), last in zip(entries, ends, strict=True)]


@pytest.mark.parametrize("acc_rows", [4, 12, 16, 32, 64])
def test_relative_rows_with_fillers_and_nulls(clocked, seed, acc_rows):
    """Columns of none, one, some and all rows, the same entry standing for several cycles."""
    rng = random.Random(seed)
    config = TINY.replace(index_mode="relative4", acc_rows=acc_rows)
    layout = entry_layout(config)
    columns = [[], list(range(acc_rows)), [acc_rows - 1], [0], [0, acc_rows - 1], []]
    columns += [[row] for row in range(acc_rows)]
    columns += [sorted(rng.sample(range(acc_rows), rng.randrange(acc_rows // 2)))
                for _ in range(40)]
    inputs, expected = [], []
    for column in columns:
        for word, weight, row, last in relative(layout, column, rng):
            waits = rng.choice([0, 0, 1, 3])
            inputs += [{"entry": word, "take": 0}] * waits + [{"entry": word, "take": 1}]
            expected += [(weight, row, last, weight == 0)] * (waits + 1)
    seen = clocked(EntryDecoder(config=config), inputs, OUTPUTS)
    assert seen == expected
    assert len(seen) > 60
    fillers = sum(empty and not last for _, _, last, empty in seen)
    assert (fillers > 0) == (acc_rows > 16)
