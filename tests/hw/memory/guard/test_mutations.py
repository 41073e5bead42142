"""The guard's tests can fail: with any one of its lines broken, the same ordeal is not survived."""

import random
import types
from pathlib import Path

import pytest

from ese_lstm.contract.shell import ShellConfig
from ese_lstm.hw.memory import guard

SHELL = ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=16,
                    outstanding=4, result_depth=16)
SOURCE = Path(guard.__file__).read_text()
MUTATIONS = {
    "a reset does not close it": ("m.d.sync += [opened.eq(0), isolated.eq(0)]",
                                  "m.d.sync += isolated.eq(0)"),
    "it opens too early": ("opened.eq(~self.busy)", "opened.eq(1)"),
    "its registers are reset": ("opened, isolated = Signal(init=1, reset_less=True)",
                                "opened, isolated = Signal(init=0, reset_less=True)"),
    "a timeout does not isolate": ("isolated.eq(self.timed_out)]\n        with m.Elif",
                                   "isolated.eq(0)]\n        with m.Elif"),
    "isolation ends by itself": ("isolated.eq(~self.resume |", "isolated.eq(0 & ~self.resume |"),
    "isolation ends while the inside waits": ("~self.resume | reads.owed | writes.owed",
                                              "~self.resume"),
    "reads are not counted": ("reads.eq(reads + (take & opened) - ends)", "reads.eq(0)"),
    "reads wrap": ("ends.eq(self.r.valid & self.r.ready & due\n                                  "
                   "         & self.r.payload.last)",
                   "ends.eq(self.r.valid & self.r.ready & self.r.payload.last)"),
    "late reads go inside": ("inside.valid.eq(opened & due & self.r.valid)",
                             "inside.valid.eq(due & self.r.valid)"),
    "late reads are held": ("self.r.ready.eq(~opened | ~due | inside.ready)",
                            "self.r.ready.eq(inside.ready)"),
    "AR changes while it waits": ("(~valid | self.ar.ready) & (reads != limit)",
                                  "(reads != limit)"),
    "AR goes out in isolation": (
        "with m.If(take & opened):\n            m.d.sync += [valid.eq(1), request",
        "with m.If(take):\n            m.d.sync += [valid.eq(1), request"),
    "reads of before are owed after a reset": ("m.d.sync += owed.eq(0)", "pass"),
    "reads end without an error": ("inside.payload.resp.eq(SLVERR)]", "inside.payload.resp.eq(0)]"),
    "AW changes while it waits": ("(~asked | self.aw.ready) & (writes != UNANSWERED)",
                                  "(writes != UNANSWERED)"),
    "W changes while it waits": ("room.eq(~valid | self.w.ready)", "room.eq(1)"),
    "a begun burst is left": ("load.eq(Mux(opened, data, left.any() & room))", "load.eq(data)"),
    "WLAST a beat early": ("length == 0, left == 1", "length == 0, left == 2"),
    "WLAST of a burst of one beat": ("length == 0, left == 1", "0, left == 1"),
    "strobes stay": ("beat.strobe.eq(Mux(opened, self.inside_w.payload.strobe, 0))",
                     "beat.strobe.eq(self.inside_w.payload.strobe | 1)"),
    "a request in the cycle of the reset": ("self.inside_aw.ready.eq(~self.reset & ",
                                            "self.inside_aw.ready.eq("),
    "writes are not counted": ("writes.eq(writes + (take & opened) - ends)", "writes.eq(0)"),
    "writes wrap": ("ends.eq(self.b.valid & self.b.ready & due),", "ends.eq(self.b.valid),"),
    "late answers go inside": ("opened & due & self.b.valid)", "due & self.b.valid)"),
    "an answer before its data": ("owed.any() & ~going,", "owed.any(),"),
    "writes of before are owed after a reset": ("m.d.sync += [owed.eq(0), going.eq(0)]",
                                                "m.d.sync += going.eq(0)"),
}


async def ordeal(world, ctx):
    """Resets, silence, strays; each time all that is asked for afterwards must be answered."""
    dut, inside, memory, rng = world.dut, world.inside, world.memory, world.memory.rng
    assert ctx.get(dut.open), "at power-up"
    ctx.set(dut.timeout, 60)
    world.limit = 300
    for round_ in range(8):
        inside.wants, memory.stray = True, 0.0
        for _ in range(rng.choice([3, 20, 60])):
            await world.cycle(ctx)
        if round_ % 3 == 1:
            memory.silent = True
            await world.until(ctx, lambda: ctx.get(dut.isolated))
            refused = sum(inside.refused.values())
            await world.until(
                ctx, lambda r=refused: sum(inside.refused.values()) > r + 4)
            memory.silent = False
            if rng.random() < 0.5:
                inside.wants = False
                await world.until(ctx, lambda: inside.idle and memory.idle)
                for _ in range(3):
                    await world.cycle(ctx)
                    assert ctx.get(dut.isolated), "until it is told"
            ctx.set(dut.resume, 1)
            await world.cycle(ctx)
            inside.wants = False
            await world.until(ctx, lambda: not ctx.get(dut.isolated))
            ctx.set(dut.resume, 0)
            await world.until(ctx, lambda: inside.idle)
            inside.wants = True
        elif round_ % 3 == 2:
            inside.wants, memory.stray = False, 0.5
            for _ in range(60):
                await world.cycle(ctx)
            inside.wants, memory.stray = True, 0.0
        for _ in range(rng.choice([1, 1, 4])):
            await world.cycle(ctx, reset=True)
        done = dict(inside.done)
        await world.until(ctx, lambda d=done: all(inside.done[k] > d[k] + 2 for k in d))
    await world.settle(ctx)
    for _ in range(3):
        await world.cycle(ctx)
    assert ctx.get(dut.open) and not ctx.get(dut.busy)
    world.check()


def play(simulate, world):
    async def drive(ctx):
        await ordeal(world, ctx)

    simulate(world.dut, drive)


def mutated(old, new):
    assert SOURCE.count(old) == 1, old
    module = types.ModuleType(guard.__name__)
    module.__package__ = guard.__package__
    exec(compile(SOURCE.replace(old, new), guard.__file__, "exec"), vars(module))  # noqa: S102
    return module.Guard


@pytest.mark.parametrize("number", range(3))
def test_the_guard_survives_the_ordeal(make_world, simulate, number) -> None:
    dut = guard.Guard(shell=SHELL)
    play(simulate, make_world(dut, random.Random(number), delay=12))


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_line_does_not(make_world, simulate, name) -> None:
    kind = mutated(*MUTATIONS[name])

    def survives(number):
        dut = kind(shell=SHELL)
        try:
            play(simulate, make_world(dut, random.Random(number), delay=12))
        except (AssertionError, IndexError, AttributeError):
            return False
        return True

    assert not all(survives(number) for number in range(3))
