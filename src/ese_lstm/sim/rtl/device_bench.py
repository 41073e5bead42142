"""cocotb bench of the shell that serves it as the files of an XDMA device (:mod:`.device`).

What a file's calls do is what the Xilinx driver does with them: a write is one packet and returns
when its last beat was taken; a read ends when it is full or with TLAST; a transfer that takes
longer than the driver's timeout fails with errno 512; a register that answers SLVERR reads as all
ones. The simulation stands still while no call waits and no frame is under way, so that it costs
nothing then and the engine's cycle counter does not count.
"""

import errno
import os
import random
import selectors
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import cocotb
from cocotb.simtime import get_sim_time
from cocotb.triggers import First, RisingEdge, Timer

from .axi import AxiLite, AxisSink, AxisSource
from .axi_memory import AxiMemory
from .bench import CLOCK_PERIOD_NS, PATTERNS, Bench, job
from .remote_file import ERESTARTSYS, READ, ServedFile

TURN_CYCLES = 64
"""Simulated between looks at the sockets."""

SLEEP_CYCLES = 16 * TURN_CYCLES
"""Simulated at once, at most, while every port waits for the engine."""

QUIET_CYCLES = 300_000
"""Without any handshake, after which nothing is expected to happen by itself any more."""

OKAY = 0


class Server:
    """The files, and the ports of the shell that their calls go to."""

    def __init__(self, dut: Any, values: dict[str, Any]) -> None:
        rng = random.Random(int(values["seed"]))
        pause = PATTERNS[str(values["pause"])]
        self.bench = Bench(dut)
        self._paused = str(values["pause"]) != "none"
        self._timeout_s = float(values["driver_timeout_s"])
        self.selector = selectors.DefaultSelector()
        self._sources = {"h2c_0": AxisSource(dut, "s_axis_load", pause(rng)),
                         "h2c_1": AxisSource(dut, "s_axis_frame", pause(rng))}
        self._sink = AxisSink(dut, "m_axis_frame", pause(rng))
        self._lite = AxiLite(dut, "s_axil")
        self._memory = AxiMemory(self.bench, "m_axi", rng) if int(values["streaming"]) else None
        parts = *self._sources.values(), self._sink, self._lite, self._memory
        self.bench.parts = [part for part in parts if part is not None]
        path, self._folder = Path(str(values["path"])), Path(str(values["folder"]))
        # Whoever sees the last file can open them all; data files first, so that a program that
        # closes one and then writes a register finds it closed.
        self._files = {name: ServedFile(path.with_name(f"{path.name}_{name}"), self.selector,
                                        self._left)
                       for name in ("h2c_0", "h2c_1", "c2h_0", "user")}
        self._alive = True
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._stop)
        self._frames = self._quiet = 0
        self._answered = False
        self._begun: set[str] = set()
        wakers = [self._sink.valid, *(source.ready for source in self._sources.values()),
                  *(self._memory.starters if self._memory else [])]
        self._wakers = [RisingEdge(signal) for signal in wakers]

    async def serve(self) -> None:
        """Until standard input ends, which is when the program that started this has."""
        while self._alive:
            self._look()
            if self._alive and self._working():
                await self._turn()
        for file in self._files.values():
            file.close()
        shutil.rmtree(self._folder, ignore_errors=True)  # who started this may be no more

    def fail(self) -> None:
        """Tell everyone that the device is out of order."""
        for file in self._files.values():
            if file.call is not None:
                file.answer(-errno.EIO)
            file.close()

    def _look(self) -> None:
        """Take calls; wait for one if nothing else is to be done."""
        wait = 0.0 if self._working() else self._patience()
        ready = [key.data for key, _events in self.selector.select(wait)]
        for handle in sorted(ready, key=self._rank):
            handle()
        for name, file in self._files.items():
            if file.call is not None and name not in self._begun:
                self._begun.add(name)
                self._quiet = 0
                self._begin(name, file)
            elif file.call is not None and name != "user" and \
                    time.monotonic() - file.call.since > self._timeout_s:
                self._port(name).cancel()
                self._answer(name, -ERESTARTSYS)

    def _rank(self, handle: Any) -> int:
        """Registers last: a data file closed before an access is closed when it is done."""
        return int(getattr(handle, "__self__", None) is self._files["user"])

    def _patience(self) -> float | None:
        """Seconds until the driver's timeout for the oldest call; None for ever."""
        since = [file.call.since for name, file in self._files.items()
                 if file.call is not None and name != "user"]
        return max(0.0, min(since) + self._timeout_s - time.monotonic()) + 0.001 if since else None

    def _working(self) -> bool:
        """Something is to be expected of the coming cycles."""
        if self._lite.busy or (self._memory and self._memory.busy):
            return True
        busy = self._frames > 0 or any(source.busy for source in self._sources.values())
        busy = busy or (self._sink.wants and bool(int(self._sink.valid.value)))
        if busy and self._quiet > QUIET_CYCLES:
            self._frames = 0
            return False
        return busy

    def _begin(self, name: str, file: ServedFile) -> None:
        call = file.call
        assert call is not None
        if name == "user":
            if call.count < 4 or call.offset % 4:
                self._answer(name, -errno.EPROTO)
            elif call.operation == READ:
                self._lite.read(call.offset, self._was_read)
            else:
                self._lite.write(call.offset, int.from_bytes(call.data[:4], "little"),
                                 lambda data, response: self._answer("user", 4))
        elif (call.operation == READ) != (name == "c2h_0") or not call.count:
            self._answer(name, -errno.EINVAL)
        elif call.operation == READ:
            if call.count % self._sink.granularity:
                self._answer(name, -errno.EINVAL)
                return
            self._sink.receive(call.count, lambda data: self._answer(name, len(data), data))
        else:
            self._sources[name].send(call.data, lambda: self._was_sent(name, call.count))

    def _was_read(self, data: int, response: int) -> None:
        word = data if response == OKAY else 0xFFFFFFFF
        self._answer("user", 4, word.to_bytes(4, "little"))

    def _was_sent(self, name: str, count: int) -> None:
        self._frames += name == "h2c_1"
        self._answer(name, count)

    def _answer(self, name: str, result: int, data: bytes = b"") -> None:
        self._begun.discard(name)
        self._answered = True
        file = self._files[name]
        if file.call is not None:
            file.answer(result, data)

    def _left(self, file: ServedFile) -> None:
        """A program closed a file, or ended: what it had under way is aborted."""
        name = next(name for name, other in self._files.items() if other is file)
        self._begun.discard(name)
        if name != "user":
            self._port(name).cancel()

    def _port(self, name: str) -> AxisSource | AxisSink:
        return self._sink if name == "c2h_0" else self._sources[name]

    def _stop(self) -> None:
        self._alive = False

    async def _turn(self) -> None:
        """Some cycles of all ports, or more of them at once while all wait for the engine."""
        still = 0
        for _ in range(TURN_CYCLES):
            if self._moved(await self.bench.cycle()):
                return
            still = still + 1 if self._quiet else 0
            if still > 2 and self._can_sleep():
                await self._sleep()
                return

    def _moved(self, anything: bool, cycles: int = 1) -> bool:
        """What came of so many cycles; whether a call was answered."""
        self._frames = max(0, self._frames - self._sink.packets)
        self._sink.packets = 0
        self._quiet = 0 if anything else self._quiet + cycles
        answered, self._answered = self._answered, False
        return answered

    def _can_sleep(self) -> bool:
        """Nothing happens before a ready or valid rises."""
        if self._paused or self._lite.busy or (self._memory and self._memory.busy):
            return False
        return all(source.stalled for source in self._sources.values()) and not (
            self._sink.wants and int(self._sink.valid.value))

    async def _sleep(self) -> None:
        """From one falling edge to another, until a ready or valid has risen."""
        before = get_sim_time("ns")
        await First(*self._wakers, Timer(SLEEP_CYCLES * CLOCK_PERIOD_NS - 1, "ns"))
        await self.bench.fall()
        cycles = round((get_sim_time("ns") - before) / CLOCK_PERIOD_NS)
        self.bench.cycles += cycles - 1
        self._moved(self.bench.sample(), cycles)


@cocotb.test()
async def serve(dut: Any) -> None:
    """Bench of :class:`device.SimulatedDevice`."""
    server = Server(dut, job())
    await server.bench.start()
    try:
        await server.serve()
    except BaseException:
        server.fail()
        raise
    os._exit(0)  # before cocotb makes the folder again for its results
