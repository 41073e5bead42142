"""Runs an image on the exported shell, as a host does: through its streams and registers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.config import EngineConfig
from ...contract.image import Image
from ...contract.registers import COUNTERS
from ...contract.shell import ShellConfig, load_packets, pack_frames, unpack_results
from ...hw.shell.export import TOP, shell_verilog
from .packets import join_packets
from .verilator import Progress, Simulator, build, run

BENCH = "ese_lstm.sim.rtl.shell_bench"


@dataclass(frozen=True)
class ShellResult:
    """A run. outputs: (T, output_width, channels). counters: read at the end, loaded_counters:
    before the first frame."""

    outputs: NDArray[np.int64]
    counters: dict[str, int]
    loaded_counters: dict[str, int]


def shell_simulator(config: EngineConfig, shell: ShellConfig,
                    progress: Progress | None = None) -> Simulator:
    """Simulator of the exported shell, from the cache if it is there."""
    if progress:
        progress("write Verilog", 0.0)
    return build(shell_verilog(config, shell), TOP, progress=progress)


def image_job(image: Image, shell: ShellConfig, frames: NDArray[np.integer],
              active: NDArray[np.bool_] | None = None,
              start: NDArray[np.bool_] | None = None) -> dict[str, Any]:
    """What a bench needs to load an image and run frames (T, inputs, channels) with their masks
    (T, channels): ``load``, ``load_sizes``, ``frames``. Raises EseError for a wrong shape."""
    mask = np.shape(frames)[0], image.config.channels
    packed = pack_frames(frames, np.ones(mask, bool) if active is None else active,
                         np.zeros(mask, bool) if start is None else start, image.config, shell)
    return {**join_packets("load", load_packets(image, shell)), "frames": packed}


def run_shell(image: Image, shell: ShellConfig, frames: NDArray[np.integer],
              active: NDArray[np.bool_] | None = None, start: NDArray[np.bool_] | None = None, *,
              pause: str = "none", seed: int = 0,
              progress: Progress | None = None) -> ShellResult:
    """Simulate ``frames`` (T, inputs, channels), integers in the input format, in Verilator.

    active, start: (T, channels); all active, no start without them. pause: a pattern of
    ``bench.PATTERNS`` for pauses of every AXI channel. Raises EseError for frames of another shape
    or range, SimulationError if the run fails.
    """
    job = image_job(image, shell, frames, active, start)
    simulator = shell_simulator(image.config, shell, progress)
    raw = run(simulator, BENCH, {**job, "pause": pause, "seed": seed}, seed=seed,
              progress=progress)
    return ShellResult(unpack_results(raw["outputs"], image.config, shell),
                       _named(raw["counters"]), _named(raw["loaded_counters"]))


def _named(values: NDArray[np.int64]) -> dict[str, int]:
    return {name: int(value) for name, value in zip(COUNTERS, values, strict=True)}
