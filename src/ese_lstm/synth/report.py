"""Tables and JSON of the estimates."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..contract.published import ESE_RESOURCES, XCKU060, ChipResources
from ..report.table import Table
from . import delays, ecp5, paths
from .estimate import Estimate
from .resources import TARGETS, Resources

_COLUMNS = ("LUT", "logic", "as RAM", "shift", "FF", "in DSP", "BRAM36", "DSP48E2")


def _cells(used: Resources) -> list[str]:
    return [f"{value:,.1f}".removesuffix(".0") for value in used.as_dict().values()]


def units_table(name: str, found: Estimate) -> Table:
    """A row a unit, without the units in it."""
    return Table(f"{name}: units, each mapped once", ("unit", "copies", *_COLUMNS), [
        *((unit, found.copies[unit], *_cells(own)) for unit, own in found.own.items()),
        ("total", "", *_cells(found.total))], total=True)


def totals_table(results: Mapping[str, Estimate]) -> Table:
    """The engines beside the device and ESE."""
    def part(value: float, available: float) -> str:
        return f"{value:,.0f}\n{100 * value / available:.1f} %"

    def row(used: Resources | ChipResources, ram: float) -> list[str]:
        return [part(used.lut, XCKU060.lut), part(ram, XCKU060.lutram),
                part(used.ff, XCKU060.ff), part(used.bram36, XCKU060.bram36),
                part(used.dsp, XCKU060.dsp)]

    available = (f"{value:,.0f}" for value in (
        XCKU060.lut, XCKU060.lutram, XCKU060.ff, XCKU060.bram36, XCKU060.dsp))
    return Table(
        "Resources: synthesis estimate without place and route",
        ("XCKU060", "multipliers", "LUT", "RAM and shift LUT", "FF", "BRAM36", "DSP48E2", "fits"),
        [("available", "", *available, ""),
         ("ESE [rec]", 1024, *row(ESE_RESOURCES, ESE_RESOURCES.lutram), "yes"),
         *((name, found.config.multipliers,
            *row(found.total, found.total.lutram + found.total.shift), found.fits)
           for name, found in results.items())])


def as_json(results: Mapping[str, Estimate], note: str) -> dict[str, Any]:
    """What ``synth.json`` holds."""
    fields = ("lut", "lutram", "ff", "bram36", "dsp")
    return {"note": note, "device": "xcku060-ffva1156-2-e",
            "available": {field: getattr(XCKU060, field) for field in fields},
            "ese": {field: getattr(ESE_RESOURCES, field) for field in fields},
            "targets_at_1024_multipliers": TARGETS,
            "engines": {name: found.as_dict() for name, found in results.items()}}


def timing_table(name: str, found: Mapping[str, paths.Timing]) -> Table:
    """The longest path of every unit, and of the whole engine last."""
    budget = delays.PERIOD - delays.UNCERTAINTY
    longest = {unit: timing.inside for unit, timing in found.items()}
    return Table(
        f"{name}: longest paths between registers, UltraScale -2 model, at most {budget:.1f} ns",
        ("unit", "ns", "levels", "most levels", "from", "to"),
        [(unit, f"{path.delay:.2f}", path.levels, path.deepest, path.start, path.end)
         for unit, path in longest.items()], left=(0, 4, 5))


def placed_table(placed: Iterable[ecp5.Placed]) -> Table:
    """Clocks after place and route."""
    return Table(
        f"ECP5-85, speed grade 8, placed and routed (at least {ecp5.TARGET_MHZ:.0f} MHz)",
        ("unit", "MHz", "LUT4", "FF", "DP16KD", "MULT18X18D"),
        [(result.name, f"{result.mhz:.1f}", *(result.cells.get(kind, 0) for kind in (
            "TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D"))) for result in placed])


def timing_json(name: str, found: Mapping[str, paths.Timing],
                placed: Iterable[ecp5.Placed]) -> dict[str, Any]:
    """What ``timing.json`` holds."""
    return {"configuration": name, "period_ns": delays.PERIOD,
            "uncertainty_ns": delays.UNCERTAINTY,
            "units": {unit: {**timing.inside._asdict(), "slack_ns": timing.slack}
                      for unit, timing in found.items()},
            "ecp5": {result.name: {"mhz": result.mhz, "cells": result.cells,
                                   "path": result.path} for result in placed}}


def timing_holds(found: Mapping[str, paths.Timing], placed: Iterable[ecp5.Placed]) -> bool:
    """Every path fits the period and every placed clock reaches its target."""
    return all(timing.slack >= 0 for timing in found.values()) \
        and all(result.mhz >= ecp5.TARGET_MHZ for result in placed)
