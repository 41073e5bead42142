"""Number formats: one object says what a two's-complement integer means."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .config import EngineConfig
from .errors import EseError


@dataclass(frozen=True)
class FixedFormat:
    """Signed two's complement of ``bits`` bits; the integer ``n`` means ``n · 2**-frac``.

    Rounding everywhere is to nearest with ties toward +∞ (``floor(x + ½)``); overflow saturates
    and is counted by whoever converts.
    """

    bits: int
    frac: int

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 63:
            raise EseError(f"format.bits: must be 2 to 63, got {self.bits}")

    @property
    def minimum(self) -> int:
        """Most negative integer, −2**(bits−1)."""
        return -(1 << (self.bits - 1))

    @property
    def maximum(self) -> int:
        """Most positive integer, 2**(bits−1)−1."""
        return (1 << (self.bits - 1)) - 1

    def quantise(self, values: NDArray[np.floating]) -> tuple[NDArray[np.int64], int]:
        """Integers nearest to real ``values`` (any shape) and how many of them saturated."""
        scaled = np.floor(np.asarray(values, dtype=np.float64) * 2.0 ** self.frac + 0.5)
        clipped = np.clip(scaled, self.minimum, self.maximum)
        return clipped.astype(np.int64), int(np.count_nonzero(clipped != scaled))

    def real(self, integers: NDArray[np.integer]) -> NDArray[np.float64]:
        """Real values of ``integers`` (any shape)."""
        return np.asarray(integers, dtype=np.float64) * 2.0 ** -self.frac

    @classmethod
    def fitting(cls, bits: int, magnitude: float) -> "FixedFormat":
        """Finest format of ``bits`` bits that holds ±``magnitude`` without saturating."""
        if not np.isfinite(magnitude) or magnitude < 0:
            raise EseError(f"format.magnitude: must be finite and not negative, got {magnitude}")
        frac = bits - 1 if magnitude == 0 else bits - 1 - int(np.floor(np.log2(magnitude))) - 1
        if magnitude and np.floor(magnitude * 2.0 ** frac + 0.5) > (1 << (bits - 1)) - 1:
            frac -= 1
        return cls(bits, frac)


def gate_input_format(config: EngineConfig) -> FixedFormat:
    """Pre-activations: ±8, the domain of the σ and tanh tables."""
    return FixedFormat(config.act_bits, config.act_bits - 4)


def gate_format(config: EngineConfig) -> FixedFormat:
    """Gates, tanh(c), m and unprojected y: inside ±1."""
    return FixedFormat(config.act_bits, config.act_bits - 1)


def cell_format(config: EngineConfig) -> FixedFormat:
    """The cell state c."""
    return FixedFormat(config.cell_bits, config.cell_frac)
