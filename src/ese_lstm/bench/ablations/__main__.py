"""``python -m ese_lstm.bench.ablations``: tables and plots of docs/results."""

from pathlib import Path

import click

from ...cli.terminal import exit_codes
from ...contract.config import PRESETS
from ...sim.rtl.verilator import SimulationError
from ..__main__ import FULL
from ..tables import show
from ..workload import paper_workload, reduced_workload
from .studies import STUDIES, Bench, run_studies
from .study import write_study


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False),
              default=Path("docs/results"), metavar="DIRECTORY", help="Where results go.")
@click.option("--cache", type=click.Path(path_type=Path), default=Bench.cache,
              metavar="DIRECTORY", help="Where downloads are kept.")
@click.option("--reduced", is_flag=True, help="On a small engine and network.")
def main(names: tuple[str, ...], output: Path, cache: Path, reduced: bool) -> None:
    """Run the studies NAME …, or all; write each as table (.csv, .md) and plot (.svg).

    The same studies give the same files. Exit codes: 0; 1 a simulation failed; 2 wrong input.
    """
    base = reduced_workload() if reduced else paper_workload(PRESETS[FULL])
    with exit_codes(SimulationError):
        for study in run_studies(names, Bench(base, cache=cache)):
            show([study.table()])
            for path in write_study(study, output):
                click.echo(path)


main.help = f"{main.help}\n\nStudies: {', '.join(STUDIES)}."

if __name__ == "__main__":
    main()
