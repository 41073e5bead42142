"""σ and tanh from the contract's tables of line segments, on whole arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...contract.config import EngineConfig
from ...contract.tables import FUNCTIONS, activation_table


@dataclass(frozen=True)
class ActivationTables:
    """The two tables as arrays; twin of the hardware's σ/tanh unit.

    Input: gate inputs (any shape; ``act_bits`` wide, ``act_bits − 4`` fraction bits). Output:
    gates of the same shape (``act_bits − 1`` fraction bits). The formula is that of
    :mod:`contract.tables`.
    """

    one: int
    rest_bits: int
    base: NDArray[np.int64]
    slope: NDArray[np.int64]

    @classmethod
    def of(cls, config: EngineConfig) -> "ActivationTables":
        """The tables of this configuration."""
        table = activation_table(config)
        return cls(1 << (table.act_bits - 1), table.rest_bits,
                   np.array(table.base, dtype=np.int64), np.array(table.slope, dtype=np.int64))

    def sigmoid(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """σ; between 1 and 2**(act_bits−1) − 1 at every width."""
        value = self._magnitude("sigmoid", x)
        return np.where(x < 0, self.one - value, value)

    def tanh(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """tanh; odd."""
        value = self._magnitude("tanh", x)
        return np.where(x < 0, -value, value)

    def _magnitude(self, function: str, x: NDArray[np.int64]) -> NDArray[np.int64]:
        which = FUNCTIONS.index(function)
        magnitude = np.minimum(np.abs(x), self.one - 1)
        index = magnitude >> self.rest_bits
        rest = magnitude & ((1 << self.rest_bits) - 1)
        half = (1 << self.rest_bits) >> 1
        rise = (self.slope[which][index] * rest + half) >> self.rest_bits
        return self.base[which][index] + rise
