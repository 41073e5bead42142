"""cocotb bench of the exported registers: an AXI4-Lite master with pauses on every channel."""

import random
from collections.abc import Coroutine, Iterable
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from ese_lstm.contract.counters import COUNTER_BITS, ENGINE_COUNTERS, SHELL_COUNTERS
from ese_lstm.contract.registers import ADDRESS_BITS, COUNTERS, REGISTERS, Access, offset, register
from ese_lstm.sim.rtl.bench import PATTERNS, Bench, finish, generator, job

TIMEOUT_US = 20
CHANNELS = ("aw", "w", "b", "ar", "r")
"""Order of the pause patterns in the job."""
ERRORS = tuple(field.name for field in register("ERROR").fields if field.name != "access")
ACCESS = register("ERROR").field("access").mask
RESULTS = {"b": ("bresp",), "r": ("rresp", "rdata")}
KEPT = ("SCRATCH", "IRQ_ENABLE", "WATCHDOG", "WEIGHT_BASE_LO", "WEIGHT_ROWS", "MEMORY_TIMEOUT")
"""Registers that read what was written last."""


class RegistersBench:
    """Registers behind their port, what they must hold, and how much was compared.

    constants: word by register name of those that never change. known: offsets of the registers
    that this engine has. kept: what was written last.
    """

    def __init__(self, dut: Any, values: dict[str, Any]) -> None:
        self.dut, self.bench = dut, Bench(dut)
        self.rng = generator(int(values["seed"]))
        self.constants = {str(name): int(word) for name, word in
                          zip(values["names"], values["words"], strict=True)}
        self.known = {int(place) for place in values["offsets"]}
        self.kept = {name: _reset(name) for name in KEPT if offset(name) in self.known}
        self.compared = self.refused = self.flushed = 0

    def connect(self) -> None:
        """A master, and a monitor of the protocol."""
        dut = self.dut
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "bus_"), dut.clk, dut.rst)
        for side in (self.master.write_if, self.master.read_if):
            side.log.setLevel("ERROR")
        cocotb.start_soon(self.watch())

    def pause(self, patterns: Iterable[str]) -> None:
        """Pattern of pauses of each of CHANNELS from now on."""
        write, read = self.master.write_if, self.master.read_if
        for port, pattern in zip((write.aw_channel, write.w_channel, write.b_channel,
                                  read.ar_channel, read.r_channel), patterns, strict=True):
            port.log.setLevel("ERROR")
            port.set_pause_generator(PATTERNS[str(pattern)](random.Random(self.rng.random())))

    async def watch(self) -> None:
        """Answers stay until they are taken; none in reset, nor anything ready."""
        waiting: dict[str, Any] = dict.fromkeys(RESULTS)
        resets = 0
        while True:
            await FallingEdge(self.dut.clk)
            resets = resets + 1 if int(self.dut.rst.value) else 0
            for channel, names in RESULTS.items():
                valid, ready = (int(getattr(self.dut, f"bus__{channel}{signal}").value)
                                for signal in ("valid", "ready"))
                offered = [int(getattr(self.dut, f"bus__{name}").value) for name in names]
                if waiting[channel] is not None and not resets:
                    assert valid and offered == waiting[channel], f"{channel}: must stay"
                waiting[channel] = offered if valid and not ready and not resets else None
            if resets > 1:
                assert not any(int(getattr(self.dut, f"bus__{name}").value) for name in (
                    "awready", "wready", "arready", "bvalid", "rvalid")), "in reset"

    async def write(self, address: int, data: bytes) -> AxiResp:
        """One write of some bytes; its response."""
        return (await _soon(self.master.write(address, data))).resp

    async def strobed(self, address: int, data: int, strobes: int) -> AxiResp:
        """One write with any strobes, by the master's channels."""
        port = self.master.write_if
        address_beat = port.aw_channel._transaction_obj(awaddr=address, awprot=0)
        await port.aw_channel.send(address_beat)
        await port.w_channel.send(port.w_channel._transaction_obj(wdata=data, wstrb=strobes))
        return AxiResp(int((await _soon(port.b_channel.recv())).bresp))

    async def word(self, name: str) -> int:
        """A register's word."""
        answer = await _soon(self.master.read(offset(name), 4))
        assert answer.resp == AxiResp.OKAY, name
        return int.from_bytes(answer.data, "little")

    async def check(self, name: str, word: int) -> None:
        """The register must hold this word."""
        found = await self.word(name)
        assert found == word, f"{name}: must be {word:#x}, got {found:#x}"
        self.compared += 1

    async def every_register(self) -> None:
        """Constants, and reset values of the rest."""
        for each in REGISTERS:
            if offset(each.name) in self.known and each.name != "STATUS":
                await self.check(each.name, self.constants.get(each.name, _reset(each.name)))

    async def random_accesses(self, count: int) -> None:
        """Writes with any strobes to registers that keep them, reads, and what must be refused."""
        for _ in range(count):
            name, data, strobes = (self.rng.choice(list(self.kept)), self.rng.getrandbits(32),
                                   self.rng.getrandbits(4))
            assert await self.strobed(offset(name), data, strobes) == AxiResp.OKAY
            mask = sum(0xFF << 8 * byte for byte in range(4) if strobes >> byte & 1)
            used = sum(field.mask for field in register(name).fields)
            self.kept[name] = (self.kept[name] & ~mask | data & mask) & used
            if self.rng.random() < 0.5:
                other = self.rng.choice(list(self.kept))
                await self.check(other, self.kept[other])
            else:
                await self.at_once()
            await self.refuse()

    async def at_once(self) -> None:
        """A write and reads of other registers under way at the same time."""
        name, *others = self.rng.sample(list(self.kept), 2)
        data = self.rng.getrandbits(8)
        reads = [self.master.init_read(offset(other), 4) for other in others]
        assert await self.write(offset(name), bytes([data])) == AxiResp.OKAY
        used = sum(field.mask for field in register(name).fields)
        self.kept[name] = (self.kept[name] & ~0xFF | data) & used
        for other, event in zip(others, reads, strict=True):
            await _soon(event.wait())
            assert int.from_bytes(event.data.data, "little") == self.kept[other], other
            self.compared += 1
        await self.check(name, self.kept[name])

    async def refuse(self) -> None:
        """Unmapped, unaligned or read only: SLVERR, nothing else changes, ERROR.access is set."""
        read_only = [each.offset for each in REGISTERS if all(
            field.access == Access.RO for field in each.fields)]
        address = self.rng.choice([self.rng.getrandbits(ADDRESS_BITS) & ~3, self.rng.choice(
            sorted(self.known)) + self.rng.randint(1, 3), self.rng.choice(read_only),
            offset("WEIGHT_ROWS")])
        writable = address in self.known and address not in read_only
        if self.rng.random() < 0.5 and address not in self.known:
            response = (await _soon(self.master.read(address, 1))).resp
        elif not writable:
            response = await self.write(address, bytes([0xFF]))
        else:
            return
        assert response == AxiResp.SLVERR, hex(address)
        self.refused += 1
        await self.check("ERROR", ACCESS)
        await self.write(offset("ERROR"), ACCESS.to_bytes(4, "little"))
        await self.check("ERROR", 0)

    async def events(self, cycles: int) -> None:
        """Errors, their clearing, the interrupt, and every counter in one snapshot."""
        enable = self.rng.getrandbits(2)
        await self.write(offset("IRQ_ENABLE"), bytes([enable]))
        self.kept["IRQ_ENABLE"] = enable
        for name in ("ERROR", "IRQ_STATUS"):
            await self.write(offset(name), b"\xff\xff\xff\xff")
        await self.write(offset("COUNTER_SNAPSHOT"), b"\x01")
        before = await self.shell_counts()
        events = dict.fromkeys(SHELL_COUNTERS, 0)
        errors = 0
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)
            for name in SHELL_COUNTERS:
                happens = self.rng.random() < 0.3
                getattr(self.dut, f"events__{name}").value = int(happens)
                events[name] += happens
            for name in ERRORS:
                happens = self.rng.random() < 0.3 / cycles
                getattr(self.dut, f"error_set__{name}").value = int(happens)
                errors |= happens << register("ERROR").field(name).lsb
        await RisingEdge(self.dut.clk)
        for name in SHELL_COUNTERS:
            getattr(self.dut, f"events__{name}").value = 0
        for name in ERRORS:
            getattr(self.dut, f"error_set__{name}").value = 0
        engine = {name: self.rng.getrandbits(COUNTER_BITS) for name in ENGINE_COUNTERS}
        for name, value in engine.items():
            getattr(self.dut, f"counters__{name}").value = value
        await self.check("ERROR", errors)
        pending = register("IRQ_STATUS").pack({"frame_done": int(events["frames_out"] > 0),
                                               "error": int(errors > 0)})
        await self.check("IRQ_STATUS", pending)
        assert int(self.dut.irq.value) == int(bool(pending & enable))
        await self.write(offset("COUNTER_SNAPSHOT"), b"\x01")
        for name in ENGINE_COUNTERS:
            getattr(self.dut, f"counters__{name}").value = 0
        counted = await self.shell_counts()
        assert counted == {name: before[name] + events[name] for name in events}
        for name, value in engine.items():
            await self.check(f"COUNTER_{name.upper()}_LO", value % (1 << 32))
            await self.check(f"COUNTER_{name.upper()}_HI", value >> 32)
        for name, word in (("ERROR", errors), ("IRQ_STATUS", pending)):
            await self.write(offset(name), word.to_bytes(4, "little"))
            await self.check(name, 0)
        assert not int(self.dut.irq.value)

    async def shell_counts(self) -> dict[str, int]:
        """The shell's counters in the snapshot."""
        counts = {}
        for name in SHELL_COUNTERS:
            low, high = [await self.word(f"COUNTER_{name.upper()}_{half}")
                         for half in ("LO", "HI")]
            counts[name] = high << 32 | low
            self.compared += 1
        return counts

    async def reset_under_way(self) -> None:
        """Reset after some cycles of many accesses; then everything is as at first."""
        under_way = []
        for _ in range(8):
            name = self.rng.choice(list(self.kept))
            under_way.append(self.master.init_write(offset(name), self.rng.randbytes(4)))
            under_way.append(self.master.init_read(offset(name), 4))
        for _ in range(self.rng.randint(3, 25)):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 1
        for _ in range(self.rng.randint(2, 5)):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        for event in under_way:
            await _soon(event.wait())
        self.flushed += sum(event.data is None for event in under_way)
        for name in (*self.kept, "ERROR", "CONTROL", "IRQ_STATUS"):
            await self.check(name, _reset(name))
        self.kept = {name: _reset(name) for name in self.kept}


def _reset(name: str) -> int:
    """A register's word after reset."""
    return sum((field.reset or 0) << field.lsb for field in register(name).fields)


async def _soon(waiting: Coroutine[Any, Any, Any]) -> Any:
    """The result, or a failure where the port hangs."""
    return await with_timeout(waiting, TIMEOUT_US, "us")


@cocotb.test()
async def registers(dut: Any) -> None:
    """Reset values, random accesses, events, resets in mid-transfer."""
    values = job()
    bench = RegistersBench(dut, values)
    await bench.bench.start()
    bench.connect()
    await bench.every_register()
    for patterns in values["pauses"]:
        bench.pause(patterns)
        await bench.random_accesses(int(values["accesses"]))
        await bench.events(40)
        await bench.reset_under_way()
    finish({"compared": bench.compared, "refused": bench.refused, "flushed": bench.flushed,
            "counters": np.array(len(COUNTERS))})
