"""``python -m ese_lstm.bench.pruning_curve``: PER and cycles against density, two ways to prune."""

import dataclasses
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..cli.settings import chosen, setting_options
from ..cli.terminal import Progress, exit_codes
from ..contract.config import PRESETS, load_config
from ..contract.errors import EseError
from ..contract.files import check_folder, write_contents
from ..search.curve import CURVES, DENSE, CurveOptions, CurvePoint, run_curves
from ..train.data.dataset import Dataset
from ..train.options import TrainOptions
from .ablations.study import Column, Plot, Study, Value, write_study
from .tables import show

NAME = "pruning-curve"
FULL = "xcku060-32x32"
DENSITIES = "0.5,0.3,0.2,0.15,0.112,0.08"
MODULE = "ese_lstm.bench.pruning_curve"

@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--from", "start", type=click.Path(path_type=Path), required=True, metavar="MODEL",
              help="Dense model of ese train.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Points and trainings; an interrupted run goes on in it.")
@click.option("--balance", "balances", type=click.Choice(list(CURVES.values())), multiple=True,
              help="Only this curve; both without it.")
@click.option("--densities", default=DENSITIES, metavar="LIST",
              help="Falling, separated by commas; each is retrained from the one before.")
@click.option("--keep-one", is_flag=True, help="Leave no lane without a weight in any column.")
@click.option("--config", default=FULL, metavar="NAME|FILE",
              help=f"Engine of balance and cycles: {', '.join(PRESETS)}, or a JSON file.")
@setting_options(TrainOptions)
@click.option("--threads", default=0, help="Threads of PyTorch; 0: its own choice.")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False),
              default=Path("docs/results"), metavar="DIRECTORY",
              help="Where tables, plots and a copy of the points go.")
def main(dataset: Path, start: Path, output: Path, balances: tuple[str, ...], densities: str,
         keep_one: bool, config: str, threads: int, results: Path, **values: Any) -> None:
    """Prune MODEL to every density, at once and with retraining, balanced and plain.

    Error rates are those of the float network on the held-out split, cycles the cycle model's.

    Exit codes: 0; 2 wrong input.
    """
    command = shlex.join(["python", "-m", MODULE, *sys.argv[1:]])
    with exit_codes():
        check_folder(output)
        try:
            wanted = tuple(float(part) for part in densities.split(","))
        except ValueError:
            raise EseError(f"densities: must be numbers separated by commas, got {densities!r}"
                           ) from None
        options = CurveOptions(
            load_config(config), wanted, chosen(TrainOptions, values),
            tuple(name for name, balance in CURVES.items() if not balances or balance in balances),
            keep_one, threads)
        points = run_curves(start, Dataset(dataset), output, options, Progress())
        for study in studies(points, command):
            show([study.table()])
            for path in write_study(study, results):
                click.echo(path)
        text = "".join(f"{json.dumps(dataclasses.asdict(point))}\n" for point in points)
        write_contents({results / f"{NAME}.jsonl": text})


def studies(points: Sequence[CurvePoint], command: str) -> tuple[Study, Study]:
    """Error rates, and cycles, against density."""
    names = list(dict.fromkeys(point.name for point in points if point.name != DENSE))
    known = {(point.name, point.retrained, point.density): point for point in points}
    densities = sorted({point.density for point in points}, reverse=True)

    def rows(kinds: Sequence[bool], figures: Sequence[str]) -> tuple[tuple[Value, ...], ...]:
        table = []
        for density in densities:
            row: list[Value] = [density]
            for figure in figures:
                for retrained in kinds:
                    for name in names:
                        key = (DENSE, False) if density == 1.0 else (name, retrained)
                        point = known.get((*key, density))
                        row.append(None if point is None else getattr(point, figure))
            table.append(tuple(row))
        return tuple(table)

    kinds = {True: "retrained", False: "at once"}
    rates = [f"{name}, {kind}" for kind in kinds.values() for name in names]
    again = [f"{name}, retrained" for name in names]
    density = Column("density", 1, percent=True)
    return (
        Study(NAME, "Phone error rate against density",
              (density, *(Column(f"{figure} %: {name}", 2) for figure in ("PER", "FER")
                          for name in rates)),
              rows(tuple(kinds), ("per", "fer")),
              Plot("density", tuple(f"PER %: {name}" for name in rates), "held-out PER %"),
              ("Balanced: every lane keeps the same share of every matrix, as published. Plain: "
               "the largest magnitudes of a matrix, wherever they lie. Retrained: each density is "
               "pruned from the retrained network of the one above it, then retrained under its "
               "mask; both curves with the same seed and the same steps. At once: pruned from the "
               "dense network, not retrained. Float network, held-out utterances.",), command),
        Study(f"{NAME}-cycles", "Cycles a frame against density, retrained networks",
              (density, *(Column(f"cycles: {name}") for name in again),
               *(Column(f"utilisation: {name}", 2, percent=True) for name in again)),
              rows((True,), ("cycles", "utilisation")),
              Plot("density", tuple(f"cycles: {name}" for name in again), "cycles a frame"),
              ("Of the packed networks, by the cycle model, on an engine whose weight memory "
               "holds them all. Empty lane columns cost a null entry each, unless --keep-one was "
               "given. The dense network is the same for both.",), command))


if __name__ == "__main__":
    main()
