"""The steady state of a simulated run, from the hardware's counters."""

from abc import ABC, abstractmethod

from ..contract.config import EngineConfig


class SteadyState(ABC):
    """A run whose counters were read at the ends of two of its frames.

    The steady state is all frames but the first, and but the last, behind which no next frame's
    columns fill the multipliers' waits.
    """

    config: EngineConfig

    @property
    @abstractmethod
    def steady_frames(self) -> int:
        """Frames of the steady state."""

    @abstractmethod
    def count(self, counter: str) -> int:
        """Events of the ``steady_frames``, from output to output."""

    @property
    def cycles_per_frame(self) -> float:
        """Clock cycles from frame to frame in the steady state."""
        return self.count("cycles") / self.steady_frames

    @property
    def utilisation(self) -> float:
        """Share of multiplier slots that multiplied a weight in the steady state."""
        return self.count("products") / (self.config.lanes * self.count("cycles"))
