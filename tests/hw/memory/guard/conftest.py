"""Both sides of the guard, cycle by cycle: masters that may be reset, and a memory that goes on.

The checks are AXI4's own and know nothing of how the guard works.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest

SLVERR = 2


@dataclass
class Burst:
    """A burst of the inside. epoch: resets of the inside before it. sent: beats of W (data,
    strobe) that the guard took from the inside. out: taken while the guard was open."""

    number: int
    beats: int
    epoch: int
    sent: list[tuple[int, int]] = field(default_factory=list)
    got: int = 0
    out: bool = False


@dataclass
class Answer:
    """A burst at the memory. due: cycle of its next beat, or of its answer, at the earliest."""

    number: int
    left: int
    due: int
    beats: list[tuple[int, int]] = field(default_factory=list)


class Memory:
    """The outside. pace: probability that a channel moves; silent: nothing moves. stray:
    probability of a beat that nobody asked for, while nothing is asked for."""

    def __init__(self, rng: random.Random, pace: float, delay: int) -> None:
        self.rng, self.pace, self.delay = rng, pace, delay
        self.silent, self.stray = False, 0.0
        self.now = 0
        self.reads: deque[Answer] = deque()
        self.addressed: deque[Answer] = deque()
        self.answers: deque[Answer] = deque()
        self.data: list[list[tuple[int, int]]] = [[]]
        self.offers: dict[str, Answer | None] = {"r": None, "b": None}
        self.held: dict[str, Any] = {}
        self.written: dict[int, list[tuple[int, int]]] = {}
        self.asked: list[int] = []
        self.ready = dict.fromkeys(("ar", "aw", "w"), False)
        self.strays = 0

    def moves(self) -> bool:
        return not self.silent and self.rng.random() < self.pace

    def forget(self) -> None:
        """The memory's own reset."""
        for queue in (self.reads, self.addressed, self.answers, self.held):
            queue.clear()
        self.data, self.offers = [[]], {"r": None, "b": None}

    def drive(self, ctx: Any, dut: Any) -> None:
        for name in self.ready:
            self.ready[name] = self.moves()
            ctx.set(getattr(dut, name).ready, self.ready[name])
        for name, queue in (("r", self.reads), ("b", self.answers)):
            port, now = getattr(dut, name), self.offers[name]
            if now is None and self.moves():
                asked = self.reads if name == "r" else [*self.addressed, *self.answers]
                if queue and queue[0].due <= self.now:
                    now = queue[0]
                elif not asked and (name == "r" or len(self.data) == 1) \
                        and self.rng.random() < self.stray:
                    now = Answer(0, 1, 0)
                self.offers[name] = now
            ctx.set(port.valid, now is not None)
            noise = {"data": self.rng.getrandbits(16), "resp": 0, "last": self.rng.randrange(2)}
            if name == "r":
                ctx.set(port.payload, noise if now is None else {
                    "data": now.number << 16 | now.left, "resp": 0, "last": now.left == 1})

    def sample(self, ctx: Any, dut: Any) -> None:
        """What moves at the end of this cycle; offers stay as they are until they are taken."""
        for name, ready in self.ready.items():
            port = getattr(dut, name)
            valid, payload = ctx.get(port.valid), ctx.get(port.payload)
            assert name not in self.held or (valid and payload == self.held[name]), name
            self.held.pop(name, None)
            if not valid:
                continue
            if not ready:
                self.held[name] = payload
            elif name == "w":
                self.data[-1].append((payload.data, payload.strobe))
                assert len(self.data[-1]) <= 256
                if payload.last:
                    self.data.append([])
            else:
                self.asked.append(payload.address)
                burst = Answer(payload.address, payload.length + 1,
                               self.now + self.rng.randint(1, self.delay))
                (self.reads if name == "ar" else self.addressed).append(burst)
        while self.addressed and len(self.data) > 1:
            burst, beats = self.addressed.popleft(), self.data.pop(0)
            assert len(beats) == burst.left, "WLAST must be with the last beat of the burst"
            self.written[burst.number] = beats
            burst.due = self.now + self.rng.randint(1, self.delay)
            self.answers.append(burst)
        self._answered(ctx, dut)
        self.now += 1

    def _answered(self, ctx: Any, dut: Any) -> None:
        strays = 0
        for name, queue in (("r", self.reads), ("b", self.answers)):
            offer = self.offers[name]
            if offer is None:
                continue
            strays += not offer.number
            assert offer.number or ctx.get(getattr(dut, name).ready), "a stray beat is swallowed"
            assert offer.number or not ctx.get(getattr(dut, f"inside_{name}").valid) \
                or ctx.get(dut.isolated)
            if ctx.get(getattr(dut, name).ready):
                self.offers[name] = None
                offer.left -= 1
                if offer.number and (name == "b" or not offer.left):
                    queue.popleft()
        assert ctx.get(dut.stray) == bool(strays)
        self.strays += bool(strays)

    @property
    def idle(self) -> bool:
        """Nothing is asked for, given or answered."""
        return not (self.reads or self.addressed or self.answers or self.held
                    or len(self.data) > 1 or self.data[0] or any(self.offers.values()))


class Inside:
    """The masters. Requests are numbered from 1 on by their addresses. ``reset`` ends them all."""

    def __init__(self, rng: random.Random, pace: float, longest: int, limit: int) -> None:
        self.rng, self.pace, self.longest, self.limit = rng, pace, longest, limit
        self.number = self.epoch = 0
        self.wants = True
        self.asking: Burst | None = None
        self.writing: Burst | None = None
        self.unasked = False
        self.offered: tuple[int, int] | None = None
        self.reads: deque[Burst] = deque()
        self.writes: deque[Burst] = deque()
        self.bursts: dict[int, Burst] = {}
        self.done = {"r": 0, "b": 0}
        self.refused = {"r": 0, "b": 0}

    @property
    def idle(self) -> bool:
        return not (self.asking or self.writing or self.reads or self.writes)

    def reset(self) -> None:
        self.asking = self.writing = self.offered = None
        self.unasked = False
        self.reads.clear()
        self.writes.clear()
        self.epoch += 1

    def _burst(self) -> Burst:
        self.number += 1
        self.bursts[self.number] = Burst(self.number, self.rng.randint(1, self.longest),
                                         self.epoch)
        return self.bursts[self.number]

    def drive(self, ctx: Any, dut: Any) -> None:
        moves = [self.rng.random() < self.pace for _ in range(5)]
        if self.asking is None and self.wants and moves[0] and len(self.reads) < self.limit:
            self.asking = self._burst()
        if self.writing is None and self.wants and moves[1]:
            self.writing, self.unasked = self._burst(), True
        write = self.writing
        if write is not None and self.offered is None and len(write.sent) < write.beats \
                and moves[2]:
            self.offered = self.rng.getrandbits(32), self.rng.randrange(1, 256)
        for port, burst in ((dut.inside_ar, self.asking),
                            (dut.inside_aw, write if self.unasked else None)):
            ctx.set(port.valid, burst is not None)
            if burst is not None:
                ctx.set(port.payload, {"address": burst.number, "length": burst.beats - 1})
        ctx.set(dut.inside_w.valid, self.offered is not None)
        if write is not None and self.offered is not None:
            ctx.set(dut.inside_w.payload, {
                "data": self.offered[0], "strobe": self.offered[1],
                "last": len(write.sent) == write.beats - 1})
        ctx.set(dut.inside_r.ready, moves[3])
        ctx.set(dut.inside_b.ready, moves[4])

    def sample(self, ctx: Any, dut: Any, memory: Memory) -> None:
        def moved(port: Any) -> bool:
            return bool(ctx.get(port.valid) and ctx.get(port.ready))

        isolated = ctx.get(dut.isolated)
        if moved(dut.inside_r):
            beat, burst = ctx.get(dut.inside_r.payload), self.reads[0]
            if isolated:
                assert beat.last and beat.resp == SLVERR
                self.refused["r"] += 1
            else:
                burst.got += 1
                assert beat.resp == 0 and beat.data == burst.number << 16 | (
                    burst.beats - burst.got + 1), "an answer to another request"
                assert beat.last == (burst.got == burst.beats)
                self.done["r"] += beat.last
            if beat.last:
                self.reads.popleft()
        if moved(dut.inside_b):
            burst = self.writes.popleft()
            assert len(burst.sent) == burst.beats, "answered too early"
            assert ctx.get(dut.inside_b.payload.resp) == (SLVERR if isolated else 0)
            if isolated:
                self.refused["b"] += 1
            else:
                assert memory.offers["b"] is not None
                assert memory.offers["b"].number == burst.number, "an answer to another request"
                self.done["b"] += 1
        if moved(dut.inside_ar):
            self.asking.out = bool(ctx.get(dut.open))
            self.reads.append(self.asking)
            self.asking = None
        if moved(dut.inside_aw):
            self.unasked, self.writing.out = False, bool(ctx.get(dut.open))
            self.writes.append(self.writing)
        if moved(dut.inside_w):
            assert not self.unasked
            self.writing.sent.append(self.offered)
            self.offered = None
        if self.writing and not self.unasked and len(self.writing.sent) == self.writing.beats:
            self.writing = None


class World:
    """Guard, masters and memory; :meth:`cycle` moves all of it by one clock cycle."""

    LIMIT = 20_000

    def __init__(self, dut: Any, rng: random.Random, *, pace: float = 0.6, delay: int = 20,
                 inside_pace: float = 0.6, longest: int = 8) -> None:
        self.dut = dut
        self.memory = Memory(rng, pace, delay)
        self.inside = Inside(rng, inside_pace, longest, dut.shell.outstanding)
        self.cycles = self.timeouts = 0
        self.log: list[dict[str, int]] = []

    async def cycle(self, ctx: Any, *, reset: bool = False) -> None:
        dut, names = self.dut, ("open", "isolated", "busy", "timed_out")
        ctx.set(dut.reset, reset)
        self.inside.drive(ctx, dut)
        self.memory.drive(ctx, dut)
        self.log.append({name: ctx.get(getattr(dut, name)) for name in names})
        self.log[-1]["moves"] = any(
            ctx.get(getattr(dut, name).valid) and self.memory.ready[name]
            for name in ("ar", "aw", "w")) or any(self.memory.offers.values())
        self.timeouts += self.log[-1]["timed_out"]
        if reset:
            for port in (dut.inside_ar, dut.inside_aw, dut.inside_w):
                assert not ctx.get(port.ready), "nothing is taken in reset"
        else:
            self.inside.sample(ctx, dut, self.memory)
        self.memory.sample(ctx, dut)
        if reset:
            self.inside.reset()
        await ctx.tick()
        self.cycles += 1

    async def until(self, ctx: Any, condition: Any) -> None:
        for _ in range(self.LIMIT):
            if condition():
                return
            await self.cycle(ctx)
        raise AssertionError("the port hangs")

    async def settle(self, ctx: Any) -> None:
        """No new requests; until both sides are at rest."""
        self.inside.wants = False
        await self.until(ctx, lambda: self.inside.idle and self.memory.idle)

    def check(self) -> int:
        """The memory was asked only for what was taken while open; every burst of W that it has
        is the beats that the inside gave, then strobes 0. How many were cut short."""
        assert all(self.inside.bursts[number].out for number in self.memory.asked)
        cut = 0
        for number, beats in self.memory.written.items():
            burst = self.inside.bursts[number]
            assert len(beats) == burst.beats
            given = sum(strobe != 0 for _, strobe in beats)
            assert beats[:given] == burst.sent[:given]
            assert all(strobe == 0 for _, strobe in beats[given:])
            cut += given < burst.beats
        return cut


@pytest.fixture
def make_world() -> type[World]:
    """The class: ``make_world(dut, rng, pace, delay, inside_pace, longest)``."""
    return World
