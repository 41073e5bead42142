"""Calibration frames, and the power of two by which each input column is scaled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError
from .network import Network

ASSUMED_INPUT = 8.0
"""Largest input without frames: normalised features."""

InputScaling = Literal["none", "column"]


@dataclass(frozen=True)
class Inputs:
    """Frames of calibration side by side, and how the engine's inputs are scaled.

    frames: (T, inputs, S), as given, padded with zeros; S is 0 without frames. lengths: frames of
    each stream. limit: magnitude of inputs that need not be held; None: all are. exponents:
    (inputs,), column j is multiplied by 2**e_j.
    """

    frames: NDArray[np.float64]
    lengths: list[int]
    limit: float | None
    exponents: NDArray[np.int64]

    @property
    def scaled(self) -> NDArray[np.float64]:
        """The frames within the limit, as the engine's network reads them."""
        limit = np.inf if self.limit is None else self.limit
        return np.ldexp(np.clip(self.frames, -limit, limit), self.exponents[:, None])

    @property
    def largest(self) -> float:
        """Largest magnitude of a scaled input; assumed without frames."""
        if not self.lengths:
            return self.limit or ASSUMED_INPUT
        return float(np.max(np.ldexp(_largest(self.frames, self.limit), self.exponents)))


def read_inputs(utterances: Sequence[NDArray[np.floating]], inputs: int,
                scaling: InputScaling = "none", limit: float | None = None) -> Inputs:
    """Inputs of utterances of shape (T, inputs) each; none: their range is assumed.

    scaling "column": each input column is scaled by the power of two that brings its largest
    magnitude into [½, 1); helps when columns of raw features differ by orders of magnitude. Needs
    utterances. limit: larger inputs saturate. Raises EseError for frames of another shape or with
    NaN or Inf, and for a scaling or a limit that there can't be.
    """
    if limit is not None and not 0 < limit < np.inf:
        raise EseError(f"input_limit: must be finite and greater than 0, got {limit}")
    real = [np.asarray(utterance, np.float64) for utterance in utterances]
    for number, utterance in enumerate(real):
        if utterance.ndim != 2 or utterance.shape[1] != inputs or not len(utterance):
            raise EseError(f"frames {number}: must have the shape (T, {inputs}) with "
                           f"T ≥ 1, got {utterance.shape}")
        if not np.isfinite(utterance).all():
            raise EseError(f"frames {number}: must be finite, but "
                           f"{int(np.count_nonzero(~np.isfinite(utterance)))} values are NaN or "
                           f"Inf")
    if scaling not in ("none", "column"):
        raise EseError(f"input_scaling: must be none or column, got {scaling!r}")
    if scaling == "column" and not real:
        raise EseError("input_scaling: must be none without calibration frames, got 'column'")
    made = no_frames([0] * inputs)
    if real:
        frames, lengths = stack(real)
        made = replace(made, frames=frames, lengths=lengths)
    if scaling == "column":
        largest = _largest(made.frames, limit)
        made = replace(made, exponents=np.where(largest > 0, -np.frexp(largest)[1], 0))
    return replace(made, limit=limit)


def no_frames(exponents: Sequence[int]) -> Inputs:
    """Inputs scaled so, of which there are no frames."""
    return Inputs(np.zeros((0, len(exponents), 0)), [], None, np.asarray(exponents, np.int64))


def stack(utterances: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], list[int]]:
    """Utterances of different lengths side by side, padded with zeros: (T, inputs, S), lengths."""
    lengths = [len(utterance) for utterance in utterances]
    frames = np.zeros((max(lengths), utterances[0].shape[1], len(utterances)))
    for number, utterance in enumerate(utterances):
        frames[:len(utterance), :, number] = utterance
    return frames, lengths


def scale_inputs(network: Network, exponents: Sequence[int] | NDArray[np.int64]) -> Network:
    """The network for inputs scaled by 2**exponents: column j of the first W_x by 2**−e_j."""
    if not any(exponents):
        return network
    first = network.layers[0]
    scaled = np.ldexp(first.w_x.astype(np.float64), -np.asarray(exponents))
    return network.with_layers((replace(first, w_x=scaled), *network.layers[1:]))


def _largest(frames: NDArray[np.float64], limit: float | None) -> NDArray[np.float64]:
    """Largest magnitude of each column within the limit, (inputs,)."""
    return np.minimum(np.abs(frames).max(axis=(0, 2)), np.inf if limit is None else limit)
