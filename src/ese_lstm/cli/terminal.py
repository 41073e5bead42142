"""The terminal: results on standard output; progress, notes and warnings on standard error."""

import codecs
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TextIO

import click
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.status import Status
from rich.table import Table as RichTable

from ..contract.image import UnverifiedImage
from ..report.table import Table
from .outputs import standard_output_taken

QUIET_S = 10.0
"""Seconds between two lines of progress where there is no terminal."""
TERMINAL_S = 0.5
FILE_WIDTH = 200
"""Columns of a table where there is no terminal."""

Update = Callable[[str, float], None]
"""Told what a step is doing and which fraction is done."""

console = Console(stderr=True)


def show(*tables: Table) -> None:
    """Print tables to standard output, or to standard error if a file that the command writes
    goes there; into a file or a pipe at full width."""
    taken = standard_output_taken()
    out = Console(stderr=taken, markup=False)
    if not out.is_terminal:
        out = Console(stderr=taken, width=FILE_WIDTH, markup=False)
    for table in tables:
        out.print(_rich(table))


def _rich(table: Table) -> RichTable:
    found = RichTable(title=table.title, title_justify="left", show_header=bool(table.header),
                      caption=table.note or None, caption_justify="left")
    for number, name in enumerate(table.header or ("", "")):
        found.add_column(name, justify="left" if number in table.left else "right",
                         overflow="fold")
    for number, row in enumerate(table.texts):
        if table.total and number == len(table.rows) - 1:
            found.add_section()
        found.add_row(*row)
    return found


def say(text: str) -> None:
    """One line on standard error."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    """One line of warning on standard error."""
    click.echo(f"warning: {text}", err=True)


@contextmanager
def notes() -> Iterator[None]:
    """Show every UnverifiedImage as one line, ``note: …``; other warnings as ever."""
    before = warnings.showwarning

    def shown(message: Warning | str, category: type[Warning], filename: str, lineno: int,
              file: TextIO | None = None, line: str | None = None) -> None:
        if issubclass(category, UnverifiedImage):
            say(f"note: {message}")
        else:
            before(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UnverifiedImage)
        warnings.showwarning = shown
        yield


@contextmanager
def all_characters() -> Iterator[None]:
    """Let standard output take every character: one that its encoding lacks becomes a question
    mark, and a note says so at the end."""
    out, lacking = sys.stdout, False

    def instead(error: UnicodeError) -> tuple[str, int]:
        nonlocal lacking
        assert isinstance(error, UnicodeEncodeError)
        lacking = True
        return "?" * (error.end - error.start), error.end

    if isinstance(out, TextIOWrapper) and out.errors == "strict":
        codecs.register_error("ese-question-mark", instead)
        out.reconfigure(errors="ese-question-mark")
    yield
    if lacking:
        say(f"note: standard output is {out.encoding}, which lacks characters that are shown as "
            f"?; PYTHONIOENCODING=utf-8 shows them")


def percent(status: Status) -> Update:
    """Progress shown by a status: what is done, and how much of it."""
    return lambda stage, done: status.update(f"{stage} {100 * done:.0f} %")


class Progress:
    """Says now and then what is being done."""

    def __init__(self) -> None:
        self._stage, self._last = "", 0.0

    def __call__(self, stage: str, done: float) -> None:
        """``stage`` is done to this fraction; what stands behind a colon is detail."""
        now = time.monotonic()
        quiet = TERMINAL_S if console.is_terminal else QUIET_S
        name = stage.partition(":")[0]
        if name != self._stage or now - self._last > quiet:
            self._stage, self._last = name, now
            console.print(f"{stage} {100 * done:3.0f} %", highlight=False, markup=False,
                          end="\r" if console.is_terminal else "\n")


class Steps:
    """Progress of a job of several steps: bars on a terminal, lines elsewhere."""

    def __init__(self) -> None:
        self._number = 0

    @contextmanager
    def __call__(self, title: str) -> Iterator[Update]:
        self._number += 1
        name = f"{self._number} {title}"
        begin = time.monotonic()
        with self._bar(name) if console.is_terminal else self._lines(name) as update:
            yield update
        console.print(f"[green]done[/] {name} [dim]({time.monotonic() - begin:.1f} s)[/]",
                      highlight=False)

    @contextmanager
    def _bar(self, name: str) -> Iterator[Update]:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
                   TextColumn("{task.fields[detail]}"), TimeElapsedColumn())
        with Bars(*columns, console=console, transient=True) as progress:
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
                console.print(f"     {name}: {detail} {100 * fraction:.0f} %", highlight=False)
        yield update
