"""cocotb bench of the shell at full speed: streams without a pause, counters read meanwhile."""

from collections import deque
from collections.abc import Callable
from typing import Any

import cocotb
import numpy as np
from numpy.typing import NDArray

from .axi import AxiLite, AxisSink, AxisSource
from .bench import Bench, finish, job, never, report
from .host import Host
from .packets import split_packets

LOAD_SHARE = 0.5
"""Of the time, as progress shows it."""
PATIENCE = 1000
"""Cycles within which a register must answer."""


class FastHost(Host):
    """Everything that a host does at the shell's ports, at one beat a cycle."""

    def __init__(self, dut: Any) -> None:
        self.loads = AxisSource(dut, "s_axis_load", never())
        self.frames = AxisSource(dut, "s_axis_frame", never())
        self.sink = AxisSink(dut, "m_axis_frame", never())
        self.registers = AxiLite(dut, "s_axil")
        self.bench = Bench(dut, [self.loads, self.frames, self.registers, self.sink])
        self.packets: list[bytes] = []

    def receive(self, size: int) -> None:
        """From now on take output packets of ``size`` bytes."""
        def done(packet: bytes) -> None:
            self.packets.append(packet)
            self.sink.receive(size, done)

        self.sink.receive(size, done)

    async def until_packets(self, count: int, patience: int) -> None:
        """Wait for ``count`` output packets, at most ``patience`` cycles for each."""
        quiet = 0
        while len(self.packets) < count:
            before = len(self.packets)
            await self.bench.cycle()
            quiet = quiet + 1 if len(self.packets) == before else 0
            assert quiet < patience, f"nothing came out after {before} frames"

    @staticmethod
    def send(source: AxisSource, packets: list[NDArray[np.uint8]]) -> None:
        """Send packets one after another."""
        waiting = deque(packet.tobytes() for packet in packets)

        def following() -> None:
            if waiting:
                source.send(waiting.popleft(), following)

        following()

    async def _access(self, start: Callable[..., None], *values: int) -> int:
        answers: list[tuple[int, int]] = []
        start(*values, lambda data, response: answers.append((data, response)))
        for _ in range(PATIENCE):
            await self.bench.cycle()
            if answers:
                data, response = answers[0]
                assert response == 0, "an access must be answered OKAY"
                return data
        raise AssertionError("a register must answer")

    async def write_word(self, address: int, word: int) -> None:
        """See :class:`Host`."""
        await self._access(self.registers.write, address, word)

    async def read_word(self, address: int) -> int:
        """See :class:`Host`."""
        return await self._access(self.registers.read, address)

    async def cycles(self, count: int) -> None:
        """See :class:`Host`."""
        for _ in range(count):
            await self.bench.cycle()


@cocotb.test()
async def run_at_full_speed(dut: Any) -> None:
    """Bench of :func:`shell_runner.run_at_full_speed`."""
    values = job()
    host = FastHost(dut)
    frames = list(values["frames"])
    await host.bench.start()
    host.send(host.loads, split_packets(values["load"], values["load_sizes"]))
    size = len(values["load"])
    while host.loads.busy:
        await host.bench.cycle()
        if host.bench.cycles % 8192 == 0:
            report(min(LOAD_SHARE, LOAD_SHARE * host.bench.cycles / size))
        assert host.bench.cycles < 2 * size + 1000, "the load port stopped"
    loaded = host.bench.cycles
    await host.until("STATUS", "load_busy", 0)
    await host.run()
    host.receive(int(values["result_bytes"]))
    host.send(host.frames, frames)
    counters = []
    for count in (1, len(frames) - 1):
        assert len(host.packets) < count, "reading counters must not take longer than the frames"
        await host.until_packets(count, int(values["patience"]))
        report(LOAD_SHARE + (1 - LOAD_SHARE) * count / len(frames))
        counters.append([*(await host.counters()).values()])
    await host.until_packets(len(frames), int(values["patience"]))
    assert await host.read("ERROR") == 0
    outputs = np.frombuffer(b"".join(host.packets), np.uint8)
    finish({"outputs": outputs.reshape(len(frames), -1),
            "counters": np.array(counters, np.int64), "load_cycles": loaded,
            "cycles": host.bench.cycles})
