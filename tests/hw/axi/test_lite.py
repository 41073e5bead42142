"""AXI4-Lite slave: order, strobes, errors, latency, back-pressure and reset, cycle by cycle."""

import random
from itertools import pairwise

import pytest
from amaranth.hdl import ResetInserter, Signal

from ese_lstm.hw.axi.lite import OKAY, SLVERR, AxiLiteSlave

ADDRESS_BITS = 8
COUNT = 60


class Memory:
    """What stands behind the slave: done after a random number of cycles, errors by address."""

    def __init__(self, dut, rng, slowest):
        self.dut, self.rng, self.slowest = dut, rng, slowest
        self.words, self.handed = {}, {"write": 0, "read": 0}

    @staticmethod
    def error(address):
        return address % 8 == 5

    async def serve(self, ctx):
        wait = dict.fromkeys(self.handed)
        while True:
            seen = {name: ctx.get(getattr(self.dut, name)) for name in (
                "write", "write_address", "write_data", "write_strobes", "read", "read_address")}
            for kind in wait:
                done = wait[kind] == 0
                ctx.set(getattr(self.dut, f"{kind}_done"), done)
                wait[kind] = None if done or wait[kind] is None else wait[kind] - 1
                ctx.set(getattr(self.dut, f"{kind}_error"),
                        self.error(seen[f"{kind}_address"]) if done else self.rng.randrange(2))
                if kind == "read":
                    word = self.words.get(seen["read_address"], 0)
                    ctx.set(self.dut.read_data, word if done else self.rng.getrandbits(32))
                if seen[kind]:
                    assert wait[kind] is None and not done, "handed over twice"
                    self.handed[kind] += 1
                    wait[kind] = self.rng.randint(0, self.slowest)
            if seen["write"]:
                mask = sum(0xFF << 8 * byte for byte in range(4)
                           if seen["write_strobes"] >> byte & 1)
                word = self.words.get(seen["write_address"], 0)
                self.words[seen["write_address"]] = word & ~mask | seen["write_data"] & mask
            await ctx.tick()


def expected(writes):
    words = {}
    for access in writes:
        mask = sum(0xFF << 8 * byte for byte in range(4) if access.strobes >> byte & 1)
        words[access.address] = words.get(access.address, 0) & ~mask | access.data & mask
    return words


def random_writes(rng, count=COUNT):
    return [(rng.getrandbits(ADDRESS_BITS), rng.getrandbits(32), rng.getrandbits(4))
            for _ in range(count)]


@pytest.mark.parametrize("slowest", [0, 6])
def test_every_access_is_handed_over_once_and_answered(simulate, seed, axi_lite_port, pauses,
                                                       slowest):
    """Writes and reads at the same time; then every word written is read."""
    rng, dut = random.Random(seed), AxiLiteSlave(address_bits=ADDRESS_BITS)
    port, memory = axi_lite_port(dut.bus, rng, pauses), Memory(dut, rng, slowest)

    async def drive(ctx):
        port.put_writes(random_writes(rng))
        port.put_reads(rng.getrandbits(ADDRESS_BITS) for _ in range(COUNT))
        await port.run(ctx)
        port.put_reads(memory.words)
        await port.run(ctx)

    simulate(dut, drive, background=[memory.serve])
    assert memory.words == expected(port.writes)
    assert memory.handed == {"write": COUNT, "read": COUNT + len(memory.words)}
    for access in port.writes + port.reads:
        assert access.response == (SLVERR if memory.error(access.address) else OKAY)
    read = port.reads[COUNT:]
    assert [access.data for access in read] == [memory.words[access.address] for access in read]
    assert len(read) > 20


def test_latency_and_throughput(simulate, seed, axi_lite_port):
    """Handed over 1 cycle after it was accepted, answered 1 cycle after it was done, the next
    taken 1 cycle after the answer was."""
    rng, dut = random.Random(seed), AxiLiteSlave(address_bits=ADDRESS_BITS)
    port, memory = axi_lite_port(dut.bus, rng, {}), Memory(dut, rng, 0)

    async def drive(ctx):
        port.put_writes(random_writes(rng))
        port.put_reads(range(COUNT))
        await port.run(ctx)

    simulate(dut, drive, background=[memory.serve])
    assert dut.latency == 1
    for accesses in (port.writes, port.reads):
        for access in accesses:
            done = access.accepted + dut.latency + 1  # the memory is done a cycle after the strobe
            assert access.answered == access.taken == done + dut.latency
        for before, after in pairwise(accesses):
            assert after.accepted == before.taken + 1
        assert len(accesses) == COUNT


def test_reset_closes_the_port_and_forgets(simulate, seed, axi_lite_port, pauses):
    """In reset no VALID and no READY is high, from its first cycle to one after the last; the
    accesses after it are answered as if there had been none before."""
    rng, reset = random.Random(seed), Signal()
    dut = AxiLiteSlave(address_bits=ADDRESS_BITS)
    port, memory = axi_lite_port(dut.bus, rng, pauses), Memory(dut, rng, 0)
    quiet = dict.fromkeys(("awready", "wready", "arready", "bvalid", "rvalid"), 0)
    interrupted = 0

    async def drive(ctx):
        nonlocal interrupted
        for _ in range(25):
            port.put_writes(random_writes(rng, 3))
            port.put_reads(rng.getrandbits(ADDRESS_BITS) for _ in range(3))
            for _ in range(rng.randint(1, 20)):
                await port.cycle(ctx)
            interrupted += not port.done
            ctx.set(reset, 1)
            await ctx.tick()
            for _ in range(rng.randint(1, 4)):
                for name, value in quiet.items():
                    assert ctx.get(getattr(dut.bus, name)) == value, name
                await ctx.tick()
            ctx.set(reset, 0)
            assert {**port.outputs(ctx), **quiet} == port.outputs(ctx)
            port.forget()
            await ctx.tick()
            writes = len(port.writes)
            assert await port.write(ctx, 8, 0x12345678) == OKAY
            assert await port.read(ctx, 8) == 0x12345678
            assert len(port.writes) == writes + 1

    simulate(ResetInserter(reset)(dut), drive, background=[memory.serve])
    assert interrupted > 5


def test_arguments():
    with pytest.raises(ValueError, match="data_bits: must be 32 or 64, got 16"):
        AxiLiteSlave(address_bits=8, data_bits=16)
