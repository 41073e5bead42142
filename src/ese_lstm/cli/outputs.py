"""What a command writes, against what it reads: checked before it does anything."""

from collections.abc import Iterator
from pathlib import Path

import click

from ..contract.config import PRESETS
from ..contract.files import check_folder, check_outputs, is_standard_output
from ..contract.shell import SHELL_PRESETS
from .command_line import PLACES

NAMED = ("config", "shell", "key_map")
"""Options that may be the path of a file, but need not."""


def check_files(*outputs: Path | None) -> None:
    """Raise EseError if a file that the present command is to write is a folder, or is one that
    its arguments and options name, or is written twice."""
    check_outputs(outputs, list(_inputs(click.get_current_context())))


def check_files_in(folder: Path, *names: str) -> None:
    """The same of files of a folder, and if the folder can't be one."""
    check_folder(folder)
    check_files(*(folder / name for name in names))


def standard_output_taken() -> bool:
    """The present command writes a file to standard output: what it tells goes elsewhere."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and any(
        isinstance(ctx.params.get(name), Path) and is_standard_output(ctx.params[name])
        for name in PLACES)


def _inputs(ctx: click.Context) -> Iterator[Path]:
    for name, value in ctx.params.items():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Path) and name not in PLACES:
                yield item
            if isinstance(item, str) and name in NAMED and not {item} & {*PRESETS, *SHELL_PRESETS}:
                yield Path(item)
