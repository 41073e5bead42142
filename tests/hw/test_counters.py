"""Performance counters against sums over the events of every cycle."""

import random

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.counters import COUNTER_BITS, COUNTERS, Counters

TINY = PRESETS["tiny"]
STALLS = ("input", "bank", "dependency", "queue")


def event(rng, lanes, **fields):
    product = rng.getrandbits(lanes)
    stall = rng.choice([*STALLS, None])
    return {"clear": 0, "running": 1, "events.frame": rng.randrange(2),
            "events.fired_product": product,
            "events.fired_null": rng.getrandbits(lanes) & ~product,
            "events.stall": {name: name == stall for name in STALLS},
            "stall_output": rng.randrange(2), **fields}


def counted(events, lanes):
    """Sums over the cycles while running."""
    running = [row for row in events if row["running"]]
    products = sum(row["events.fired_product"].bit_count() for row in running)
    nulls = sum(row["events.fired_null"].bit_count() for row in running)
    totals = {"cycles": len(running), "products": products, "nulls": nulls,
              "starved": lanes * len(running) - products - nulls}
    for total, name in (("frames", "events.frame"), ("stall_output", "stall_output")):
        totals[total] = sum(row[name] for row in running)
    for name in STALLS:
        totals[f"stall_{name}"] = sum(row["events.stall"][name] for row in running)
    return totals


def values(row):
    return {name: row[0][name] for name in COUNTERS}


@pytest.mark.parametrize("lanes", [1, 2, 3, 32, 128])
def test_counts_every_event_while_running(clocked, seed, lanes):
    """Running starts, stops, starts again; values hold while stopped, until cleared."""
    rng = random.Random(seed)
    dut = Counters(config=TINY.replace(lanes=lanes))
    everything = event(rng, lanes, **{"events.fired_product": (1 << lanes) - 1,
                                      "events.fired_null": 0})
    first = [everything, *(event(rng, lanes) for _ in range(40))]
    stopped = [event(rng, lanes, running=0) for _ in range(6)]
    clear = [event(rng, lanes, running=0, clear=1)]
    second = [event(rng, lanes) for _ in range(25)]
    rows = first + stopped + clear + second + stopped
    seen = [values(row) for row in clocked(dut, rows, ["values"])]
    assert dut.latency == 2
    for cycle in range(len(first) + len(stopped) + 1):
        assert seen[cycle] == counted(rows[:max(0, cycle - dut.latency + 1)], lanes), cycle
    again = len(first) + len(stopped) + len(clear)
    for cycle in range(again, len(rows)):
        assert seen[cycle] == counted(rows[again:max(again, cycle - dut.latency + 1)], lanes)
    assert seen[-1] == counted(second, lanes)
    assert seen[-1]["cycles"] == 25 and set(seen[-1]) == set(COUNTERS)


def test_clear_and_start_in_neighbouring_cycles(clocked, seed):
    """The engine clears in the cycle before running rises; the last run's tail must not count."""
    rng = random.Random(seed)
    rows = [event(rng, 2) for _ in range(5)] + [event(rng, 2, running=0, clear=1)] \
        + [event(rng, 2) for _ in range(5)] + [event(rng, 2, running=0)] * 3
    seen = clocked(Counters(config=TINY), rows, ["values"])
    assert values(seen[-1]) == counted(rows[6:11], 2)


def test_counters_outlast_a_day(clocked):
    assert (1 << COUNTER_BITS) / 200e6 > 10 * 86_400
