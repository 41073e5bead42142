"""Options that measurements share, and where their figures go."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ...contract.config import PRESETS
from ...report.table import Table, write_figures
from ..options import DEFAULT_CONFIG
from ..terminal import show

Function = TypeVar("Function", bound=Callable[..., Any])


def workload_options(function: Function) -> Function:
    """Add --config and --reduced."""
    for option in reversed((
        click.option("--config", metavar="NAME|FILE",
                     help=f"Engine: {', '.join(PRESETS)}, or a JSON file; {DEFAULT_CONFIG} if not "
                          f"given."),
        click.option("--reduced", is_flag=True,
                     help="The same on a small network and, without --config, a small engine."),
    )):
        function = option(function)
    return function


def figures_option(default: str, tables: bool = True) -> Callable[[Function], Function]:
    """Add --output, ``default`` in build/ if not given. tables: they are written beside it."""
    return click.option(
        "-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
        default=Path("build") / default, metavar="FILE.json",
        help="Where all figures go" + ("; the tables beside it, as .md." if tables else "."))


def tell(output: Path, values: Mapping[str, Any], command: str, tables: Sequence[Table]) -> None:
    """Write figures and tables, and show the tables."""
    write_figures(output, {"command": command, **values}, command, tables)
    show(*tables)
    click.echo(f"Figures are in {output}")
