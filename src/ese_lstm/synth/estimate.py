"""Resources of a whole engine: each unit mapped once, then multiplied by how often it is used."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.published import XCKU060
from ..hw.verilog.design import Unit
from ..hw.verilog.export import TOP, design
from . import delays, paths, units, yosys
from .resources import TARGETS, Resources, resources

TARGET_MULTIPLIERS = 1024
"""TARGETS hold at this many."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Estimate:
    """Synthesis estimate. own: each unit without the units in it, children before parents.
    copies: how often each is used."""

    config: EngineConfig
    own: dict[str, Resources]
    copies: dict[str, int]

    @property
    def total(self) -> Resources:
        """The whole engine."""
        total = Resources()
        for name, own in self.own.items():
            total += own * self.copies[name]
        return total

    def share(self, field: str) -> float:
        """Part of the XCKU060's, 1.0 being all of them."""
        return float(getattr(self.total, field) / getattr(XCKU060, field))

    @property
    def ram_share(self) -> float:
        """LUTs as RAM or shift register, part of those in a SLICEM."""
        return (self.total.lutram + self.total.shift) / XCKU060.lutram

    @property
    def fits(self) -> bool:
        """Nothing is used more than there is."""
        return self.ram_share <= 1 and all(
            self.share(field) <= 1 for field in ("lut", "ff", "bram36", "dsp"))

    @property
    def missed(self) -> dict[str, float]:
        """Targets that are missed, and the share reached."""
        return {field: self.share(field) for field, most in TARGETS.items()
                if self.share(field) > most}

    def as_dict(self) -> dict[str, Any]:
        """What ``synth.json`` holds of it."""
        return {"configuration": self.config.model_dump(), "multipliers": self.config.multipliers,
                "units": {name: {"copies": self.copies[name], **own.as_dict()}
                          for name, own in self.own.items()},
                "total": self.total.as_dict(),
                "share": {"lutram": self.ram_share, **{
                    field: self.share(field) for field in ("lut", "ff", "bram36", "dsp")}},
                "fits": self.fits}


def tasks(parts: dict[str, Unit], folder: Path) -> dict[str, yosys.Task]:
    """A Yosys run for each unit, its children black boxes."""
    return {name: task(unit, parts, folder) for name, unit in parts.items()}


def task(unit: Unit, parts: dict[str, Unit], folder: Path) -> yosys.Task:
    """The Yosys run of one unit."""
    return yosys.Task(unit.name, units.source(unit, parts), yosys.XCU, folder)


def estimate(config: EngineConfig, folder: Path, *, jobs: int,
             progress: Progress | None = None) -> Estimate:
    """Map every unit of the engine; files go to ``folder``. Raises EseError if Yosys fails."""
    yosys.available()
    engine = design(config)
    parts = engine.bottom_up()
    runs = tasks(parts, folder)
    yosys.run_all(runs.values(), jobs=jobs, progress=progress)
    own = {name: resources(yosys.netlist(run), parts[name].children) for name, run in runs.items()}
    return Estimate(config, own, dict(engine.copies()))


def timing(config: EngineConfig, folder: Path, *, jobs: int,
           progress: Progress | None = None) -> dict[str, paths.Timing]:
    """Longest paths of every unit and, through all boundaries, of the whole engine (``TOP``).

    The units that the engine holds once are mapped together with it for this. Raises EseError
    if Yosys fails or a path's levels can't be told.
    """
    yosys.available()
    parts = design(config).bottom_up()
    runs = tasks(parts, folder)
    whole = units.joined(parts, TOP)
    runs[TOP] = task(whole, parts, folder / "whole")
    yosys.run_all(runs.values(), jobs=jobs, progress=progress)
    found: dict[str, paths.Timing] = {}
    for name, unit in parts.items():
        unit = whole if name == TOP else unit
        try:
            found[name] = paths.analyse(
                yosys.netlist(runs[name]), {child: found[child] for child in unit.children},
                delays.spread(unit.children) if name in delays.SPREAD_OUT else frozenset())
        except ValueError as error:
            raise EseError(f"timing: {name} must have no loops, but {error}") from None
    return found
