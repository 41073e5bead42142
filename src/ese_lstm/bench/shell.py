"""What the AXI shell costs the full engine.

The paper's network runs in the shell, with narrow and with wide streams; counters are read through
the AXI4-Lite registers. Beside it stands the bare engine by the cycle model, which
``ese bench engine`` holds against the bare engine's Verilog.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract.packets import row_beats
from ..contract.shell import SHELL_PRESETS
from ..report.table import Table
from ..report.versions import versions
from ..sim.golden.cycles import simulate_model
from ..sim.golden.model import GoldenModel
from ..sim.rtl.shell_runner import SpeedResult, run_at_full_speed
from ..sim.rtl.verilator import Progress
from .measure import AROUND, PACKAGES, STALLS
from .workload import Workload

ALLOWED_LOSS = 0.01
"""Share of the bare engine's utilisation that the shell may cost."""


@dataclass(frozen=True)
class Outcome:
    """One width. bare_cycles, bare_utilisation: of the engine alone."""

    stream_bits: int
    result: SpeedResult
    compared: int
    mismatches: int
    bare_cycles: float
    bare_utilisation: float
    beats: tuple[int, int]
    """Of an input and an output packet."""

    @property
    def loss(self) -> float:
        """Share of the bare engine's utilisation that the shell costs."""
        return 1 - self.result.utilisation / self.bare_utilisation

    @property
    def good(self) -> bool:
        """Something was compared, nothing differs, and the loss is allowed."""
        return self.compared > 0 and not self.mismatches and self.loss <= ALLOWED_LOSS


def measure_shell(workload: Workload, frames: int, stream_bits: int,
                  progress: Progress | None = None) -> Outcome:
    """Simulate ``frames`` frames in the steady state, and ``AROUND`` more, on all channels.

    Raises EseError if network or frames don't fit, SimulationError if the simulation fails.
    """
    image = workload.image
    values = workload.frames(frames + AROUND)
    shell = SHELL_PRESETS["xcku060"].replace(stream_bits=stream_bits)
    result = run_at_full_speed(image, shell, values, progress=progress)
    expected = GoldenModel(workload.decoded).run(values).outputs
    model = simulate_model(workload.decoded, frames + AROUND)
    row = row_beats(image.config, shell)
    return Outcome(stream_bits, result, expected.size,
                   int(np.count_nonzero(expected != result.outputs)), model.cycles_per_frame,
                   model.utilisation, ((1 + values.shape[1]) * row, expected.shape[1] * row))


def table(outcomes: list[Outcome]) -> Table:
    """Cycles and utilisation by width, the bare engine first."""
    first = outcomes[0]
    rows = [("engine alone", "", "", f"{first.bare_cycles:,.0f}",
             f"{100 * first.bare_utilisation:.2f}", "", "")]
    rows += [(f"in the shell, {each.stream_bits}-bit streams", f"{each.beats[0]:,}",
              f"{each.beats[1]:,}", f"{each.result.cycles_per_frame:,.0f}",
              f"{100 * each.result.utilisation:.2f}", f"{100 * each.loss:.2f}",
              f"{each.result.load_cycles:,}") for each in outcomes]
    return Table("Paper's network, every frame of all channels in and out",
                ("", "beats in", "beats out", "cycles a frame", "utilisation %", "lost %",
                 "cycles of loading"), tuple(rows))


def as_dict(workload: Workload, outcomes: list[Outcome]) -> dict[str, Any]:
    """Everything, for the JSON."""
    return {
        "config": workload.config.model_dump(),
        "config_digest": workload.config.digest, "versions": versions(PACKAGES),
        "bare": {"cycles_per_frame": outcomes[0].bare_cycles,
                 "utilisation": outcomes[0].bare_utilisation},
        "shells": [{
            "stream_bits": each.stream_bits, "frames_measured": each.result.steady_frames,
            "values_compared": each.compared, "mismatches": each.mismatches,
            "cycles_per_frame": each.result.cycles_per_frame,
            "utilisation": each.result.utilisation, "loss": each.loss,
            "load_cycles": each.result.load_cycles,
            "beats_in": each.beats[0], "beats_out": each.beats[1],
            "stalls_per_frame": {name: each.result.count(name) / each.result.steady_frames
                                 for name in STALLS},
        } for each in outcomes]}
