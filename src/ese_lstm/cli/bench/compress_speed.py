"""``ese bench compress-speed``: how long compression and the golden model take."""

from pathlib import Path

import click

from ...contract.errors import EseError
from ...contract.files import write_contents
from ...report.table import json_text
from ..command_line import command_line
from ..needs import needs
from ..outputs import check_files
from ..terminal import Progress, show
from .options import figures_option, workload_options


@click.command("compress-speed")
@workload_options
@click.option("--repeats", type=click.IntRange(min=1), default=3, help="Compressions measured.")
@click.option("--channels", type=click.IntRange(1, 128), default=64,
              help="Of the golden model: results don't depend on them, speed does.")
@click.option("--dataset", type=click.Path(path_type=Path), metavar="DIR",
              help="Score this dataset's held-out split in the golden model instead of random "
                   "frames; needs --model.")
@click.option("--model", type=click.Path(path_type=Path), metavar="FILE",
              help="The pruned model of `ese train` for --dataset.")
@figures_option("bench/compress-speed.json", tables=False)
@click.pass_context
def compress_speed(ctx: click.Context, config: str | None, reduced: bool, repeats: int,
                   channels: int, dataset: Path | None, model: Path | None, output: Path) -> None:
    """How long compression and the golden model take.

    Compresses a random 153-1024-512 LSTMP (3.25 M weights). Times are of this machine in its
    present state: the load average before is among the figures.

    Exit codes: 0 measured, 2 wrong input.
    """
    check_files(output)
    if (dataset is None) != (model is None):
        raise EseError("dataset: must be given together with --model, got one of them")
    speech = None if dataset is None or model is None else (dataset, model)
    if speech is not None:
        needs("train", "torch")
    from ...bench.compress_speed import measure_compression, table

    values = measure_compression(config, reduced, repeats, channels, speech, Progress())
    write_contents({output: json_text({"command": command_line(ctx, whole=True), **values})})
    show(table(values))
    click.echo(f"Figures are in {output}")
