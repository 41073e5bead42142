"""Comparison of a simulated run with the golden model, value by value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..contract.errors import EseError
from .trace import Frame, Trace


@dataclass(frozen=True)
class Mismatch:
    """One value that differs. kind: cell, result or output; address: in its buffer (in the output
    frame for outputs)."""

    frame: int
    kind: str
    address: int
    channel: int
    expected: int
    got: int


@dataclass(frozen=True)
class Comparison:
    """Values compared by kind (results are the hidden and projected values), and differences."""

    compared: dict[str, int]
    mismatches: dict[str, int]
    first: Mismatch | None

    @property
    def values_compared(self) -> int:
        """All values compared."""
        return sum(self.compared.values())

    @property
    def equal(self) -> bool:
        """Something was compared, and nothing differs."""
        return self.values_compared > 0 and not any(self.mismatches.values())


def compare(frames: Sequence[Frame], golden: Iterable[Frame]) -> Comparison:
    """Compare every cell state, result and output of every frame with the golden model's.

    A wrong address counts as a mismatch of all channels. Raises EseError if there are not as many
    frames and values on both sides, or nothing to compare.
    """
    expected_frames = list(golden)
    if len(frames) != len(expected_frames):
        raise EseError(f"comparison: must have as many frames on both sides, got {len(frames)} "
                       f"and {len(expected_frames)}")
    compared = dict.fromkeys(("cell", "result", "output"), 0)
    mismatches = dict(compared)
    first = None
    for number, (frame, expected) in enumerate(zip(frames, expected_frames, strict=True)):
        for kind, want, have in (("cell", expected.trace_cell, frame.trace_cell),
                                 ("result", expected.trace_result, frame.trace_result),
                                 ("output", _output(expected), _output(frame))):
            if want.values.shape != have.values.shape:
                raise EseError(f"comparison: frame {number} must have {kind} values of shape "
                               f"{want.values.shape}, got {have.values.shape}")
            different = ((want.values != have.values)
                         | (want.addresses != have.addresses)[:, None])
            compared[kind] += different.size
            mismatches[kind] += int(different.sum())
            if first is None and different.any():
                row, channel = (int(k) for k in np.argwhere(different)[0])
                first = Mismatch(number, kind, int(want.addresses[row]), channel,
                                 int(want.values[row, channel]), int(have.values[row, channel]))
    if not sum(compared.values()):
        raise EseError("comparison: must compare at least one value, but there are none")
    return Comparison(compared, mismatches, first)


def _output(frame: Frame) -> Trace:
    return Trace(np.arange(len(frame.outputs)), frame.outputs)
