"""cocotb bench: resets while the memory goes on, and a memory or an engine that falls silent.

Scenarios by name, with the host of ``bench_shell``; the memory is never reset but where it is said.
"""

import bench_shell
import cocotb
from bench_axi import MEMORY_CHANNELS
from bench_shell import scenario
from cocotb.triggers import RisingEdge

from ese_lstm.contract.registers import register

TIMEOUT, PATIENCE = 300, 600
"""Cycles: of MEMORY_TIMEOUT and of WATCHDOG."""
OFFERS = {"aw": ("addr", "len"), "ar": ("addr", "len"), "w": ("data", "strb", "last")}


class Host(bench_shell.Host):
    """Watches the memory port, also in reset. reads: bursts under way; writing: W is inside a
    burst; short: beats of W without strobes."""

    def __init__(self, dut, values):
        super().__init__(dut, values)
        self.reads = self.short = 0
        self.writing = self.memory_in_reset = False
        if self.memory is not None:
            cocotb.start_soon(self.watch())

    async def watch(self):
        offered = {}
        while True:
            await RisingEdge(self.dut.clk)
            moved = {}
            for name in (*OFFERS, "r"):
                valid, ready = (int(self.port(name, kind)) for kind in ("valid", "ready"))
                moved[name] = valid and ready
                payload = tuple(int(self.port(name, part)) for part in OFFERS.get(name, ()))
                assert name not in offered or (valid and payload == offered[name]), \
                    f"{name}: an offer must stay, also in reset"
                offered.pop(name, None)
                if name in OFFERS and valid and not ready:
                    offered[name] = payload
            if self.memory_in_reset:
                offered.clear()
            self.reads += moved["ar"] - (moved["r"] and int(self.port("r", "last")))
            if moved["w"]:
                self.writing = not int(self.port("w", "last"))
                self.short += int(self.port("w", "strb")) == 0

    def port(self, name, part):
        return getattr(self.dut, f"m_axi_{name}{part}").value

    def sides(self):
        for name in MEMORY_CHANNELS:
            part = name.removeprefix("memory_")
            side = getattr(self.memory, "read_if" if part in ("ar", "r") else "write_if")
            yield side, getattr(side, f"{part}_channel")

    def silence(self, on=True):
        """The memory does nothing more, or goes on."""
        for _, channel in self.sides():
            channel.clear_pause_generator()
            channel.pause = on

    async def until_true(self, condition, cycles=20_000):
        for _ in range(cycles):
            if condition():
                return
            await self.cycles(1)
        raise AssertionError("what the scenario waits for must happen")

    async def pulse(self, cycles):
        """rst, and what the host knows to be gone."""
        self.frames.clear()
        self.loads.clear()
        await self.reset(cycles)
        self.results.clear()
        assert await self.read("ERROR") == 0 and await self.flag("STATUS", "idle")

    async def recover(self):
        """What docs/system.md tells a host to do after an error of memory or watchdog."""
        await self.run(0)
        self.frames.clear()
        self.loads.clear()
        await self.soft_reset()
        await self.until("STATUS", "memory_busy", 0)
        assert not await self.flag("STATUS", "memory_isolated")
        await self.leftovers()
        await self.load(self.image)
        await self.errors()
        await self.whole_run()

    async def leftovers(self):
        """End packets of which the shell has a part; take a result that it still offers."""
        await self.cycles(50)
        await self.sent(self.loads)
        await self.sent(self.frames)
        for busy, send in (("load_busy", self.send_load), ("frame_busy", self.send)):
            if await self.flag("STATUS", busy):
                send(self.packets[0][:bench_shell.BEAT])
        await self.until("STATUS", "load_busy", 0)
        await self.until("STATUS", "frame_busy", 0)
        await self.until("STATUS", "result_busy", 0)
        self.results.clear()

    async def told(self, name):
        """The error, by interrupt and by name."""
        await self.write("IRQ_ENABLE", register("IRQ_STATUS").pack({"error": 1}))
        await self.until_true(lambda: int(self.dut.irq.value))
        found = await self.errors()
        assert name in found, found
        await self.write("IRQ_ENABLE", 0)

    async def begin(self):
        await self.run()
        for packet in self.packets[:4]:
            self.send(packet)


@scenario
async def a_reset_while_reads_are_outstanding(host):
    """The count of bursts fell below 0, and the shell never read again."""
    for length in (1, 2, 7, 60):
        await host.begin()
        await host.until_true(lambda: host.reads > 0)
        await host.cycles(host.rng.randrange(30))
        await host.until_true(lambda: host.reads > 0)
        await host.pulse(length)
        await host.load(host.image)
        await host.whole_run()


@scenario
async def a_reset_in_a_burst_of_writes(host):
    """The memory waited for the rest and took that of the next burst for it: wrong weights."""
    for length in (1, 2, 7, 60):
        for packet in host.image:
            host.send_load(packet)
        await host.until_true(lambda: host.writing)
        before = host.short
        await host.pulse(length)
        await host.load(host.image)
        await host.whole_run()
        assert host.short > before


@scenario
async def resets_again_and_again(host):
    """At any moment of loading and running, the next before the last is drained."""
    for _ in range(12):
        if host.rng.random() < 0.5:
            for packet in host.image:
                host.send_load(packet)
        else:
            await host.load(host.image)
            await host.begin()
        await host.cycles(host.rng.randrange(400))
        for _ in range(host.rng.randrange(1, 4)):
            await host.pulse(host.rng.choice([1, 2, 20]))
            await host.cycles(host.rng.randrange(6))
    await host.load(host.image)
    await host.whole_run()


@scenario
async def the_memory_falls_silent(host):
    """While it is read, then while it is written: told, everything else goes on, and after
    soft_reset and the memory's late answers all is as before."""
    for writes in (False, True):
        await host.write("MEMORY_TIMEOUT", TIMEOUT)
        if writes:
            for packet in host.image:
                host.send_load(packet)
            await host.until_true(lambda: host.writing)
        else:
            await host.begin()
            await host.until_true(lambda: host.reads > 0)
        host.silence()
        await host.told("memory_timeout")
        assert await host.flag("STATUS", "memory_isolated")
        await host.write("SCRATCH", 77)
        assert await host.read("SCRATCH") == 77
        await host.run(0)
        host.loads.clear()
        host.frames.clear()
        await host.soft_reset()
        assert await host.flag("STATUS", "memory_busy") and not await host.flag(
            "STATUS", "memory_isolated")
        host.silence(False)
        await host.recover()


@scenario
async def the_memory_never_comes_back(host):
    """Told again and again, soft_reset ends each time; until the memory is reset."""
    await host.write("MEMORY_TIMEOUT", TIMEOUT)
    await host.begin()
    await host.until_true(lambda: host.reads > 0)
    host.silence()
    await host.told("memory_timeout")
    for _ in range(2):
        host.frames.clear()
        await host.soft_reset()
        await host.write("MEMORY_TIMEOUT", TIMEOUT)
        await host.told("memory_timeout")
        assert await host.flag("STATUS", "memory_isolated")
    host.memory_in_reset = True
    for part in {part for pair in host.sides() for part in pair}:
        part.assert_reset()
    await host.write("CONTROL", register("CONTROL").pack({"memory_forget": 1}))
    host.memory_in_reset, host.reads = False, 0
    assert await host.flag("STATUS", "memory_busy") == 0
    assert await host.flag("STATUS", "memory_isolated")
    host.silence(False)
    await host.recover()


@scenario
async def the_engine_hangs(host):
    """Rows that never come, with the memory's timeout off: the watchdog tells."""
    await host.write("MEMORY_TIMEOUT", 0)
    await host.write("WATCHDOG", PATIENCE)
    await host.begin()
    await host.until_true(lambda: host.reads > 0)
    host.silence()
    await host.told("watchdog")
    assert await host.flag("STATUS", "memory_isolated") == 0
    await host.told("watchdog")
    host.silence(False)
    await host.recover()


@scenario
async def the_host_is_slow(host):
    """However long each stream stands still, the watchdog keeps quiet."""
    stops = {"nothing": None, "frames": host.frames, "results": host.results,
             "loads": host.loads}
    await host.write("WATCHDOG", PATIENCE)
    long = 3 * PATIENCE
    for stream in stops.values():
        if stream is not None:
            stream.clear_pause_generator()
            stream.pause = False
    for name, stream in stops.items():
        for wait in (0, host.rng.randrange(1000)):
            await host.cycles(wait)
            await host.run()
            if name == "nothing":
                await host.cycles(long)
            for packet in host.packets:
                host.send(packet)
            await host.cycles(host.rng.randrange(1, 300))
            if name == "loads":
                host.send_load(host.packets[0][:bench_shell.BEAT])
            if stream is not None:
                stream.pause = True
                await host.cycles(long)
                stream.pause = False
            await host.compare(len(host.packets))
            await host.cycles(long if name == "nothing" else 0)
            await host.stop()
            assert not {"watchdog"} & set(await host.errors()), name


@cocotb.test()
async def play(dut):
    await bench_shell.act(dut, Host)
