"""``ese``: the command group, its help, and the one way out of every command."""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

import click

from .. import __version__
from ..contract.errors import EseError, SimulationError
from .terminal import all_characters, notes

COMMANDS = {
    "A network onto the engine": ("compress", "info", "simulate", "report"),
    "The engine itself": ("verilog", "registers", "device", "board", "synth"),
    "Training": ("data", "train", "distill", "sensitivity", "evaluate"),
    "Measurements": ("demo", "bench"),
}
"""Names by heading; each is a module of this package that holds a command of its name."""
INTERRUPTED = 130


class _Ese(click.Group):
    """Loads a command when it is asked for, and turns what goes wrong into sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in COMMANDS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))
        for title, names in COMMANDS.items():
            found = {name: self.get_command(ctx, name) for name in names}
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), command.get_short_help_str(formatter.width))
                                    for name, command in found.items() if command is not None])

    def main(self, *args: Any, **extra: Any) -> Any:
        run: Callable[[], Any] = partial(super().main, *args, **extra | {"standalone_mode": False})
        return sys.exit(exit_code(run)) if extra.get("standalone_mode", True) else run()


def exit_code(run: Callable[[], Any]) -> int:
    """Run a command; what it answers if that is a number, else 0, or what its failure means, told
    in one sentence on standard error."""
    try:
        with notes(), all_characters():
            answer = run()
        return answer if isinstance(answer, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except EseError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    except SimulationError as error:
        click.echo(f"simulation failed: {error}", err=True)
        return 1
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        _drop_output()
        click.echo(f"error: output: standard output must be writable, but {error.strerror}",
                   err=True)
        return 2


def _drop_output() -> None:
    """What standard output still holds goes nowhere, else Python would fail on it at its end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_Ese, context_settings={"help_option_names": ["-h", "--help"],
                                         "show_default": True})
@click.version_option(__version__, prog_name="ese")
def main() -> None:
    """ESE, the sparse-LSTM speech accelerator for FPGAs.

    \b
    ese compress model.pt --density 0.1 --frames train.npy -o model.ese
    ese info model.ese
    ese simulate model.ese speech.npy --backend golden -o out.npy
    ese verilog --config xcku060-32x32 -o build/

    Exit codes: 0 success; 1 a simulation failed or differs from the golden model, a measurement
    misses its target, or a fault of the program (with a traceback); 2 wrong input, explained in
    one sentence on standard error; 130 interrupted.
    """
