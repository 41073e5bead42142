"""The element-wise unit's arithmetic, step by step: integers as in hardware, or real numbers.

Formats (``A`` = act_bits): gate inputs have A − 4 fraction bits, gates and results of LSTM tiles
A − 1, the cell state cell_frac, accumulators whatever the tile's weights and activations add up
to. Intermediate values are as wide as they must be; none overflows 64 bits.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...contract.config import EngineConfig
from ...contract.errors import EseError
from ...contract.formats import FixedFormat, cell_format, gate_format, gate_input_format
from .activation import ActivationTables

Values = NDArray[Any]
"""int64 with :class:`IntegerArithmetic`, float64 with :class:`FloatArithmetic`."""


def round_shift(values: NDArray[np.int64], shift: int) -> NDArray[np.int64]:
    """``floor(values / 2**shift + ½)``: nearest, ties toward +∞; twin of the rounding shifter."""
    if shift == 0:
        return values
    return (values + (1 << (shift - 1))) >> shift


def saturate(values: NDArray[np.int64], fmt: FixedFormat) -> tuple[NDArray[np.int64], int]:
    """``values`` limited to the format's range, and how many were outside it."""
    limited = np.clip(values, fmt.minimum, fmt.maximum)
    return limited, int(np.count_nonzero(limited != values))


class Arithmetic(Protocol):
    """What one row, then one cell, goes through. Arrays of any one shape; counts of saturated
    values beside the results that can saturate."""

    dtype: type[Any]

    def check_input(self, frame: Values) -> Values:
        """An input frame in :attr:`dtype`; raises EseError on values that the buffer can't hold."""

    def check_accumulators(self, acc: Values) -> tuple[int, int] | None:
        """Position (row, channel) of an accumulator outside acc_bits, if there is one."""

    def gate_input(self, total: Values, shift: int) -> tuple[Values, int]:
        """Accumulator + bias + peephole product → gate input."""

    def sigmoid(self, x: Values) -> Values:
        """Gate input → gate i, f or o."""

    def tanh(self, x: Values) -> Values:
        """Gate input → gate g or tanh(c)."""

    def cell(self, f: Values, c: Values, i: Values, g: Values) -> tuple[Values, int]:
        """New cell state f·c + i·g."""

    def tanh_input(self, c: Values) -> tuple[Values, int]:
        """Cell state → gate input format."""

    def hidden(self, o: Values, tanh_c: Values) -> tuple[Values, int]:
        """m = o·tanh(c)."""

    def linear(self, total: Values, shift: int) -> tuple[Values, int]:
        """Accumulator + bias → result of a linear row."""


class IntegerArithmetic:
    """Bit for bit what the hardware computes."""

    dtype: type[Any] = np.int64

    def __init__(self, config: EngineConfig) -> None:
        self._act = config.act_bits
        self._acc = FixedFormat(config.acc_bits, 0)
        self._input = gate_input_format(config)
        self._gate = gate_format(config)
        self._cell = cell_format(config)
        self._tables = ActivationTables.of(config)

    def check_input(self, frame: Values) -> Values:
        """See :class:`Arithmetic`."""
        if not np.issubdtype(frame.dtype, np.integer):
            raise EseError(f"frame: must hold integers of {self._act} bits, got {frame.dtype}")
        values = frame.astype(np.int64)
        outside = (values < self._gate.minimum) | (values > self._gate.maximum)
        if outside.any():
            raise EseError(f"frame: must hold integers of {self._act} bits, got "
                           f"{int(values[outside][0])}")
        return values

    def check_accumulators(self, acc: Values) -> tuple[int, int] | None:
        """See :class:`Arithmetic`."""
        if not acc.size or (acc.min() >= self._acc.minimum and acc.max() <= self._acc.maximum):
            return None
        row, channel = np.argwhere((acc < self._acc.minimum) | (acc > self._acc.maximum))[0]
        return int(row), int(channel)

    def gate_input(self, total: Values, shift: int) -> tuple[Values, int]:
        """See :class:`Arithmetic`."""
        return saturate(round_shift(total, shift), self._input)

    def sigmoid(self, x: Values) -> Values:
        """See :class:`Arithmetic`."""
        return self._tables.sigmoid(x)

    def tanh(self, x: Values) -> Values:
        """See :class:`Arithmetic`."""
        return self._tables.tanh(x)

    def cell(self, f: Values, c: Values, i: Values, g: Values) -> tuple[Values, int]:
        """The product with fewer fraction bits is shifted left until both have the same."""
        kept, new = self._gate.frac + self._cell.frac, 2 * self._gate.frac
        frac = max(kept, new)
        total = ((f * c) << (frac - kept)) + ((i * g) << (frac - new))
        return saturate(round_shift(total, frac - self._cell.frac), self._cell)

    def tanh_input(self, c: Values) -> tuple[Values, int]:
        """See :class:`Arithmetic`."""
        return saturate(round_shift(c, self._cell.frac - self._input.frac), self._input)

    def hidden(self, o: Values, tanh_c: Values) -> tuple[Values, int]:
        """See :class:`Arithmetic`."""
        return saturate(round_shift(o * tanh_c, self._gate.frac), self._gate)

    def linear(self, total: Values, shift: int) -> tuple[Values, int]:
        """See :class:`Arithmetic`."""
        return saturate(round_shift(total, shift), self._gate)


class FloatArithmetic:
    """The same steps with quantisers off: exact σ and tanh, no rounding, shifts ignored."""

    dtype: type[Any] = np.float64

    def check_input(self, frame: Values) -> Values:
        """See :class:`Arithmetic`."""
        values = frame.astype(np.float64)
        if not np.isfinite(values).all():
            raise EseError("frame: must hold finite numbers, got NaN or infinity")
        return values

    def check_accumulators(self, acc: Values) -> tuple[int, int] | None:
        """Real numbers have no accumulator width."""
        return None

    def gate_input(self, total: Values, shift: int) -> tuple[Values, int]:
        """See :class:`Arithmetic`."""
        return total, 0

    def sigmoid(self, x: Values) -> Values:
        """See :class:`Arithmetic`; the tanh form can't overflow."""
        return 0.5 * (1.0 + np.tanh(0.5 * x))

    def tanh(self, x: Values) -> Values:
        """See :class:`Arithmetic`."""
        return np.tanh(x)

    def cell(self, f: Values, c: Values, i: Values, g: Values) -> tuple[Values, int]:
        """See :class:`Arithmetic`."""
        return f * c + i * g, 0

    def tanh_input(self, c: Values) -> tuple[Values, int]:
        """See :class:`Arithmetic`."""
        return c, 0

    def hidden(self, o: Values, tanh_c: Values) -> tuple[Values, int]:
        """See :class:`Arithmetic`."""
        return o * tanh_c, 0

    def linear(self, total: Values, shift: int) -> tuple[Values, int]:
        """See :class:`Arithmetic`."""
        return total, 0
