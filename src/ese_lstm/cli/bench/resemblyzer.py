"""``ese bench resemblyzer``: a speaker encoder in fixed point, dense and distilled."""

from dataclasses import asdict
from pathlib import Path

import click

from ...contract.files import check_folder
from ...report.table import figure_files, write_figures
from ..command_line import command_line
from ..needs import needs
from ..options import cache_option
from ..outputs import check_files
from ..terminal import Progress, show
from .options import figures_option

SPEECH = Path("build/resemblyzer/speech")


@click.group()
def resemblyzer() -> None:
    """A speaker encoder in 12-bit weights, dense or pruned."""


@resemblyzer.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), default=SPEECH, metavar="DIR",
              help="Folder of mel frames.")
@cache_option
def prepare(output: Path, cache: Path) -> None:
    """Fetch checkpoint and speech, compute mel frames.

    Goes on where it was interrupted.
    """
    needs("demo")
    needs("train", "soundfile", "scipy")
    check_folder(output)
    from ...bench import resemblyzer_speech
    from ...demo.fetch import fetch_checkpoint

    progress = Progress()
    checkpoint = fetch_checkpoint(cache)
    found = resemblyzer_speech.prepare(resemblyzer_speech.clips(cache), output, lambda done, total:
                                       progress("mel frames", done / total))
    click.echo(f"{found.clips['train']} clips to learn from ({found.frames['train']:,} frames), "
               f"{found.clips['held-out']} held out, {found.short} too short, in {output}; "
               f"checkpoint {checkpoint}")


@resemblyzer.command()
@click.argument("models", type=click.Path(path_type=Path), nargs=-1)
@click.option("--speech", type=click.Path(path_type=Path), default=SPEECH,
              help="Folder that prepare made.")
@cache_option
@click.option("--windows", type=click.IntRange(min=2), default=128,
              help="Held-out clips, spread evenly, whose first 160 frames are run.")
@click.option("--dense/--no-dense", default=True, help="Measure the original too.")
@figures_option("resemblyzer/resemblyzer.json")
@click.pass_context
def measure(ctx: click.Context, models: tuple[Path, ...], speech: Path, cache: Path, windows: int,
            dense: bool, output: Path) -> None:
    """Run original and MODELS through the golden model.

    MODELS are model.safetensors of ese distill; embeddings are compared with the original's.
    """
    needs("compress")
    check_files(*figure_files(output))
    from ...bench.resemblyzer import measure_all, tables
    from ...demo.fetch import fetch_checkpoint

    command = command_line(ctx, whole=True)
    rows = []
    for row in measure_all(fetch_checkpoint(cache), models, speech, windows, dense, Progress()):
        rows.append(row)
        write_figures(output, {"command": command, "rows": [asdict(row) for row in rows]},
                      command, tables(rows))
    show(*tables(rows))
    click.echo(f"Figures are in {output}")
