"""Tables and JSON of the estimates."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from ..contract.published import ESE_RESOURCES, XCKU060, ChipResources
from . import delays, ecp5, paths
from .estimate import Estimate
from .resources import TARGETS, Resources

_COLUMNS = ("LUT", "logic", "as RAM", "shift", "FF", "in DSP", "BRAM36", "DSP48E2")


def _cells(used: Resources) -> list[str]:
    return [f"{value:,.1f}".removesuffix(".0") for value in used.as_dict().values()]


def units_table(name: str, found: Estimate) -> Table:
    """A row a unit, without the units in it."""
    table = Table("unit", title=f"{name}: units, each mapped once")
    for column in ("copies", *_COLUMNS):
        table.add_column(column, justify="right")
    for unit, own in found.own.items():
        table.add_row(unit, f"{found.copies[unit]}", *_cells(own))
    table.add_section()
    table.add_row("total", "", *_cells(found.total))
    return table


def totals_table(results: Mapping[str, Estimate]) -> Table:
    """The engines beside the device and ESE."""
    table = Table("XCKU060", title="Resources: synthesis estimate without place and route")
    for column in ("multipliers", "LUT", "RAM and shift LUT", "FF", "BRAM36", "DSP48E2", "fits"):
        table.add_column(column, justify="right")

    def part(value: float, available: float) -> str:
        return f"{value:,.0f}\n{100 * value / available:.1f} %"

    def row(used: Resources | ChipResources, ram: float) -> list[str]:
        return [part(used.lut, XCKU060.lut), part(ram, XCKU060.lutram),
                part(used.ff, XCKU060.ff), part(used.bram36, XCKU060.bram36),
                part(used.dsp, XCKU060.dsp)]

    table.add_row("available", "", *(f"{value:,.0f}" for value in (
        XCKU060.lut, XCKU060.lutram, XCKU060.ff, XCKU060.bram36, XCKU060.dsp)), "")
    table.add_row("ESE \\[rec]", "1,024", *row(ESE_RESOURCES, ESE_RESOURCES.lutram), "yes")
    for name, found in results.items():
        total = found.total
        table.add_row(name, f"{found.config.multipliers:,}",
                      *row(total, total.lutram + total.shift), "yes" if found.fits else "no")
    return table


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
    table = Table("unit", title=f"{name}: longest paths between registers, UltraScale -2 model, "
                                f"at most {budget:.1f} ns")
    table.add_column("ns", justify="right")
    table.add_column("levels", justify="right")
    table.add_column("most levels", justify="right")
    table.add_column("from")
    table.add_column("to")
    for unit, timing in found.items():
        path = timing.inside
        table.add_row(unit, f"{path.delay:.2f}", f"{path.levels}", f"{path.deepest}",
                      path.start, path.end)
    return table


def placed_table(placed: Iterable[ecp5.Placed]) -> Table:
    """Clocks after place and route."""
    table = Table("unit", title=f"ECP5-85, speed grade 8, placed and routed (at least "
                                f"{ecp5.TARGET_MHZ:.0f} MHz)")
    for column in ("MHz", "LUT4", "FF", "DP16KD", "MULT18X18D"):
        table.add_column(column, justify="right")
    for result in placed:
        table.add_row(result.name, f"{result.mhz:.1f}", *(
            f"{result.cells.get(kind, 0):,}" for kind in (
                "TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D")))
    return table


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
