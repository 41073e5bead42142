"""What an engine is to the scheduler: frames of all channels in, results of all channels out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.image import Image
from ..contract.shell import ShellConfig
from .patience import Patience

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Progress = Callable[[str, float], None]
"""Told now and then what is being done and the fraction done (0 to 1)."""


@dataclass(frozen=True)
class Options:
    """What is said of an engine that is opened; see :meth:`Engine.open`."""

    config: EngineConfig | None
    shell: ShellConfig | None
    timeout_s: float
    progress: Progress | None
    patience: Patience

    def refuse_shell(self, backend: str) -> None:
        """Raise EseError if a shell is given for a backend that has none or its own."""
        if self.shell is not None:
            raise EseError(f"shell: must be given for the backend rtl only, got it for "
                           f"{backend!r}")


class Backend(Protocol):
    """One engine. Its results come back in the order of its frames, one for each.

    Nothing but load, check and close is called before an image was loaded. Methods raise
    DeviceError if the device reports an error or is gone, EngineTimeout if it doesn't answer.
    """

    config: EngineConfig | None
    """The engine's configuration; None until an image or the device tells it."""

    def load(self, image: Image) -> None:
        """Replace the program and forget every state and every frame under way; the image is for
        ``config``, if that is known."""

    def submit(self, frame: Ints, active: Mask, start: Mask) -> None:
        """Run one frame: (inputs, channels) integers; active, start (channels,). Waits while the
        engine has no room."""

    def collect(self, timeout_s: float) -> Ints | None:
        """The oldest result not yet collected, (outputs, channels) integers; None if none came
        within timeout_s."""

    def check(self) -> None:
        """Raise DeviceError if the device has a sticky error."""

    def counters(self) -> dict[str, int]:
        """Performance counters since the image was loaded, by name."""

    def close(self) -> None:
        """Give the engine back; may be called twice."""
