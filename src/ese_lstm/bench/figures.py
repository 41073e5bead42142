"""Figures of one steady frame: per matrix, per group of matrices that share columns, in total.

Gates share columns: each lane holds the rows of all four gates, and an entry of one follows an
entry of another in the same cycle stream. So cycles are measured for groups, the input matrices
W·x, the recurrent ones W·r and the projection Wym, and counted in lane cycles: one belongs to the
group whose entry the lane fires or whose next column it waits for. Groups add up to the frame.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..contract.cells import LINEAR
from ..contract.config import EngineConfig
from ..contract.image import Image
from ..contract.program import Program
from ..contract.published import MATRICES, TOTAL, PaperMatrix
from ..sim.golden.cycles import CycleReport, SegmentCycles, Stalls

GROUPS = {"W*x": ("Wix", "Wfx", "Wcx", "Wox"), "W*r": ("Wir", "Wfr", "Wcr", "Wor"),
          "Wym": ("Wym",)}
"""Matrices of each group."""


@dataclass(frozen=True)
class Rates:
    """What follows from entries and cycles of a steady frame on this engine."""

    entries: int
    ideal_cycles: float
    """Entries over lanes."""
    cycles: float
    utilisation: float
    us: float
    gops: float
    """Two operations an entry and channel, as the paper counts."""


@dataclass(frozen=True)
class MatrixFigures:
    """One matrix: its size."""

    name: str
    group: str
    rows: int
    columns: int
    entries: int
    ideal_cycles: float

    @property
    def density(self) -> float:
        """Share of weights that have an entry."""
        return self.entries / (self.rows * self.columns)


@dataclass(frozen=True)
class GroupFigures:
    """Matrices that share columns. starved: lane cycles without an entry, over lanes, by what held
    the broadcaster back. stalls: its own cycles without a column."""

    name: str
    rates: Rates
    starved: dict[str, float]
    stalls: dict[str, int]


def rates(entries: int, cycles: float, config: EngineConfig) -> Rates:
    """Rates of a frame, or of a part of it."""
    us = cycles / config.clock_mhz
    return Rates(entries, entries / config.lanes, cycles,
                 entries / (config.lanes * cycles) if cycles else 0.0, us,
                 operations(entries, config) / us / 1e3 if us else 0.0)


def operations(weights: int, config: EngineConfig) -> int:
    """A multiplication and an addition a weight in every channel."""
    return 2 * weights * config.channels


def dense_tops(image: Image, cycles: float) -> float:
    """Operations of the dense network in the time of the sparse one."""
    us = cycles / image.config.clock_mhz
    return operations(image.manifest.dense_weights, image.config) / us / 1e6


def matrix_figures(image: Image) -> tuple[MatrixFigures, ...]:
    """Sizes of the first layer's matrices."""
    group = {name: key for key, names in GROUPS.items() for name in names}
    found = []
    for matrix in image.manifest.matrices:
        layer, name = matrix.name.split(".")
        if layer == "l0":
            found.append(MatrixFigures(name, group[name], matrix.rows, matrix.columns,
                                       matrix.entries, matrix.entries / image.config.lanes))
    return tuple(found)


def group_figures(image: Image, program: Program,
                  report: CycleReport) -> tuple[GroupFigures, ...]:
    """Cycles of the last frame of a cycle report, for a network of one layer."""
    config = image.config
    parts: dict[str, list[SegmentCycles]] = {name: [] for name in GROUPS}
    cycles = iter(report.frames[-1].segments)
    for segments, epilogue in program.tiles():
        for segment in segments:
            name = ("Wym" if epilogue.cell is LINEAR else "W*r" if segment.recurrent else "W*x")
            parts[name].append(next(cycles))
    entries = {name: sum(matrix.entries for matrix in matrix_figures(image)
                         if matrix.group == name) for name in GROUPS}
    return tuple(
        GroupFigures(
            name,
            rates(entries[name], sum(part.lane_cycles for part in found) / config.lanes, config),
            {cause: count / config.lanes for cause, count in
             _add(part.starved for part in found).items()},
            _add(part.stalls for part in found))
        for name, found in parts.items() if found)


def paper_group(name: str) -> dict[str, float]:
    """The paper's figures of a group: entries, ideal cycles, cycles, utilisation, µs, GOPS."""
    members: list[PaperMatrix] = [m for m in MATRICES if m.name in GROUPS[name]]
    theoretical, real = (sum(getattr(m, key) for m in members)
                         for key in ("theoretical_us", "real_us"))
    entries = sum(m.entries for m in members)
    per_us = TOTAL.cycles / TOTAL.real_us
    return {"entries": entries, "ideal_cycles": theoretical * per_us, "cycles": real * per_us,
            "utilisation": theoretical / real, "us": real,
            "gops": sum(m.gops * m.real_us for m in members) / real}


def as_json(value: Any) -> dict[str, Any]:
    """Fields of a dataclass of figures, those of its rates beside them."""
    values = asdict(value)
    return values | values.pop("rates", {})


def _add(stalls: Iterable[Stalls]) -> dict[str, int]:
    found = list(stalls)
    return {name: sum(getattr(stall, name) for stall in found)
            for name in ("bank", "dependency", "queue")}
