"""Watchdog against a twin that is told every event; exactly when, and never while it must not."""

import random

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.shell.watchdog import Watchdog

CONFIG = PRESETS["tiny"].replace(lanes=3)
NAMES = ("running", "frame_in", "frame_out", "offered", "held", "moved")


class Twin:
    """Cycles in a row in which something should move and does not; reports after the patience."""

    def __init__(self, cycles):
        self.cycles, self.frames, self.still = cycles, 0, 0

    def step(self, row, fired):
        """Whether this cycle is the last of ``cycles`` still ones."""
        quiet = row["running"] and (self.frames or row["offered"]) and not (
            row["held"] or row["moved"] or fired)
        self.still = self.still + 1 if quiet else 0
        expires = bool(self.cycles) and self.still == self.cycles
        if expires:
            self.still = 0
        self.frames = max(0, self.frames + row["frame_in"] - row["frame_out"]) \
            if row["running"] else 0
        return expires


def play(simulate, cycles, rows, steps):
    """Drive ``rows``; products and nulls grow by ``steps``. Cycles in which it expired."""
    dut, expired = Watchdog(config=CONFIG), []
    counts = {"products": 0, "nulls": 0}

    async def drive(ctx):
        ctx.set(dut.cycles, cycles)
        for number, (row, step) in enumerate(zip(rows, steps, strict=True)):
            for name, value in row.items():
                ctx.set(getattr(dut, name), value)
            for name, grown in zip(counts, step, strict=True):
                counts[name] += grown
                ctx.set(dut.counters[name], counts[name])
            if ctx.get(dut.expired):
                expired.append(number)
            await ctx.tick()

    simulate(dut, drive)
    return expired


@pytest.mark.parametrize("cycles", [0, 1, 2, 5, 30])
def test_exactly_after_so_many_still_cycles(simulate, seed, cycles):
    rng = random.Random(seed)
    rows, steps, wanted, twin = [], [], [], Twin(cycles)
    while len(rows) < 3000:
        rate = rng.choice([0.0, 0.02, 0.4])
        running = rng.random() < 0.9
        for _ in range(rng.choice([3, 40, 100])):
            row = {name: int(rng.random() < rate) for name in NAMES} | {"running": int(running)}
            step = (rng.randint(0, 3), rng.randint(0, 3)) if rng.random() < rate else (0, 0)
            if twin.step(row, any(step)):
                wanted.append(len(rows) + Watchdog.latency)
            rows.append(row)
            steps.append(step)
    expired = play(simulate, cycles, rows, steps)
    assert expired == [number for number in wanted if number < len(rows)]
    assert bool(expired) == bool(cycles)


@pytest.mark.parametrize("name", ["held", "moved", "fired", "not running", "no frame"])
def test_quiet_while(simulate, name):
    """One of these in every cycle; without it the same rows expire."""
    idle = dict.fromkeys(NAMES, 0) | {"running": 1}
    begin = idle | {"frame_in": int(name != "no frame")}
    rest = idle | {"held": int(name == "held"), "moved": int(name == "moved"),
                   "running": int(name != "not running")}
    step = (1, 0) if name == "fired" else (0, 0)
    assert play(simulate, 10, [begin, *[rest] * 100], [step] * 101) == []
    expected = [10 * k + Watchdog.latency for k in range(1, 10)]
    assert play(simulate, 10, [idle | {"frame_in": 1}, *[idle] * 100], [(0, 0)] * 101) == expected
