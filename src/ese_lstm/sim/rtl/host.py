"""A host at the shell's registers, whatever carries its accesses."""

from ...contract.registers import COUNTERS, offset, register


class Host:
    """Registers by name. A subclass reads and writes 32-bit words, and waits.

    patience: reads of a register for which :meth:`until` waits.
    """

    patience = 4000

    async def read_word(self, address: int) -> int:
        """Word at a byte offset; an answer that is not OKAY is an AssertionError."""
        raise NotImplementedError

    async def write_word(self, address: int, word: int) -> None:
        """Write a word at a byte offset; an answer that is not OKAY is an AssertionError."""
        raise NotImplementedError

    async def cycles(self, count: int) -> None:
        """Wait."""
        raise NotImplementedError

    async def read(self, name: str) -> int:
        """Word of a register."""
        return await self.read_word(offset(name))

    async def write(self, name: str, word: int) -> None:
        """Write a register."""
        await self.write_word(offset(name), word)

    async def flag(self, name: str, field: str) -> int:
        """One field of a register."""
        return register(name).field(field).get(await self.read(name))

    async def until(self, name: str, field: str, value: int = 1) -> None:
        """Read a register until a field has a value."""
        for _ in range(self.patience):
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
        """All counters in one cycle, which is always as many cycles after the call."""
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
