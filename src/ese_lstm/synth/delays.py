"""The delay model of the timing estimate: every number of it, with where it comes from.

UltraScale, speed grade -2, slow corner, nanoseconds. No vendor publishes delays of single cells
or nets, so these are assumptions, set on the slow side of what routed Vivado reports in public
show: on a Virtex UltraScale of a VCU108 (github.com/optimsoc/optimsoc issue 104) LUTs take 0.04 to
0.17 ns and nets of a fan-out of 2 to 8 take 0.15 to 0.35 ns. Memory and DSP figures are rounded
up from the manner of AMD's UltraScale data sheets.
"""

from collections.abc import Mapping
from math import log2

PERIOD = 5.0
"""200 MHz."""

UNCERTAINTY = 0.1
"""Clock jitter and skew, taken off the period."""

NET, NET_PER_DOUBLING = 0.25, 0.05
"""A net inside a unit: NET + NET_PER_DOUBLING · log2(fan-out)."""

FAR_NET = 1.0
"""A net from or to what is spread over the device (see ``spread``), more with fan-out as above. The
sequencers between them are small enough to lie side by side."""

LUT, MUX, CARRY_IN, CARRY_STEP = 0.15, 0.15, 0.30, 0.03
"""Through a LUT; a slice multiplexer; into a carry chain or out of it; along four bits of it."""

FF_OUT, FF_SETUP, FF_CONTROL = 0.12, 0.06, 0.15
"""Clock to output; data before clock; enable and reset before clock."""

RAM_READ, RAM_OUT, RAM_SETUP = 0.20, 0.90, 0.40
"""LUT as memory: address to data; clock to data just written; write port before clock."""

SHIFT_OUT = 0.80
"""Clock to output of a LUT as shift register."""

BLOCK_OUT, BLOCK_SETUP = 1.60, 0.45
"""Block RAM without output register; address, data and enables before clock."""

DSP_OUT, DSP_SETUP, DSP_THROUGH = 0.50, 0.40, 3.0
"""DSP48E2: registered product to output; operand before its register; unregistered multiply."""


SPREAD_OUT = ("ese_engine", "ese_elementwise")
"""Units whose parts are spread over the device; all others are small."""


def spread(copies: Mapping[str, int]) -> frozenset[str]:
    """Types of cells and units that can't lie side by side: those placed more than once (lanes,
    collectors, channels), the element-wise unit that holds the channels, block RAMs."""
    return frozenset({name for name, count in copies.items() if count > 1}
                     | {"ese_elementwise", "RAMB36E2", "RAMB18E2"})


def net(fanout: int, *, far: bool = False) -> float:
    """Delay of a net with that many readers."""
    return (FAR_NET if far else NET) + NET_PER_DOUBLING * log2(max(fanout, 1))
