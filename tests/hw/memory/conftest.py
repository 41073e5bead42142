"""A memory behind an AXI4 port in Amaranth's simulator, which checks what it is asked."""

import random
from typing import Any

import pytest

from ese_lstm.contract.shell import PAGE_BYTES, ShellConfig


class Memory:
    """Bytes at addresses 0 …; testbenches for the read and the write channels.

    pause: probability that a channel does not move in a cycle. bad: byte addresses whose beats
    are answered with SLVERR. bursts: (address, beats) in the order they were asked for. written:
    (address, strobe) of every beat; beat_cycles: when they were taken.
    """

    def __init__(self, shell: ShellConfig, content: bytes, rng: random.Random,
                 pause: float = 0.0, latency: int = 0) -> None:
        self.shell, self.rng, self.pause, self.latency = shell, rng, pause, latency
        self.content = bytearray(content)
        self.bad: set[int] = set()
        self.bursts: list[tuple[int, int]] = []
        self.written: list[tuple[int, int]] = []
        self.beat_cycles: list[int] = []
        self.most_outstanding = self.outstanding = 0

    def _check(self, address: int, length: int) -> list[int]:
        size, beats = self.shell.memory_bytes, length + 1
        assert address % size == 0 and beats <= self.shell.burst_beats
        assert address // PAGE_BYTES == (address + beats * size - 1) // PAGE_BYTES
        return [address + size * k for k in range(beats)]

    def read(self, ar: Any, r: Any) -> Any:
        """Answer in order, each burst after ``latency`` cycles at least."""
        async def serve(ctx: Any) -> None:
            queue: list[tuple[int, int, bool]] = []
            offered, ready, cycle = None, False, 0
            while True:
                ready = self.rng.random() >= self.pause
                ctx.set(ar.ready, ready)
                if offered is None and queue and queue[0][0] <= cycle \
                        and self.rng.random() >= self.pause:
                    offered = queue.pop(0)
                    address = offered[1]
                    beat = self.content[address:address + self.shell.memory_bytes]
                    ctx.set(r.payload, {"data": int.from_bytes(beat, "little"), "last": offered[2],
                                        "resp": 2 if address in self.bad else 0})
                ctx.set(r.valid, offered is not None)
                _, _, asked, address, length, taken = await ctx.tick().sample(
                    ar.valid, ar.payload.address, ar.payload.length, r.ready)
                if offered is not None and taken:
                    self.outstanding -= offered[2]
                    offered = None
                if asked and ready:
                    beats = self._check(address, length)
                    self.bursts.append((address, len(beats)))
                    self.outstanding += 1
                    self.most_outstanding = max(self.most_outstanding, self.outstanding)
                    queue += [(cycle + self.latency, place, place == beats[-1]) for place in beats]
                cycle += 1

        return serve

    def write(self, aw: Any, w: Any, b: Any, order: str = "any") -> Any:
        """Answer each burst after its request and its last beat.

        order: what AXI4 A3.3.1 lets a slave wait for. "request first": no data before the request
        was taken; "data seen": moreover no request before data are offered; "data first": no
        request before the last beat was taken; "any": neither.
        """
        async def serve(ctx: Any) -> None:
            requests: list[tuple[int, int]] = []
            bursts: list[list[Any]] = [[]]
            answers: list[int] = []
            held: dict[str, Any] = {}
            cycle = 0
            while True:
                aw_ready, w_ready, answer = (self.rng.random() >= self.pause for _ in range(3))
                answer = answer and bool(answers)
                ahead = len(bursts) - 1 - len(requests)
                if order in ("request first", "data seen"):
                    w_ready = w_ready and ahead < 0
                if order == "data seen":
                    aw_ready = aw_ready and bool(ctx.get(w.valid))
                if order == "data first":
                    aw_ready = aw_ready and ahead > 0
                ctx.set(aw.ready, aw_ready)
                ctx.set(w.ready, w_ready)
                ctx.set(b.valid, answer)
                ctx.set(b.payload.resp, answers[0] if answer else 0)
                _, _, asked, request, valid, beat, taken = await ctx.tick().sample(
                    aw.valid, aw.payload, w.valid, w.payload, b.ready)
                for name, offered, value, moves in (("aw", asked, request, aw_ready),
                                                    ("w", valid, beat, w_ready)):
                    assert name not in held or (offered and value == held[name]), \
                        f"{name}: an offer must stay as it is until it is taken"
                    held.pop(name, None)
                    if offered and not moves:
                        held[name] = value
                if answer and taken:
                    answers.pop(0)
                if asked and aw_ready:
                    requests.append((request.address, request.length))
                    self.bursts.append((request.address, request.length + 1))
                if valid and w_ready:
                    self.beat_cycles.append(cycle)
                    bursts[-1].append(beat)
                    if beat.last:
                        bursts.append([])
                if requests and len(bursts) > 1:
                    answers.append(self._store(*requests.pop(0), bursts.pop(0)))
                cycle += 1

        return serve

    def _store(self, address: int, length: int, beats: list[Any]) -> int:
        """Write a burst; its answer."""
        places = self._check(address, length)
        assert len(beats) == len(places), "WLAST must be with the last beat of the burst"
        for place, beat in zip(places, beats, strict=True):
            for k in range(self.shell.memory_bytes):
                if beat.strobe >> k & 1:
                    self.content[place + k] = beat.data >> 8 * k & 255
            self.written.append((place, beat.strobe))
        return 2 if self.bad & set(places) else 0


@pytest.fixture
def memory() -> type[Memory]:
    """The class: ``memory(shell, content, rng, pause, latency)``."""
    return Memory
