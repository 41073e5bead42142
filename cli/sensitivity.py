"""``ese sensitivity``: error rates against density, matrix by matrix."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from ..contract.errors import EseError
from .options import KNOBS, chosen_config, config_options
from .show import console, show


@click.command(context_settings={"show_default": True})
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              metavar="FILE.jsonl", help="Points; an interrupted scan goes on in it.")
@click.option("--densities", default="0.5,0.3,0.2,0.1", metavar="LIST",
              help="Densities to try, separated by commas.")
@click.option("--balance", type=click.Choice(["matrix", "tile", "none"]), default="matrix",
              help="Equal shares per lane and matrix, per lane and tile, or plain magnitude.")
@click.option("--allowance", type=float, default=1.0,
              help="PER, absolute %, that one matrix's pruning may cost before retraining.")
@click.option("--split", type=click.Choice(["train", "held-out"]), default="held-out")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first utterances.")
@config_options
def sensitivity(model: Path, dataset: Path, output: Path, densities: str, balance: Any,
                allowance: float, split: str, limit: int | None, config: str,
                sets: tuple[str, ...], **knobs: Any) -> None:
    """Prune one matrix of MODEL at a time, without retraining, and score it on DATASET.

    \b
    ese sensitivity build/dense/model.safetensors build/speech -o build/scan.jsonl --limit 100

    Ends with the --matrix-density options of the sparsest densities within the allowance.
    """
    try:
        from ..train.dataset import Dataset
        from ..train.model import load_model
        from ..train.sensitivity import choose, scan
        from ..train.streams import Corpus
    except ImportError as error:
        raise EseError(f"sensitivity: needs {error.name}, which is not installed "
                       f"(pip install 'ese-lstm[train]')") from None
    try:
        wanted = [float(part) for part in densities.split(",")]
    except ValueError:
        raise EseError(f"densities: must be numbers separated by commas, got {densities!r}"
                       ) from None
    engine = chosen_config(config, sets, **{name: knobs[name] for name in KNOBS})
    with console.status("Reading") as status:
        net = load_model(model)
        data = Dataset(dataset)
        if (net.shape.inputs, net.shape.phones) != (data.inputs, data.phones):
            raise EseError(f"model: {model} must have the {data.inputs} inputs and the phones of "
                           f"{dataset}")
        corpus = Corpus.load(data, data.split(split)[:limit])
        points = scan(net, corpus, engine, wanted, output, balance, lambda done, total:
                      status.update(f"{done} of {total} points"))
    table = Table(title="Without retraining", title_justify="left")
    for heading in ("matrix", "density", "FER %", "PER %"):
        table.add_column(heading, justify="left" if heading == "matrix" else "right")
    for point in points:
        table.add_row(point.matrix, f"{point.density:g}", f"{point.fer:.2f}", f"{point.per:.2f}")
    show(table)
    click.echo(" ".join(f"--matrix-density {name}={value:g}"
                        for name, value in choose(points, allowance).items()))
