"""``ese bench ablations``: tables and plots of docs/results."""

from pathlib import Path

import click

from ..needs import needs
from ..terminal import show


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False),
              default=Path("docs/results"), metavar="DIRECTORY", help="Where results go.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("build/data"),
              metavar="DIRECTORY", help="Where downloads are kept.")
@click.option("--reduced", is_flag=True, help="On a small engine and network.")
def ablations(names: tuple[str, ...], output: Path, cache: Path, reduced: bool) -> None:
    """What each design choice costs: tables and plots.

    Runs the studies NAME …, or all: queue-depth, pruning, trained-weights, index-mode,
    empty-columns, lanes, elementwise, channels; writes each as table (.csv, .md) and plot (.svg).

    The same studies give the same files. Exit codes: 0; 1 a simulation failed; 2 wrong input.
    """
    needs("bench")
    for name, extra in {"channels": "sim", "trained-weights": "compress"}.items():
        if name in names or not names:
            needs(extra)
    from ...bench.ablations import Bench, run_studies
    from ...bench.study import write_study
    from ...bench.workload import chosen_workload

    for study in run_studies(names, Bench(chosen_workload(None, reduced), cache=cache)):
        show(study.table())
        for path in write_study(study, output):
            click.echo(path)
