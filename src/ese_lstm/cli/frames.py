"""Feature frames from .npy files, as streams."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError


def load_streams(paths: Sequence[Path]) -> list[NDArray[np.float64]]:
    """Every stream of every file, shape (T, inputs) each; a file of shape (T, inputs, streams)
    holds several. Raises EseError naming the file."""
    streams: list[NDArray[np.float64]] = []
    for path in paths:
        values = _load(path)
        if values.ndim == 2:
            values = values[:, :, None]
        if values.ndim != 3 or not values.size:
            raise EseError(f"frames: {path} must have the shape (T, inputs) or (T, inputs, "
                           f"streams), none of them 0, got {values.shape}")
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            raise EseError(f"frames: {path} must be finite, but {bad} of {values.size} values are "
                           f"NaN or Inf")
        streams += [values[:, :, number] for number in range(values.shape[2])]
    return streams


def _load(path: Path) -> NDArray[np.float64]:
    if not path.is_file():
        raise EseError(f"frames: must be a .npy file, got {str(path)!r}")
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise EseError(f"frames: {path} must be a complete .npy file of numbers") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise EseError(f"frames: {path} must be one .npy array of real numbers, got "
                       f"{getattr(values, 'dtype', type(values).__name__)}")
    return values.astype(np.float64)
