"""Golden model, cycle model and exported Verilog on the same frames, every value compared."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..contract.image import Image
from .compare import Comparison, compare
from .golden.cycles import CycleReport, simulate_model
from .golden.decode import DecodedModel, decode_image
from .golden.model import FrameResult, GoldenModel, Saturations

if TYPE_CHECKING:
    from .rtl.runner import RtlResult
    from .rtl.verilator import Progress

CYCLE_FRAMES = 8


@dataclass(frozen=True)
class Verified:
    """A run and what it was compared with. model: the cycle model's prediction; seconds: of the
    simulation, with building the simulator if it was not in the cache."""

    golden: tuple[FrameResult, ...]
    rtl: "RtlResult"
    comparison: Comparison
    model: CycleReport
    seconds: float

    @property
    def saturations(self) -> Saturations:
        """Of all frames."""
        return sum((frame.saturations for frame in self.golden), Saturations())


def verify(image: Image, frames: NDArray[np.integer], active: NDArray[np.bool_] | None = None,
           start: NDArray[np.bool_] | None = None, *, decoded: DecodedModel | None = None,
           cycle_frames: int = CYCLE_FRAMES, progress: "Progress | None" = None) -> Verified:
    """Run ``frames`` (T, inputs, channels), integers in the input format, both ways; compare.

    active, start: (T, channels); all active, no start without them. decoded: the image, if it is
    at hand. progress: called with stage and fraction. A difference is no error but in the result.
    Raises EseError for frames of another shape, SimulationError if the simulation fails.
    """
    from .rtl.runner import run_image

    decoded = decoded or decode_image(image)
    golden = tuple(golden_frames(decoded, frames, active, start, progress))
    model = simulate_model(decoded, cycle_frames)
    begin = time.monotonic()
    rtl = run_image(image, frames, active, start, progress=progress)
    seconds = time.monotonic() - begin
    return Verified(golden, rtl, compare(rtl.frames, golden), model, seconds)


def golden_frames(decoded: DecodedModel, frames: NDArray[np.integer],
                  active: NDArray[np.bool_] | None = None,
                  start: NDArray[np.bool_] | None = None,
                  progress: "Progress | None" = None) -> Iterator[FrameResult]:
    """The golden model's frames, from reset on."""
    for number, frame in enumerate(GoldenModel(decoded).steps(frames, active, start)):
        if progress is not None:
            progress("golden model", (number + 1) / len(frames))
        yield frame
