"""cocotb bench of the shell: partners of cocotbext-axi on every port, pauses on every channel."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import (
    AxiBus,
    AxiLiteBus,
    AxiLiteMaster,
    AxiRam,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)
from numpy.typing import NDArray

from ese_lstm.contract.registers import COUNTERS, register
from ese_lstm.sim.rtl.bench import CLOCK_PERIOD_NS, PATTERNS, finish, generator, job
from ese_lstm.sim.rtl.packets import split_packets

MEMORY_CHANNELS = ("memory_aw", "memory_w", "memory_b", "memory_ar", "memory_r")
CHANNELS = ("load", "frame", "result", "aw", "w", "b", "ar", "r", *MEMORY_CHANNELS)
"""Channels of the shell that can pause."""
MEMORY_BYTES = 1 << 20

PATIENCE = 200_000
"""Cycles after which a wait has failed."""


class ShellBench:
    """The shell's host: registers by name, packets as bytes; a memory if there is a port for it.

    pauses: a pattern of ``bench.PATTERNS`` by channel, "none" for those not named.
    """

    def __init__(self, dut: Any, rng: random.Random, pauses: Mapping[str, str]) -> None:
        self.dut = dut
        self._edge = RisingEdge(dut.clk)
        Clock(dut.clk, CLOCK_PERIOD_NS, "ns").start(start_high=False)
        ports = dut.clk, dut.rst
        self.axil = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), *ports)
        self.loads, self.frames = (
            AxiStreamSource(AxiStreamBus.from_prefix(dut, name), *ports)
            for name in ("s_axis_load", "s_axis_frame"))
        self.results = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_frame"), *ports)
        write, read = self.axil.write_if, self.axil.read_if
        channels = {"load": self.loads, "frame": self.frames, "result": self.results,
                    "aw": write.aw_channel, "w": write.w_channel, "b": write.b_channel,
                    "ar": read.ar_channel, "r": read.r_channel}
        self.memory: AxiRam | None = None
        if hasattr(dut, "m_axi_arvalid"):
            # No reset: a memory goes on when the shell is reset.
            self.memory = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, size=MEMORY_BYTES)
            sides = self.memory.write_if, self.memory.read_if
            for name in MEMORY_CHANNELS:
                part = name.removeprefix("memory_")
                channels[name] = getattr(sides[part in ("ar", "r")], f"{part}_channel")
            for side in sides:
                side.log.setLevel("WARNING")
        for name, channel in channels.items():
            channel.log.setLevel("WARNING")
            channel.set_pause_generator(
                PATTERNS[pauses.get(name, "none")](random.Random(rng.random())))
        for part in (write, read):
            part.log.setLevel("WARNING")
        self.beats = dict.fromkeys(("s_axis_load", "s_axis_frame", "m_axis_frame"), 0)
        """Beats that each stream has moved."""
        cocotb.start_soon(self._count())

    async def _count(self) -> None:
        """Count beats; what is offered on the output stays until it is taken."""
        dut, offered = self.dut, None
        ports = {name: [getattr(dut, f"{name}_t{field}") for field in ("valid", "ready")]
                 for name in self.beats}
        while True:
            await self._edge
            in_reset = int(dut.rst.value)
            for name, (valid, ready) in ports.items():
                self.beats[name] += int(valid.value) & int(ready.value) & ~in_reset
            valid, ready = ports["m_axis_frame"]
            beat = int(dut.m_axis_frame_tdata.value), int(dut.m_axis_frame_tlast.value)
            if offered is not None and not in_reset:
                assert int(valid.value) and beat == offered, "a beat offered must stay"
            offered = beat if int(valid.value) and not int(ready.value) and not in_reset else None

    async def cycles(self, count: int) -> None:
        """Wait."""
        for _ in range(count):
            await self._edge

    async def reset(self, cycles: int = 4) -> None:
        """Reset the shell and all its partners but the memory."""
        self.dut.rst.value = 1
        await self.cycles(cycles)
        self.dut.rst.value = 0
        await self.cycles(2)

    # Registers ------------------------------------------------------------------------------

    async def read(self, name: str) -> int:
        """Word of a register."""
        answer = await self.axil.read(register(name).offset, 4)
        assert answer.resp == AxiResp.OKAY, f"{name}: must be readable, got {answer.resp!r}"
        return int.from_bytes(answer.data, "little")

    async def write(self, name: str, word: int) -> None:
        """Write a register."""
        answer = await self.axil.write(register(name).offset, word.to_bytes(4, "little"))
        assert answer.resp == AxiResp.OKAY, f"{name}: must be writable, got {answer.resp!r}"

    async def flag(self, name: str, field: str) -> int:
        """One field of a register."""
        return register(name).field(field).get(await self.read(name))

    async def until(self, name: str, field: str, value: int = 1) -> None:
        """Read a register until a field has a value."""
        for _ in range(PATIENCE // 50):
            if await self.flag(name, field) == value:
                return
            await self.cycles(20)
        raise AssertionError(f"{name}.{field}: must become {value}")

    async def errors(self) -> list[str]:
        """Names of the sticky errors; clears them."""
        word = await self.read("ERROR")
        await self.write("ERROR", word)
        await self.write("IRQ_STATUS", 0b11)
        return [field.name for field in register("ERROR").fields if field.get(word)]

    async def counters(self) -> dict[str, int]:
        """All counters in one cycle."""
        await self.write("COUNTER_SNAPSHOT", 1)
        return {name: await self.read(f"COUNTER_{name.upper()}_LO")
                | await self.read(f"COUNTER_{name.upper()}_HI") << 32 for name in COUNTERS}

    async def weights(self, base: int, rows: int) -> None:
        """Where streamed weights lie, and how many rows a frame has of them."""
        await self.write("WEIGHT_BASE_LO", base & 0xFFFFFFFF)
        await self.write("WEIGHT_BASE_HI", base >> 32)
        await self.write("WEIGHT_ROWS", rows)

    async def run(self, on: int = 1) -> None:
        """Write CONTROL.run."""
        await self.write("CONTROL", register("CONTROL").pack({"run": on}))

    async def stop(self) -> None:
        """Lower run and wait until the engine is idle."""
        await self.run(0)
        await self.until("STATUS", "idle")

    async def soft_reset(self) -> None:
        """Reset by CONTROL, and wait until it is done."""
        await self.write("CONTROL", register("CONTROL").pack({"soft_reset": 1}))
        await self.until("CONTROL", "soft_reset", 0)

    # Streams --------------------------------------------------------------------------------

    def send(self, packet: NDArray[np.uint8], keep: Sequence[int] | None = None) -> None:
        """Queue an input packet."""
        self.frames.send_nowait(AxiStreamFrame(packet.tobytes(), tkeep=keep))

    def send_load(self, packet: NDArray[np.uint8], keep: Sequence[int] | None = None) -> None:
        """Queue a load packet."""
        self.loads.send_nowait(AxiStreamFrame(packet.tobytes(), tkeep=keep))

    async def load(self, packets: Sequence[NDArray[np.uint8]]) -> None:
        """Send load packets and wait until all is written."""
        for packet in packets:
            self.send_load(packet)
        await self.sent(self.loads)
        await self.until("STATUS", "load_busy", 0)

    async def sent(self, source: AxiStreamSource) -> None:
        """Wait until everything queued has been taken."""
        for _ in range(PATIENCE):
            if source.empty() and source.idle() and not int(source.bus.tvalid.value):
                return
            await self._edge
        raise AssertionError("a stream stopped taking beats")

    async def take(self) -> NDArray[np.uint8]:
        """The next output packet."""
        for _ in range(PATIENCE):
            if not self.results.empty():
                frame = self.results.recv_nowait(compact=False)
                assert all(frame.tkeep), "TKEEP must be high"
                return np.frombuffer(bytes(frame.tdata), np.uint8)
            await self._edge
        raise AssertionError("no output packet came")

    async def until_beats(self, stream: str, count: int) -> None:
        """Wait until a stream has moved so many beats."""
        for _ in range(PATIENCE):
            if self.beats[stream] >= count:
                return
            await self._edge
        raise AssertionError(f"{stream}: must move {count} beats, got {self.beats[stream]}")


@cocotb.test()
async def run_image(dut: Any) -> None:
    """Bench of the fixture ``run_shell``."""
    values = job()
    bench = ShellBench(dut, generator(int(values["seed"])),
                       dict.fromkeys(CHANNELS, str(values["pause"])))
    await bench.reset()
    await bench.load(split_packets(values["load"], values["load_sizes"]))
    loaded = await bench.counters()
    if bench.memory is not None:
        rows, base = values["rows"], int(values["weight_base"])
        await bench.until("STATUS", "memory_busy", 0)
        assert bench.memory.read(base, rows.size) == rows.tobytes(), "load packets fill the memory"
        await bench.weights(base, int(values["row_count"]))
    await bench.run()
    frames = values["frames"]
    for packet in frames:
        bench.send(packet)
    outputs = [await bench.take() for _ in frames]
    counters = await bench.counters()
    await bench.stop()
    assert bench.results.empty() and await bench.errors() == []
    finish({"outputs": np.stack(outputs), "counters": [counters[name] for name in COUNTERS],
            "loaded_counters": [loaded[name] for name in COUNTERS]})
