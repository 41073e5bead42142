"""The terminal: exit codes, and progress on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from ..contract.errors import EseError
from .notes import notes

QUIET_S = 10.0
"""Seconds between two lines of progress where there is no terminal."""
TERMINAL_S = 0.5

Update = Callable[[str, float], None]
"""Told what a step is doing and which fraction is done."""


@contextmanager
def exit_codes(*failures: type[Exception]) -> Iterator[None]:
    """A user's mistake ends the program with one sentence and 2, ``failures`` (of simulations)
    with 1."""
    try:
        with notes():
            yield
    except EseError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except failures as error:
        click.echo(f"simulation failed: {error}", err=True)
        sys.exit(1)


class Progress:
    """Says now and then what is being done."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._stage, self._last = "", 0.0

    def __call__(self, stage: str, done: float) -> None:
        """``stage`` is done to this fraction; what stands behind a colon is detail."""
        now = time.monotonic()
        quiet = TERMINAL_S if self._console.is_terminal else QUIET_S
        name = stage.partition(":")[0]
        if name != self._stage or now - self._last > quiet:
            self._stage, self._last = name, now
            self._console.print(f"{stage} {100 * done:3.0f} %", highlight=False, markup=False,
                                end="\r" if self._console.is_terminal else "\n")


class Steps:
    """Progress of a job of several steps: bars on a terminal, lines elsewhere."""

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
        with Bars(*columns, console=self._console, transient=True) as progress:
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
