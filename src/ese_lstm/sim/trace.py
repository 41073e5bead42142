"""What an engine writes, told alike by the golden model and by the simulated Verilog."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Trace:
    """Writes to one buffer in the hardware's order: addresses (n,), values (n, channels)."""

    addresses: NDArray[Any]
    values: NDArray[Any]


@dataclass(frozen=True)
class Frame:
    """What one frame wrote. outputs: (output_width, channels). trace_cell: to the cell buffer.
    trace_result: hidden and projected values, to the activation buffer."""

    outputs: NDArray[Any]
    trace_cell: Trace
    trace_result: Trace
