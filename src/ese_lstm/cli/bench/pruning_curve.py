"""``ese bench pruning-curve``: PER and cycles against density, two ways to prune."""

from pathlib import Path
from typing import Any

import click

from ...contract.config import PRESETS, load_config
from ...contract.files import check_folder
from ...train.options import TrainOptions
from ..command_line import command_line
from ..needs import needs
from ..options import DEFAULT_CONFIG, numbers
from ..settings import chosen, setting_options
from ..terminal import Progress, show

DENSITIES = "0.5,0.3,0.2,0.15,0.112,0.08"
BALANCES = ("matrix", "none")


@click.command("pruning-curve")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--from", "start", type=click.Path(path_type=Path), required=True, metavar="MODEL",
              help="Dense model of ese train.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Points and trainings; an interrupted run goes on in it.")
@click.option("--balance", "balances", type=click.Choice(BALANCES), multiple=True,
              help="Only this curve; both without it.")
@click.option("--densities", default=DENSITIES, metavar="LIST",
              help="Falling, separated by commas; each is retrained from the one before.")
@click.option("--keep-one", is_flag=True, help="Leave no lane without a weight in any column.")
@click.option("--config", default=DEFAULT_CONFIG, metavar="NAME|FILE",
              help=f"Engine of balance and cycles: {', '.join(PRESETS)}, or a JSON file.")
@setting_options(TrainOptions)
@click.option("--threads", default=0, help="Threads of PyTorch; 0: its own choice.")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False),
              default=Path("docs/results"), metavar="DIRECTORY",
              help="Where tables, plots and a copy of the points go.")
@click.pass_context
def pruning_curve(ctx: click.Context, /, dataset: Path, start: Path, output: Path,
                  balances: tuple[str, ...], densities: str, keep_one: bool, config: str,
                  threads: int, results: Path, **values: Any) -> None:
    """PER and cycles against density, retrained or not.

    Prunes MODEL to every density, at once and with retraining, balanced and plain. Error rates
    are those of the float network on the held-out split, cycles the cycle model's.

    Exit codes: 0; 2 wrong input.
    """
    needs("bench")
    needs("train", "torch")
    check_folder(output)
    from ...bench.pruning_curve import studies, write_points
    from ...bench.study import write_study
    from ...search.curve import CURVES, CurveOptions, run_curves
    from ...train.data.dataset import Dataset

    options = CurveOptions(
        load_config(config), tuple(numbers("densities", densities, float)),
        chosen(TrainOptions, values),
        tuple(name for name, balance in CURVES.items() if not balances or balance in balances),
        keep_one, threads)
    points = run_curves(start, Dataset(dataset), output, options, Progress())
    for study in studies(points, command_line(ctx, whole=True)):
        show(study.table())
        for path in write_study(study, results):
            click.echo(path)
    write_points(points, results)
