"""When a device says that it hangs."""

from dataclasses import dataclass

from ..contract.errors import EseError
from ..contract.registers import MEMORY_TIMEOUT_CYCLES, register


@dataclass(frozen=True)
class Patience:
    """Clock cycles after which a device says that it hangs; 0: never.

    watchdog_cycles: the engine has a frame and does nothing, without waiting for the host; must be
    longer than any pause of the external memory. memory_timeout_cycles: external memory neither
    takes nor answers anything. Raises EseError naming the field, the rule and the value.
    """

    watchdog_cycles: int = 0
    memory_timeout_cycles: int = MEMORY_TIMEOUT_CYCLES

    def __post_init__(self) -> None:
        limit = register("WATCHDOG").fields[0].maximum
        for name, value in vars(self).items():
            if not 0 <= value <= limit:
                raise EseError(f"{name}: must be 0 to {limit}, got {value}")


DEFAULT_PATIENCE = Patience()
"""No watchdog; the memory's timeout as after a reset of the device."""
