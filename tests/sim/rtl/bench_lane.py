"""cocotb bench of one exported lane: columns in at any rhythm, tiles drained at any rhythm.

Every output of a lane is a register, so the bench samples and drives once a cycle, at the falling
edge: what it then sees is the cycle's state, what it sets acts at the coming rising edge.
"""

import random
from collections import deque

import cocotb

from ese_lstm.contract import timing
from ese_lstm.sim.rtl.bench import PATTERNS, Bench, finish, generator, job
from ese_lstm.sim.rtl.words import from_bytes, to_bytes

LIMIT = 40_000


class Pusher:
    """Issues columns while there is room in the queue and the tile's bank is free."""

    def __init__(self, dut, columns, tile_last, pause, rng) -> None:
        self.dut, self.pause, self.rng = dut, pause, rng
        self.pending = deque(zip(columns, tile_last, strict=True))
        self.way = deque([None] * (timing.BROADCAST - 1))
        self.free = [True, True]
        self.bank, self.first = 0, True
        self.full_cycles = 0

    def drive(self) -> None:
        leaving = self.way.popleft()
        self.dut.push.value = int(leaving is not None)
        column, last = leaving or (self.rng.getrandbits(len(self.dut.column)), 0)
        self.dut.column.value = column
        self.dut.tile_last.value = int(last)
        full = int(self.dut.full.value)
        self.full_cycles += full
        blocked = full or (self.first and not self.free[self.bank])
        issue = bool(self.pending) and not blocked and not next(self.pause)
        self.dut.issue.value = int(issue)
        self.way.append(self.pending.popleft() if issue else None)
        if issue:
            self.free[self.bank] = False
            self.first = bool(self.way[-1][1])
            self.bank ^= self.first


class Drainer:
    """Reads all rows of a finished bank in any order, then clears it."""

    def __init__(self, dut, tiles, rows, pause, rng, pusher) -> None:
        self.dut, self.tiles, self.rows = dut, tiles, rows
        self.pause, self.rng, self.pusher = pause, rng, pusher
        self.read: list[list[int]] = []
        self.bank, self.order = 0, []
        self.addressed: int | None = None
        self.asked: int | None = None

    @property
    def done(self) -> bool:
        return len(self.read) == self.tiles and not self.order \
            and self.addressed is self.asked is None

    def drive(self) -> None:
        words = [int(self.dut.drain_0.value), int(self.dut.drain_1.value)]
        if self.asked is not None:
            self.read[-1][self.asked] = words.pop(self.bank)
        assert not any(words), "a bank that is not selected drains 0"
        self.dut.bank_clear.value = 0
        if self.asked is not None and self.addressed is None and not self.order:
            self.dut.bank_clear.value = 1 << self.bank
            self.pusher.free[self.bank] = True
            self.bank ^= 1
        elif not self.order and self.addressed is None and len(self.read) < self.tiles \
                and int(self.dut.done.value) >> self.bank & 1:
            self.order = self.rng.sample(range(self.rows), self.rows)
            self.read.append([0] * self.rows)
        self.asked, self.addressed = self.addressed, None
        if self.order and not next(self.pause):
            self.addressed = self.order.pop()
        self.dut.drain_select.value = int(self.asked is not None) << self.bank
        self.dut.drain_row.value = (
            self.rng.randrange(self.rows) if self.addressed is None else self.addressed)


@cocotb.test()
async def accumulate(dut) -> None:
    values = job()
    rng = generator(int(values["seed"]))
    push_pause, drain_pause = (PATTERNS[str(values[name])](random.Random(rng.random()))
                               for name in ("push_pause", "drain_pause"))
    bench = Bench(dut)
    await bench.start(issue=0, push=0, tile_last=0, column=0, write=0, write_last=0, address=0,
                      data=0, bank_clear=0, drain_select=0, drain_row=0)
    dut.rst.value = 1
    entries = [int(entry) for entry in values["entries"]]
    for address, entry in enumerate(entries):
        dut.write.value, dut.address.value, dut.data.value = 1, address, entry
        await bench.fall()
    dut.write.value, dut.write_last.value, dut.data.value = 0, 1, len(entries) - 1
    await bench.fall()
    dut.write_last.value = 0
    await bench.fall()
    dut.rst.value = 0

    pusher = Pusher(dut, from_bytes(values["columns"]), values["tile_last"], push_pause, rng)
    drainer = Drainer(dut, int(values["tile_last"].sum()), int(values["rows"]), drain_pause, rng,
                      pusher)
    fired = {"fired_product": 0, "fired_null": 0}
    begin = bench.cycles
    while not drainer.done:
        await bench.fall()
        pusher.drive()
        drainer.drive()
        for name in fired:
            fired[name] += int(getattr(dut, name).value)
        assert bench.cycles - begin < LIMIT, (
            f"stuck: {len(pusher.pending)} columns to go, {len(drainer.read)} tiles drained")
    assert not pusher.pending and not any(pusher.way)
    finish({"drained": to_bytes([word for tile in drainer.read for word in tile],
                                len(dut.drain_0)),
            "cycles": bench.cycles - begin, "full_cycles": pusher.full_cycles, **fired})
