"""``python -m ese_lstm.demo``: a real speech LSTM becomes bit-exact hardware, with progress."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ..contract.config import PRESETS
from ..contract.errors import EseError
from ..contract.image import write_atomically
from ..sim.rtl.verilator import SimulationError
from .job import Options, Outcome, Update, run_job
from .summary import as_json, as_text

QUIET_S = 10.0
"""Seconds between two lines of progress where there is no terminal."""


class Steps:
    """Progress of a job: bars on a terminal, lines elsewhere; always on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._number = 0

    @contextmanager
    def __call__(self, title: str) -> Iterator[Update]:
        self._number += 1
        name = f"{self._number} {title}"
        begin = time.monotonic()
        with self._bar(name) if self._console.is_terminal else self._lines(name) as update:
            yield update
        self._console.print(f"[green]done[/] {name} [dim]({time.monotonic() - begin:.1f} s)[/]",
                            highlight=False)

    @contextmanager
    def _bar(self, name: str) -> Iterator[Update]:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
                   TextColumn("{task.fields[detail]}"), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(name, total=None, detail="")

            def update(detail: str, fraction: float) -> None:
                progress.update(task, detail=detail, total=1.0 if fraction else None,
                                completed=fraction)
            yield update

    @contextmanager
    def _lines(self, name: str) -> Iterator[Update]:
        last = time.monotonic()

        def update(detail: str, fraction: float) -> None:
            nonlocal last
            if time.monotonic() - last > QUIET_S:
                last = time.monotonic()
                self._console.print(f"     {name}: {detail} {100 * fraction:.0f} %",
                                    highlight=False)
        yield update


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/demo"),
              metavar="DIRECTORY", help="Where the results go.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("build/data"),
              metavar="DIRECTORY", help="Where downloads are kept.")
@click.option("--frames", default=Options.frames, help="Frames to simulate, at least 20.")
@click.option("--config", default=Options.config, metavar="NAME|FILE",
              help=f"Engine: {', '.join(PRESETS)}, or a JSON file; 4 to 9 channels.")
@click.option("--density", default=Options.density, help="Share of weights that pruning keeps.")
def main(output: Path, cache: Path, frames: int, config: str, density: float) -> None:
    """Prune, quantise, pack, simulate and compare a real speech LSTM on real speech.

    Takes Resemblyzer's three LSTM layers and Asterisk's recorded prompts (fetched by package
    name), and leaves Verilog, image, memory files, a Vivado project and a summary in DIRECTORY.

    Exit codes: 0 every value of the simulated Verilog equals the golden model's; 1 one differs,
    none was compared, or the simulation failed; 2 wrong input or no network.
    """
    try:
        outcome = run_job(Options(output, cache, config, frames, density), Steps())
        text = write_summary(outcome)
    except EseError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except SimulationError as error:
        click.echo(f"simulation failed: {error}", err=True)
        sys.exit(1)
    click.echo(f"\n{text}\nResults are in {output}/")
    sys.exit(0 if outcome.comparison.equal else 1)


def write_summary(outcome: Outcome) -> str:
    """Write ``summary.json`` and ``summary.txt``; returns the text."""
    text = as_text(outcome)
    values = json.dumps(as_json(outcome), indent=2) + "\n"
    folder = outcome.options.output
    write_atomically(folder / "summary.json", lambda path: path.write_text(values))
    write_atomically(folder / "summary.txt", lambda path: path.write_text(text))
    return text


if __name__ == "__main__":
    main()
