"""``python -m ese_lstm.bench``: the paper's network on the full engine, measured in Verilator."""

import shlex
import sys
from pathlib import Path

import click

from ..cli.outputs import check_files
from ..cli.terminal import Progress, exit_codes
from ..compress.prune import BALANCES, Balance
from ..contract.config import PRESETS, load_config
from ..contract.errors import EseError
from ..sim.rtl.verilator import SimulationError
from .measure import as_dict, measure
from .tables import all_tables, figure_files, show, write_figures
from .workload import REDUCED_CONFIG, Workload, paper_workload, reduced_workload

FULL = "xcku060-32x32"


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("--config", metavar="NAME|FILE",
              help=f"Engine: {', '.join(PRESETS)}, or a JSON file; {FULL} if not given.")
@click.option("--frames", default=4, help="Frames measured, after one that warms up.")
@click.option("--balance", type=click.Choice(BALANCES), default="matrix",
              help="Groups that pruning balances; matrix is the published rule.")
@click.option("--keep-one/--no-keep-one", default=True,
              help="Leave no lane without an entry in any column.")
@click.option("--reduced", is_flag=True,
              help="The same on a small network and, without --config, a small engine.")
@click.option("--seed", default=0, help="Of weights and frames.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("build/bench/bench.json"),
              help="Where all figures go; the tables beside it, as .md.")
def main(config: str | None, frames: int, balance: Balance, keep_one: bool, reduced: bool,
         seed: int, output: Path) -> None:
    """Run the Google LSTMP, pruned to the paper's densities, on the exported Verilog.

    Every cell state, hidden value and output of every channel is compared with the golden model;
    cycles and stalls are counted by the hardware's own counters. Weights are random.

    Exit codes: 0 everything equal; 1 a value differs, the cycle model is wrong, or the simulation
    failed; 2 wrong input.
    """
    command = shlex.join(["python", "-m", "ese_lstm.bench", *sys.argv[1:]])
    with exit_codes(SimulationError):
        check_files(*figure_files(output))
        if frames < 1:
            raise EseError(f"frames: must be at least 1, got {frames}")
        workload = _workload(config, reduced).replace(balance=balance, keep_one=keep_one, seed=seed,
                                                      command=command)
        outcome = measure(workload, frames, Progress())
        write_figures(output, as_dict(outcome, command), command, all_tables(outcome))
    show(all_tables(outcome))
    click.echo(f"Figures are in {output}")
    sys.exit(0 if outcome.good else 1)


def _workload(config: str | None, reduced: bool) -> Workload:
    if reduced:
        return reduced_workload(REDUCED_CONFIG if config is None else load_config(config))
    return paper_workload(load_config(config or FULL))


if __name__ == "__main__":
    main()
