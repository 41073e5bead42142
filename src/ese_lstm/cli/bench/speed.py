"""``ese bench speed``: how long the full simulator takes to build, and how fast it runs."""

from pathlib import Path

import click

from ...contract.files import write_contents
from ...report.table import json_text
from ..needs import needs
from ..outputs import check_files
from ..terminal import Progress, show
from .options import figures_option, workload_options


@click.command()
@workload_options
@click.option("--frames", default=6, help="Frames to simulate.")
@figures_option("bench/speed.json", tables=False)
def speed(config: str | None, reduced: bool, frames: int, output: Path) -> None:
    """How long the simulator takes to build, how fast it runs.

    Nothing is taken from the cache of built simulators.
    """
    needs("sim")
    check_files(output)
    from ...bench.speed import measure_speed, table
    from ...bench.workload import chosen_workload

    values = measure_speed(chosen_workload(config, reduced), frames, Progress())
    write_contents({output: json_text(values)})
    show(table(values))
    click.echo(f"Figures are in {output}")
