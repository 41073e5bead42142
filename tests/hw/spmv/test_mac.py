"""Multipliers of a group of channels against loops over integers, control changing every cycle."""

import random

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.spmv.mac import GROUP, MacGroup, group_sizes

TINY = PRESETS["tiny"]
CONFIGS = {
    "tiny": (TINY, 2),
    "depth-1": (TINY.replace(queue_depth=1), 1),
    "rows-12": (TINY.replace(acc_rows=12, queue_depth=5), 3),
    "wraps": (TINY.replace(acc_rows=4, acc_bits=28), 2),
    "group": (TINY.replace(channels=GROUP, weight_bits=18, act_bits=18, acc_bits=48), GROUP),
}


def limits(bits):
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def number(rng, bits):
    return rng.choice([*limits(bits), 0, 1, -1, rng.randint(*limits(bits))])


def stimulus(config, channels, rng, cycles):
    """Every control random in every cycle, within what a lane does: the accumulated row is the
    row read from the bank it is written to."""
    rows = []
    for cycle in range(cycles):
        bank = rng.randrange(2)
        write = rng.choice([0, 1 << bank])
        row = rng.randrange(config.acc_rows)
        read = [rng.randrange(config.acc_rows) for _ in range(2)]
        if write:
            read[bank] = row
        rows.append({
            "push": rng.randrange(2) if cycle else 1, "push_slot": rng.randrange(
                config.queue_depth), "pop_slot": rng.randrange(config.queue_depth),
            "column": [number(rng, config.act_bits) for _ in range(channels)],
            "weight": number(rng, config.weight_bits), "row": row, "write": write, "bank": bank,
            "fresh": rng.randrange(8) == 0, "read_row_0": read[0], "read_row_1": read[1],
            "drain_select": rng.randrange(4)})
    return rows


def expected(config, channels, rows):
    """The drained rows (bank 0, bank 1) of each cycle."""
    queue = [[0] * channels for _ in range(config.queue_depth)]
    banks = [[[0] * channels for _ in range(config.acc_rows)] for _ in range(2)]
    products = [[0] * channels] * MacGroup.latency
    drained, out = [], [[0] * channels] * 2
    half = 1 << (config.acc_bits - 1)
    for row in rows:
        drained.append(out)
        products.append([row["weight"] * value for value in queue[row["pop_slot"]]])
        out = [list(banks[bank][row[f"read_row_{bank}"]]) if row["drain_select"] >> bank & 1
               else [0] * channels for bank in range(2)]
        now = products.pop(0)
        if row["write"]:
            held = banks[row["bank"]][row["row"]]
            banks[row["bank"]][row["row"]] = [
                (product + (0 if row["fresh"] else value) + half) % (2 * half) - half
                for product, value in zip(now, held, strict=True)]
        if row["push"]:
            queue[row["push_slot"]] = row["column"]
    return drained


def drain(clocked, config, channels, rows):
    seen = clocked(MacGroup(config=config, channels=channels), rows, ["drain_0", "drain_1"])
    return [[list(bank) for bank in banks] for banks in seen]


@pytest.mark.parametrize(("config", "channels"), CONFIGS.values(), ids=CONFIGS)
def test_matches_loops(clocked, seed, config, channels):
    rows = stimulus(config, channels, random.Random(seed), 1500)
    seen = drain(clocked, config, channels, rows)
    assert seen == expected(config, channels, rows)
    assert all(sum(any(banks[bank]) for banks in seen) > 100 for bank in range(2))


def test_latency_is_exact(clocked):
    """Pushed in cycle 0, fired in 1, accumulated in 3, drained from 4 on, seen in 5."""
    assert MacGroup.latency == 2
    fire, accumulate = 1, 1 + MacGroup.latency
    rows = [{"push": 1, "column": [7], "weight": 0, "write": 0, "fresh": 0, "drain_select": 1}]
    rows += [{"push": 0, "weight": 5 * (cycle == fire), "write": cycle == accumulate,
              "fresh": cycle == accumulate} for cycle in range(1, 8)]
    seen = drain(clocked, TINY.replace(channels=1), 1, rows)
    assert [bank_0 for bank_0, _ in seen] == [[0]] * (accumulate + 2) + [[35]] * (6 - accumulate)
    assert not any(any(bank_1) for _, bank_1 in seen)


def test_channels_do_not_mix(clocked, seed):
    rng = random.Random(seed)
    rows = stimulus(TINY, 3, rng, 400)
    others = [{**row, "column": [row["column"][0], number(rng, 16), number(rng, 16)]}
              for row in rows]
    first, second = drain(clocked, TINY, 3, rows), drain(clocked, TINY, 3, others)
    for bank in range(2):
        assert [row[bank][0] for row in first] == [row[bank][0] for row in second]
        assert [row[bank][1:] for row in first] != [row[bank][1:] for row in second]


@pytest.mark.parametrize(("channels", "sizes"), [
    (1, [1]), (8, [8]), (9, [8, 1]), (32, [8, 8, 8, 8])])
def test_groups_hold_every_channel(channels, sizes):
    assert group_sizes(channels) == sizes
