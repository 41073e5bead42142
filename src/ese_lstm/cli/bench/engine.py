"""``ese bench engine``: the paper's network on the full engine, measured in Verilator."""

from pathlib import Path

import click

from ...compress.prune import BALANCES, Balance
from ...report.table import figure_files
from ..command_line import command_line
from ..needs import needs
from ..outputs import check_files
from ..terminal import Progress
from .options import figures_option, tell, workload_options


@click.command()
@workload_options
@click.option("--frames", default=4, help="Frames measured, after one that warms up.")
@click.option("--balance", type=click.Choice(BALANCES), default="matrix",
              help="Groups that pruning balances; matrix is the published rule.")
@click.option("--keep-one/--no-keep-one", default=True,
              help="Leave no lane without an entry in any column.")
@click.option("--seed", default=0, help="Of weights and frames.")
@figures_option("bench/bench.json")
@click.pass_context
def engine(ctx: click.Context, config: str | None, reduced: bool, frames: int, balance: Balance,
           keep_one: bool, seed: int, output: Path) -> None:
    """The paper's network on the full engine's Verilog.

    Every cell state, hidden value and output of every channel of the Google LSTMP, pruned to the
    paper's densities, is compared with the golden model; cycles and stalls are counted by the
    hardware's own counters. Weights are random.

    Exit codes: 0 everything equal; 1 a value differs, the cycle model is wrong, or the simulation
    failed; 2 wrong input.
    """
    needs("sim")
    check_files(*figure_files(output))
    from ...bench.measure import as_dict, measure
    from ...bench.tables import all_tables
    from ...bench.workload import chosen_workload

    command = command_line(ctx, whole=True)
    workload = chosen_workload(config, reduced).replace(
        balance=balance, keep_one=keep_one, seed=seed, command=command)
    outcome = measure(workload, frames, Progress())
    tell(output, as_dict(outcome), command, all_tables(outcome))
    ctx.exit(0 if outcome.good else 1)
