"""``ese bench shell``: what the AXI shell costs the full engine."""

from pathlib import Path

import click

from ...report.table import figure_files
from ..command_line import command_line
from ..needs import needs
from ..outputs import check_files
from ..terminal import Progress
from .options import figures_option, tell, workload_options

WIDTHS = (64, 512)


@click.command()
@workload_options
@click.option("--frames", default=4, help="Frames measured, after one that warms up.")
@click.option("--stream-bits", "widths", multiple=True, type=int, default=WIDTHS,
              help="Width of the streams; may be repeated.")
@figures_option("bench/shell.json")
@click.pass_context
def shell(ctx: click.Context, config: str | None, reduced: bool, frames: int,
          widths: tuple[int, ...], output: Path) -> None:
    """The same network in the AXI shell: what its streams cost.

    Every output of every channel is compared with the golden model; cycles and multiplications
    are counted by the hardware and read through its registers.

    Exit codes: 0 all equal and at most 1 % of the utilisation lost; 1 otherwise, or the simulation
    failed; 2 wrong input.
    """
    needs("sim")
    check_files(*figure_files(output))
    from ...bench.shell import as_dict, measure_shell, table
    from ...bench.workload import chosen_workload

    workload = chosen_workload(config, reduced)
    outcomes = [measure_shell(workload, frames, width, Progress()) for width in widths]
    tell(output, as_dict(workload, outcomes), command_line(ctx, whole=True), [table(outcomes)])
    ctx.exit(0 if all(each.good for each in outcomes) else 1)
