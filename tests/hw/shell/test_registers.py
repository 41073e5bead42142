"""Registers against a twin that is told the cycle of every access and event."""

import random
from dataclasses import dataclass, field

import pytest
from amaranth.hdl import ResetInserter, Signal

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.counters import COUNTER_BITS, ENGINE_COUNTERS, SHELL_COUNTERS
from ese_lstm.contract.identity import identity_words
from ese_lstm.contract.registers import COUNTERS, REGISTERS, Access, offset, register
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.hw.axi.lite import OKAY, SLVERR
from ese_lstm.hw.shell.registers import (
    RESET_CYCLES,
    Registers,
    error_layout,
    status_layout,
)

TINY, SHELL = PRESETS["tiny"], SHELL_PRESETS["tiny"]
CONFIGS = {"resident": (TINY, SHELL),
           "streaming": (TINY.replace(fetch_depth=64), SHELL.replace(memory_address_bits=34)),
           "streaming, 32-bit addresses": (TINY.replace(fetch_depth=64), SHELL)}
ERRORS, STATUS = tuple(error_layout().members), tuple(status_layout().members)
ACCESS = register("ERROR").field("access").mask
ERROR_IRQ, FRAME_IRQ = (register("IRQ_STATUS").field(name).mask for name in ("error", "frame_done"))
SOFT_RESET = register("CONTROL").field("soft_reset").mask
INSTANCE = {"ERROR": 0, "IRQ_STATUS": 0, "IRQ_ENABLE": 0, "CONTROL": 0, "WEIGHT_BASE_LO": 0,
            "WEIGHT_BASE_HI": 0, "WEIGHT_ROWS": 0, "WATCHDOG": 0, "MEMORY_TIMEOUT": 1 << 24}
FORGET = register("CONTROL").field("memory_forget").mask


@dataclass
class Twin:
    """What the registers hold, by the description; ``step`` is one clock cycle."""

    widths: dict[str, int]
    kept: dict[str, int] = field(default_factory=lambda: {"SCRATCH": 0, **INSTANCE})
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SHELL_COUNTERS, 0))
    copies: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    stepped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SHELL_COUNTERS, 0))
    latch: bool = False
    forget: bool = False
    irq: int = 0
    left: int = 0

    def step(self, inputs, writes, bad):
        """inputs: values of the members in this cycle. writes: (register, data, bit mask) that take
        effect at its end. bad: an access is answered SLVERR at its end."""
        kept, resetting = dict(self.kept), self.left > 0
        self.irq = int(bool(kept["IRQ_STATUS"] & kept["IRQ_ENABLE"]))
        if self.latch:
            self.copies = {**inputs["counters"], **self.counts}
        for name in SHELL_COUNTERS:
            self.counts[name] = 0 if resetting else self.counts[name] + self.stepped[name]
            self.stepped[name] = 0 if resetting else inputs["events"][name]
        if self.left > 1 or (self.left and not inputs["reset_hold"]):
            self.left -= 1
        errors = 0 if resetting else sum(
            inputs["error_set"][name] << register("ERROR").field(name).lsb for name in ERRORS)
        errors |= ACCESS if bad else 0
        done = inputs["events"]["frames_out"] and not resetting
        self.latch = begin = self.forget = False
        clears = dict.fromkeys(("ERROR", "IRQ_STATUS"), 0)
        for name, data, mask in writes:
            if name in clears:
                clears[name] = data & mask
            elif name == "COUNTER_SNAPSHOT":
                self.latch = bool(data & mask & 1)
            else:
                kept[name] = (kept[name] & ~mask | data & mask) & self.widths[name]
                begin |= name == "CONTROL" and bool(data & mask & SOFT_RESET)
                self.forget |= name == "CONTROL" and bool(data & mask & FORGET)
        kept["ERROR"] = kept["ERROR"] & ~clears["ERROR"] | errors
        kept["IRQ_STATUS"] = (kept["IRQ_STATUS"] & ~clears["IRQ_STATUS"]
                              | (ERROR_IRQ if errors else 0) | (FRAME_IRQ if done else 0))
        self.kept = {**kept, **INSTANCE} if begin else kept
        if begin:
            self.left = RESET_CYCLES

    def word(self, name, inputs):
        if name == "STATUS":
            return sum(inputs["status"][flag] << k for k, flag in enumerate(STATUS))
        if name == "CONTROL":
            return self.kept[name] | (SOFT_RESET if self.left else 0)
        if name == "COUNTER_SNAPSHOT":
            return 0
        if name.startswith("COUNTER_"):
            counter, half = name.removeprefix("COUNTER_").lower().rsplit("_", 1)
            return self.copies[counter] >> 32 if half == "hi" else self.copies[counter] % (1 << 32)
        return self.kept[name]


def random_inputs(rng, rate):
    return {"status": {name: rng.randrange(2) for name in STATUS},
            "error_set": {name: int(rng.random() < rate / 5) for name in ERRORS},
            "events": {name: int(rng.random() < rate) for name in SHELL_COUNTERS},
            "counters": {name: rng.getrandbits(COUNTER_BITS) for name in ENGINE_COUNTERS},
            "reset_hold": int(rng.random() < 0.9)}


def there(config):
    return {each.offset: each for each in REGISTERS if config.fetch_depth or not each.streaming}


def random_address(rng, known):
    if rng.random() < 0.15:
        return rng.choice([rng.getrandbits(12), rng.choice(known) + rng.randint(1, 3)])
    return rng.choice(known)


def widths(config, shell):
    ones = {each.name: sum(part.mask for part in each.fields if part.access == Access.RW)
            for each in REGISTERS}
    return {**ones, "WEIGHT_BASE_HI": (1 << shell.memory_address_bits - 32) - 1}


@pytest.mark.parametrize("case, pauses", [
    *(("resident", pattern) for pattern in ("none", "half", "address late", "data late",
                                            "answers wait")),
    ("streaming", "half"), ("streaming, 32-bit addresses", "none")], indirect=["pauses"])
def test_every_register_in_every_cycle(simulate, seed, axi_lite_port, pauses, case):
    """Random accesses with events in every cycle: each read, each output, each answer's cycle."""
    rng, (config, shell) = random.Random(seed), CONFIGS[case]
    dut, known = Registers(config=config, shell=shell), there(config)
    port = axi_lite_port(dut.bus, rng, pauses)
    memory = ("weight_base", "weight_rows", "memory_timeout", "memory_forget")
    names = ("irq", "run", "soft_reset", "watchdog", *(memory if config.fetch_depth else ()))
    inputs, outputs = [], []
    favoured = [offset(name) for name in ("CONTROL", "ERROR", "IRQ_ENABLE", "IRQ_STATUS", "SCRATCH",
                                          "COUNTER_SNAPSHOT")]

    async def drive(ctx):
        for _ in range(3):
            writes = [(random_address(rng, favoured if rng.random() < 0.6 else list(known)),
                       rng.getrandbits(32) & rng.getrandbits(32),
                       rng.choice([15, rng.getrandbits(4)])) for _ in range(60)]
            writes[0] = offset("CONTROL"), 1, 15
            writes[30:32] = [(offset("CONTROL"), SOFT_RESET, 15), (offset("IRQ_ENABLE"), 3, 15)]
            port.put_writes(writes)
            port.put_reads(random_address(rng, list(known)) for _ in range(90))
            rate = rng.choice([0.02, 0.5])
            while not port.done:
                inputs.append(random_inputs(rng, rate))
                for name, value in inputs[-1].items():
                    ctx.set(getattr(dut, name), value)
                outputs.append({name: ctx.get(getattr(dut, name)) for name in names})
                await port.cycle(ctx)

    simulate(dut, drive)
    by_name = {each.name: each for each in REGISTERS}
    constants = identity_words(config, shell)
    twin, resets, compared = Twin(widths(config, shell)), 0, 0
    writes, reads, bad = {}, {}, set()
    for access in port.writes:
        assert access.answered == access.accepted + Registers.WRITE_LATENCY
        each = known.get(access.address)
        ok = each is not None and each.writable
        assert access.response == (OKAY if ok else SLVERR), hex(access.address)
        if ok:
            mask = sum(0xFF << 8 * byte for byte in range(4) if access.strobes >> byte & 1)
            writes[access.answered - 1] = (each.name, access.data, mask)
        else:
            bad.add(access.answered - 1)
    for access in port.reads:
        assert access.answered == access.accepted + Registers.READ_LATENCY
        ok = access.address in known
        assert access.response == (OKAY if ok else SLVERR), hex(access.address)
        if ok:
            reads.setdefault(access.answered - 2, []).append(access)
        else:
            bad.add(access.answered - 1)
    for now, (given, shown) in enumerate(zip(inputs, outputs, strict=True)):
        assert shown["irq"] == twin.irq and shown["run"] == twin.kept["CONTROL"] & 1
        assert shown["soft_reset"] == (twin.left > 0)
        assert shown["watchdog"] == twin.kept["WATCHDOG"]
        if config.fetch_depth:
            assert shown["weight_base"] == (twin.kept["WEIGHT_BASE_LO"]
                                            | twin.kept["WEIGHT_BASE_HI"] << 32)
            assert shown["weight_rows"] == twin.kept["WEIGHT_ROWS"]
            assert shown["memory_timeout"] == twin.kept["MEMORY_TIMEOUT"]
            assert shown["memory_forget"] == twin.forget
        for access in reads.get(now, ()):
            name = known[access.address].name
            word = constants[name] if name in constants else twin.word(name, given)
            assert access.data == word, (now, name)
            compared += 1
            assert not word & ~sum(part.mask for part in by_name[name].fields)
        before = twin.left
        twin.step(given, [writes[now]] if now in writes else [], now in bad)
        resets += twin.left > before
    assert compared > 150 and resets >= 3 and len(bad) > 20
    assert sum(shown["irq"] for shown in outputs) and sum(shown["run"] for shown in outputs)


def test_every_constant_and_the_reset_values(simulate, seed, axi_lite_port):
    rng, (config, shell) = random.Random(seed), CONFIGS["streaming"]
    dut = Registers(config=config, shell=shell)
    port = axi_lite_port(dut.bus, rng, {})
    words = identity_words(config, shell)
    seen = {}

    async def drive(ctx):
        for each in REGISTERS:
            seen[each.name] = await port.read(ctx, each.offset)

    simulate(dut, drive)
    assert {name: seen[name] for name in words} == words and len(words) > 15
    for each in REGISTERS:
        for part in each.fields:
            assert each.name in words or part.get(seen[each.name]) == (part.reset or 0), each.name


@pytest.mark.parametrize("name", ["ERROR", "IRQ_STATUS"])
def test_an_event_in_the_cycle_of_its_clearing_wins(simulate, seed, axi_lite_port, name):
    """Set in each cycle around the write: lost only if it was there before it was cleared."""
    rng = random.Random(seed)
    dut = Registers(config=TINY, shell=SHELL)
    port = axi_lite_port(dut.bus, rng, {})
    member, flag = {"ERROR": (dut.error_set, "load_lane"),
                    "IRQ_STATUS": (dut.events, "frames_out")}[name]
    bit = register(name).field({"ERROR": flag}.get(name, "frame_done"))
    left = {}

    async def drive(ctx):
        for cycle in range(Registers.WRITE_LATENCY + 2):
            port.put_writes([(offset(name), 0xFFFFFFFF, 15)])
            begin = port.now
            while not port.done:
                ctx.set(member[flag], port.now - begin == cycle)
                await port.cycle(ctx)
            ctx.set(member[flag], cycle > Registers.WRITE_LATENCY)
            await port.cycle(ctx)
            ctx.set(member[flag], 0)
            left[cycle] = bit.get(await port.read(ctx, offset(name)))
            await port.write(ctx, offset(name), 0xFFFFFFFF)
            assert await port.read(ctx, offset(name)) == 0

    simulate(dut, drive)
    effect = Registers.WRITE_LATENCY - 1
    assert left == {cycle: int(cycle >= effect) for cycle in range(effect + 3)}


def test_soft_reset_lasts_and_waits_and_says_so(simulate, seed, axi_lite_port):
    """High for RESET_CYCLES, or to one cycle after it was held; the port answers meanwhile."""
    rng = random.Random(seed)
    dut = Registers(config=TINY, shell=SHELL)
    port = axi_lite_port(dut.bus, rng, {})
    lengths = []

    async def drive(ctx):
        for held in (0, RESET_CYCLES - 3, RESET_CYCLES + 5):
            assert await port.write(ctx, offset("CONTROL"), 1) == OKAY
            assert ctx.get(dut.run)
            assert await port.write(ctx, offset("CONTROL"), 3) == OKAY
            assert ctx.get(dut.soft_reset) and not ctx.get(dut.run)
            length = 1  # the answer was taken in its first cycle
            port.put_reads([offset("CONTROL")])
            while ctx.get(dut.soft_reset):
                ctx.set(dut.reset_hold, length < held)
                await port.cycle(ctx)
                length += 1
            assert port.done and port.reads[-1].data == SOFT_RESET
            assert await port.read(ctx, offset("CONTROL")) == 0
            lengths.append(length)

    simulate(dut, drive)
    assert lengths == [RESET_CYCLES, RESET_CYCLES, RESET_CYCLES + 6]


def test_reset_in_mid_transfer(simulate, seed, axi_lite_port, pauses):
    """Whatever was under way: the port is silent in reset, then every register is as at first."""
    rng, reset = random.Random(seed), Signal()
    dut = Registers(config=TINY, shell=SHELL)
    port = axi_lite_port(dut.bus, rng, pauses)
    known, interrupted = there(TINY), 0
    kept = ("SCRATCH", "CONTROL", "ERROR", "IRQ_ENABLE", "IRQ_STATUS")

    async def drive(ctx):
        nonlocal interrupted
        for _ in range(12):
            port.put_writes((offset(rng.choice(kept)), rng.getrandbits(32), 15) for _ in range(4))
            port.put_reads(random_address(rng, list(known)) for _ in range(4))
            for _ in range(rng.randint(1, 25)):
                await port.cycle(ctx)
            interrupted += not port.done
            ctx.set(reset, 1)
            await ctx.tick()
            assert not any(ctx.get(signal) for signal in (
                dut.bus.bvalid, dut.bus.rvalid, dut.irq, dut.run, dut.soft_reset))
            port.forget()
            ctx.set(reset, 0)
            await ctx.tick()
            for name in kept:
                assert await port.read(ctx, offset(name)) == 0, name
            assert await port.write(ctx, offset("SCRATCH"), 0x89ABCDEF) == OKAY
            assert await port.read(ctx, offset("SCRATCH")) == 0x89ABCDEF

    simulate(ResetInserter(reset)(dut), drive)
    assert interrupted > 3
