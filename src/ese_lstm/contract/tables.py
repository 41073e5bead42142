"""σ and tanh as tables of line segments over [0, 8), extended by symmetry.

A pre-activation x (``act_bits`` wide, ``act_bits − 4`` fraction bits) splits into its sign and a
magnitude ``a = min(|x|, 2**(act_bits−1) − 1)``: ``index`` is the magnitude's upper
``index_bits``, ``rest`` its lower ``rest_bits``. The table gives, in units of
2**−(act_bits−1),

    v = base[index] + ((slope[index] · rest + half) >> rest_bits),   half = 2**(rest_bits−1)
    σ(x)    = v for x ≥ 0, 2**(act_bits−1) − v for x < 0
    tanh(x) = v for x ≥ 0, −v for x < 0

A knot stands above the curve by half the sag of its chord, so the error is shared evenly between
knots and midpoints; worst error at 16 bits is below 2**−11 for both (tests/contract).
"""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from .config import EngineConfig

INDEX_BITS = 7
RANGE = 8.0
FUNCTIONS = ("sigmoid", "tanh")


@dataclass(frozen=True)
class ActivationTable:
    """Knots of σ (functions[0]) and tanh (functions[1]); ``base`` and ``slope`` are integers."""

    act_bits: int
    index_bits: int
    rest_bits: int
    base: tuple[tuple[int, ...], tuple[int, ...]]
    slope: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def base_bits(self) -> int:
        """Width of an unsigned base."""
        return self.act_bits - 1

    @property
    def slope_bits(self) -> int:
        """Width of an unsigned slope (rise over one segment)."""
        return max(max(self.slope[0] + self.slope[1]).bit_length(), 1)


def activation_table(config: EngineConfig) -> ActivationTable:
    """The table that hardware and golden model share for this configuration."""
    return _table(config.act_bits)


@cache
def _table(act_bits: int) -> ActivationTable:
    index_bits = min(INDEX_BITS, act_bits - 1)
    step = RANGE / (1 << index_bits)
    one = 1 << (act_bits - 1)
    bases, slopes = [], []
    for function in FUNCTIONS:
        knots = []
        for index in range((1 << index_bits) + 1):
            value = _lifted(function, index * step, step)
            knots.append(min(max(math.floor(value * one + 0.5), 0), one - 1))
        bases.append(tuple(knots[:-1]))
        slopes.append(tuple(b - a for a, b in pairwise(knots)))
    return ActivationTable(act_bits, index_bits, act_bits - 1 - index_bits,
                           (bases[0], bases[1]), (slopes[0], slopes[1]))


def _lifted(function: str, x: float, step: float) -> float:
    if function == "sigmoid":
        y = 1.0 / (1.0 + math.exp(-x))
        bend = y * (1.0 - y) * (1.0 - 2.0 * y)
    else:
        y = math.tanh(x)
        bend = -2.0 * y * (1.0 - y * y)
    return y - bend * step * step / 16.0
