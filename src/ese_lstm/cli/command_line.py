"""The command that made a file, for its provenance."""

import shlex
from pathlib import Path

import click
from click.core import ParameterSource

PLACES = ("output", "report")
"""Options that say where results go, not what they are."""


def command_line(ctx: click.Context, whole: bool = False) -> str:
    """The command with its given options in declared order.

    whole: as it was given; else files by name alone, and without where the results go.
    """
    words = ["ese", *command_names(ctx)]
    for param in ctx.command.params:
        name = param.name or ""
        if ctx.get_parameter_source(name) in (ParameterSource.DEFAULT, None) \
                or (name in PLACES and not whole):
            continue
        value = ctx.params[name]
        for item in value if isinstance(value, tuple) else (value,):
            text = item.name if isinstance(item, Path) and not whole else str(item)
            if isinstance(param, click.Argument):
                words.append(text)
            elif item is False:
                words.append(param.secondary_opts[-1])
            else:
                words += [param.opts[-1]] + ([] if item is True else [text])
    return shlex.join(words)


def command_names(ctx: click.Context) -> list[str]:
    """The command after ``ese``, groups first."""
    above = ctx.parent
    return [*(command_names(above) if above is not None and above.parent is not None else []),
            ctx.command.name or ""]
