"""How fast an external memory answers: what the cycle model counts with and benches act out."""

from dataclasses import dataclass

from .errors import EseError


@dataclass(frozen=True)
class MemoryTiming:
    """A memory behind an AXI4 port, in clock cycles of the engine.

    bits_per_cycle: what it delivers at most on average; a beat is sent when that many bits have
    accrued, and bits do not accrue beyond one beat. latency: request of the row fetch taken → first
    beat, at the earliest; the guard's cycle in front of the memory is a part of it.
    refresh_interval, refresh_cycles: every so many cycles no data for so long (DDR4: 7.8 µs and
    350 ns [pub: JEDEC JESD79-4, 8 Gbit]); interval 0: never.
    Raises EseError naming the field, the rule and the value.
    """

    bits_per_cycle: int
    latency: int = 40
    refresh_interval: int = 0
    refresh_cycles: int = 0

    def __post_init__(self) -> None:
        for name, least in (("bits_per_cycle", 1), ("latency", 1), ("refresh_interval", 0),
                            ("refresh_cycles", 0)):
            if getattr(self, name) < least:
                raise EseError(f"{name}: must be at least {least}, got {getattr(self, name)}")
        if self.refresh_interval and self.refresh_cycles >= self.refresh_interval:
            raise EseError(f"refresh_cycles: must be below refresh_interval="
                           f"{self.refresh_interval}, got {self.refresh_cycles}")

    def refreshing(self, cycle: int) -> bool:
        """No data in this cycle."""
        return bool(self.refresh_interval) and (
            cycle % self.refresh_interval < self.refresh_cycles)


def bits_per_cycle(gigabytes_per_second: float, clock_mhz: float) -> int:
    """Bandwidth in bits per clock cycle; raises EseError if it is not positive."""
    bits = round(8000 * gigabytes_per_second / clock_mhz)
    if bits < 1:
        raise EseError(f"bandwidth: must be at least one bit a cycle, got "
                       f"{gigabytes_per_second} GB/s at {clock_mhz} MHz")
    return bits
