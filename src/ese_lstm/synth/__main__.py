"""``python -m ese_lstm.synth``: resources, timing and lint of the exported Verilog."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from ..contract.config import load_config
from ..contract.errors import EseError
from ..contract.files import check_folder, write_contents
from . import ecp5, lint, report
from .estimate import TARGET_MULTIPLIERS, estimate, timing

DEFAULT = ("xcku060-32x32", "xcku060-32x64")
NOTE = "synthesis estimate without place and route"

err = Console(stderr=True)
out = Console(width=110, highlight=False)

folder_option = click.option("-o", "--output", type=click.Path(path_type=Path),
                             default=Path("build/synth"), show_default=True,
                             help="Folder for netlists, logs and results.")
jobs_option = click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True,
                           help="Units mapped at the same time.")


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Estimates with open tools: Yosys for an XCKU060, nextpnr for an ECP5, Verilator's lint.

    Without a command: resources of the engines with 1,024 and 2,048 multipliers.
    """
    if context.invoked_subcommand is None:
        context.invoke(resources)


@main.command()
@click.option("--config", "configs", multiple=True, default=DEFAULT, show_default=True,
              help="Preset or JSON file; may be given several times.")
@folder_option
@jobs_option
def resources(configs: tuple[str, ...] = DEFAULT, output: Path = Path("build/synth"),
              jobs: int = 2) -> None:
    """LUT, LUTRAM, FF, BRAM36 and DSP48E2 of an XCKU060, beside ESE's.

    Exit code 1 if an engine of 1,024 multipliers misses a target.
    """
    check_folder(output)
    results = {}
    for name in configs:
        results[name] = estimate(load_config(name), output / _file_name(name), jobs=jobs,
                                 progress=_progress)
    for name, found in results.items():
        out.print(report.units_table(name, found))
    out.print(report.totals_table(results))
    write_contents({output / "synth.json":
                    json.dumps(report.as_json(results, NOTE), indent=2) + "\n"})
    out.print(f"{NOTE}; written to {output / 'synth.json'}")
    missed = {name: found.missed for name, found in results.items()
              if found.config.multipliers == TARGET_MULTIPLIERS and found.missed}
    for name, fields in missed.items():
        err.print(f"{name} misses: {fields}")
    sys.exit(bool(missed))


@main.command(name="timing")
@click.option("--config", default=DEFAULT[0], show_default=True, help="Preset or JSON file.")
@click.option("--place/--no-place", default=True, show_default=True,
              help="Also place and route a lane and an element-wise channel for an ECP5.")
@folder_option
@jobs_option
def timing_command(config: str, place: bool, output: Path, jobs: int) -> None:
    """Longest paths for an UltraScale -2 by a stated delay model, and real ones of an ECP5.

    Exit code 1 if a path is longer than the period or an ECP5 clock is under 125 MHz.
    """
    check_folder(output)
    found = timing(load_config(config), output / _file_name(config), jobs=jobs, progress=_progress)
    out.print(report.timing_table(config, found))
    placed = _place(output / "ecp5") if place else []
    if placed:
        out.print(report.placed_table(placed))
    write_contents({output / "timing.json":
                    json.dumps(report.timing_json(config, found, placed), indent=2) + "\n"})
    out.print(f"{NOTE} (UltraScale); written to {output / 'timing.json'}")
    sys.exit(not report.timing_holds(found, placed))


@main.command(name="lint")
@click.option("--config", default=DEFAULT[0], show_default=True, help="Preset or JSON file.")
@folder_option
def lint_command(config: str, output: Path) -> None:
    """Verilator's ``--lint-only -Wall``, with the reasoned waivers of synth/waivers.vlt."""
    check_folder(output)
    warnings = lint.lint(load_config(config), output / "lint")
    out.print(warnings or "no warnings", markup=False)
    sys.exit(bool(warnings))


def _place(folder: Path) -> list[ecp5.Placed]:
    return [_announce(ecp5.place(name, design, folder))
            for name, design in ecp5.designs().items()]


def _announce(placed: ecp5.Placed) -> ecp5.Placed:
    err.print(f"{placed.name}: {placed.mhz:.1f} MHz")
    return placed


def _progress(name: str, seconds: float) -> None:
    err.print(f"{name} mapped in {seconds:.1f} s")


def _file_name(config: str) -> str:
    return Path(config).stem


if __name__ == "__main__":
    try:
        main()
    except EseError as error:
        err.print(f"error: {error}", markup=False)
        sys.exit(2)
