"""Runs an image on the exported shell, as a host does: through its streams and registers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.config import EngineConfig
from ...contract.errors import EseError
from ...contract.image import Image
from ...contract.packets import frame_widths, load_packets, pack_frames, row_beats, unpack_results
from ...contract.registers import COUNTERS
from ...contract.shell import ShellConfig
from ...hw.verilog.export import SHELL_TOP, design
from ..steady import SteadyState
from .packets import join_packets
from .verilator import Progress, Simulator, build, run

BENCH = "ese_lstm.sim.rtl.shell_speed_bench"
PATIENCE = 1 << 20
"""Cycles within which a frame must come."""


def shell_simulator(config: EngineConfig, shell: ShellConfig,
                    progress: Progress | None = None) -> Simulator:
    """Simulator of the exported shell, from the cache if it is there."""
    if progress:
        progress("write Verilog", 0.0)
    return build(design(config, shell).verilog, SHELL_TOP, progress=progress)


def image_job(image: Image, shell: ShellConfig, frames: NDArray[np.integer],
              active: NDArray[np.bool_] | None = None,
              start: NDArray[np.bool_] | None = None, weight_base: int = 0) -> dict[str, Any]:
    """What a bench needs to load an image and run frames (T, inputs, channels) with their masks
    (T, channels): ``load``, ``load_sizes``, ``frames``; and of streamed weights ``weight_base``,
    ``row_count`` and ``rows``, their bytes. Raises EseError for a wrong shape."""
    mask = np.shape(frames)[0], image.config.channels
    packed = pack_frames(frames, np.ones(mask, bool) if active is None else active,
                         np.zeros(mask, bool) if start is None else start, image.config, shell)
    return {**join_packets("load", load_packets(image, shell, memory_base=weight_base)),
            "frames": packed, "weight_base": weight_base, "row_count": image.rows,
            "rows": np.frombuffer(image.memory, np.uint8)}


@dataclass(frozen=True)
class SpeedResult(SteadyState):
    """A run without pauses. outputs: (T, output_width, channels). first, last: counters read
    through the shell's registers when the last beat of the first and of the last but one frame had
    left. load_cycles: cycles of loading."""

    config: EngineConfig
    outputs: NDArray[np.int64]
    first: dict[str, int]
    last: dict[str, int]
    load_cycles: int

    @property
    def steady_frames(self) -> int:
        """Frames between."""
        return self.count("frames_out")

    def count(self, counter: str) -> int:
        """Between ``first`` and ``last``."""
        return self.last[counter] - self.first[counter]


def run_at_full_speed(image: Image, shell: ShellConfig, frames: NDArray[np.integer], *,
                      progress: Progress | None = None) -> SpeedResult:
    """Simulate at least four ``frames`` (T, inputs, channels) with a host that never waits.

    Raises EseError for fewer frames or a wrong shape, SimulationError if the run fails.
    """
    if len(frames) < 4:
        raise EseError(f"frames: must be at least 4 for a steady state, got {len(frames)}")
    job = image_job(image, shell, frames)
    row = row_beats(image.config, shell) * shell.stream_bytes
    raw = run(shell_simulator(image.config, shell, progress), BENCH, {
        **job, "result_bytes": frame_widths(image)[1] * row,
        "patience": PATIENCE}, progress=progress)
    first, last = map(_named, raw["counters"])
    return SpeedResult(image.config, unpack_results(raw["outputs"], image.config, shell), first,
                       last, int(raw["load_cycles"]))


def _named(values: NDArray[np.int64]) -> dict[str, int]:
    return {name: int(value) for name, value in zip(COUNTERS, values, strict=True)}
