"""An AXI4-Lite master for Amaranth's simulator that watches the protocol in every cycle."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

CHANNELS = ("aw", "w", "b", "ar", "r")
PAYLOADS = {"aw": ("awaddr",), "w": ("wdata", "wstrb"), "b": ("bresp",), "ar": ("araddr",),
            "r": ("rdata", "rresp")}
OUTPUTS = ("awready", "wready", "bvalid", "bresp", "arready", "rvalid", "rresp", "rdata")
WRITE_CYCLES = 4


@dataclass
class Access:
    """One access and the cycles of its handshakes: accepted (AW and W, or AR), the first cycle of
    BVALID or RVALID, and the one in which the answer was taken."""

    address: int
    data: int = 0
    strobes: int = 0b1111
    accepted: int = -1
    answered: int = -1
    taken: int = -1
    response: int = -1


class AxiLitePort:
    """Master of ``bus``: one :meth:`cycle` drives and checks all five channels.

    pauses: probability of a pause by channel, of a master's offer or its READY. In every cycle:
    outputs do not depend on inputs of the same cycle, an answer offered stays until it is taken.
    """

    LIMIT = 300

    def __init__(self, bus: Any, rng: random.Random, pauses: Mapping[str, float]) -> None:
        self.bus, self.rng, self.pauses = bus, rng, pauses
        self.now = 0
        self.writes: list[Access] = []
        self.reads: list[Access] = []
        self._queues: dict[str, list[Access]] = {channel: [] for channel in CHANNELS}
        self._offered = dict.fromkeys(("aw", "w", "ar"), False)
        self._waiting: dict[str, tuple[int, ...] | None] = {"b": None, "r": None}
        self._quiet = 0

    def put_writes(self, accesses: Iterable[tuple[int, int, int]]) -> None:
        """Queue writes (address, data, strobes)."""
        for access in accesses:
            self.writes.append(Access(*access))
            for channel in ("aw", "w", "b"):
                self._queues[channel].append(self.writes[-1])

    def put_reads(self, addresses: Iterable[int]) -> None:
        """Queue reads."""
        for address in addresses:
            self.reads.append(Access(address))
            for channel in ("ar", "r"):
                self._queues[channel].append(self.reads[-1])

    @property
    def done(self) -> bool:
        """Everything queued has been answered."""
        return not any(self._queues.values())

    def forget(self) -> None:
        """After a reset: nothing is under way any more."""
        for queue in self._queues.values():
            queue.clear()
        self._offered = dict.fromkeys(self._offered, False)
        self._waiting = dict.fromkeys(self._waiting)

    async def cycle(self, ctx: Any) -> None:
        """One clock cycle."""
        before = self.outputs(ctx)
        for channel in ("aw", "w", "ar"):
            queue = self._queues[channel]
            if not self._offered[channel]:
                self._offered[channel] = bool(queue) and not self._pause(channel)
                self._drive(ctx, channel, queue[0] if self._offered[channel] else None)
        ready = {channel: not self._pause(channel) for channel in ("b", "r")}
        for channel, value in ready.items():
            ctx.set(getattr(self.bus, f"{channel}ready"), value)
        assert self.outputs(ctx) == before, "an output depends on inputs of the same cycle"
        moved = False
        for channel in ("aw", "w", "ar"):
            if self._offered[channel] and before[f"{channel}ready"]:
                self._offered[channel], moved = False, True
                self._queues[channel].pop(0).accepted = self.now
        for channel in ("b", "r"):
            moved |= self._answer(channel, before, ready[channel])
        self._quiet = 0 if moved or self.done else self._quiet + 1
        assert self._quiet < self.LIMIT, "the port hangs"
        await ctx.tick()
        self.now += 1

    async def run(self, ctx: Any) -> None:
        """Cycles until everything queued has been answered."""
        while not self.done:
            await self.cycle(ctx)

    async def write(self, ctx: Any, address: int, data: int, strobes: int = 0b1111) -> int:
        """One write; its response."""
        self.put_writes([(address, data, strobes)])
        await self.run(ctx)
        return self.writes[-1].response

    async def read(self, ctx: Any, address: int) -> int:
        """One read that must be answered OKAY; its data."""
        self.put_reads([address])
        await self.run(ctx)
        assert self.reads[-1].response == 0, f"{address:#x}"
        return self.reads[-1].data

    def outputs(self, ctx: Any) -> dict[str, int]:
        """Every output of the slave now."""
        return {name: ctx.get(getattr(self.bus, name)) for name in OUTPUTS}

    def _pause(self, channel: str) -> bool:
        return self.rng.random() < self.pauses.get(channel, 0.0)

    def _drive(self, ctx: Any, channel: str, access: Access | None) -> None:
        """Offer, or noise: a slave must not look at the payload of what is not valid."""
        ctx.set(getattr(self.bus, f"{channel}valid"), access is not None)
        values = {} if access is None else {
            "awaddr": access.address, "araddr": access.address, "wdata": access.data,
            "wstrb": access.strobes}
        for name in PAYLOADS[channel]:
            signal = getattr(self.bus, name)
            ctx.set(signal, values.get(name, self.rng.getrandbits(len(signal))))
        if channel != "w":
            ctx.set(getattr(self.bus, f"{channel}prot"), self.rng.getrandbits(3))

    def _answer(self, channel: str, outputs: Mapping[str, int], ready: bool) -> bool:
        valid = outputs[f"{channel}valid"]
        offered = tuple(outputs[name] for name in PAYLOADS[channel])
        before = self._waiting[channel]
        assert before is None or (valid and offered == before), f"{channel}: must stay until taken"
        self._waiting[channel] = offered if valid and not ready else None
        if not valid:
            return False
        assert self._queues[channel], f"{channel}: an answer to nothing"
        access = self._queues[channel][0]
        for sender in ("aw", "w", "ar"):
            assert all(access is not other for other in self._queues[sender]), "answered too early"
        if access.answered < 0:
            access.answered = self.now
        if ready:
            self._queues[channel].pop(0)
            access.taken, access.response = self.now, outputs[f"{channel}resp"]
            if channel == "r":
                access.data = outputs["rdata"]
        return ready


PAUSES: dict[str, dict[str, float]] = {
    "none": {}, "half": dict.fromkeys(CHANNELS, 0.5),
    "address late": {"aw": 0.8}, "data late": {"w": 0.8}, "answers wait": {"b": 0.8, "r": 0.8},
}


@pytest.fixture(params=PAUSES)
def pauses(request: pytest.FixtureRequest) -> dict[str, float]:
    """Probability of a pause by channel; the test runs with each pattern."""
    return PAUSES[request.param]


@pytest.fixture
def axi_lite_port() -> Callable[..., AxiLitePort]:
    """``axi_lite_port(bus, rng, pauses)``: a master that checks the protocol."""
    return AxiLitePort
