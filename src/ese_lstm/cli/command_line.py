"""The command that made a file, for its provenance."""

import shlex
from pathlib import Path

import click
from click.core import ParameterSource

PLACES = ("output", "report")
"""Options that say where results go, not what they are."""


def command_line(ctx: click.Context) -> str:
    """The command with its given options in declared order, files by name alone."""
    words = ["ese", ctx.command.name or ""]
    for param in ctx.command.params:
        name = param.name or ""
        if name in PLACES or ctx.get_parameter_source(name) in (ParameterSource.DEFAULT, None):
            continue
        value = ctx.params[name]
        for item in value if isinstance(value, tuple) else (value,):
            text = item.name if isinstance(item, Path) else str(item)
            if isinstance(param, click.Argument):
                words.append(text)
            else:
                words += [param.opts[-1]] + ([] if item is True else [text])
    return shlex.join(words)
