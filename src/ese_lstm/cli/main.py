"""``ese``: the command group, its help and its exit codes."""

from typing import Any

import click

from .. import __version__
from ..contract.errors import EseError
from .compress import compress
from .data import data
from .device import device
from .distill import distill
from .evaluate import evaluate
from .info import info
from .notes import notes
from .registers import registers
from .report import report
from .sensitivity import sensitivity
from .simulate import simulate
from .train import train
from .verilog import verilog


class _Group(click.Group):
    """Turns a user's mistake into one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with notes():
                return super().invoke(ctx)
        except EseError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(2)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"],
                                           "show_default": True})
@click.version_option(__version__, prog_name="ese")
def main() -> None:
    """ESE, the sparse-LSTM speech accelerator for FPGAs.

    \b
    ese compress model.pt --density 0.1 --frames train.npy -o model.ese
    ese info model.ese
    ese simulate model.ese speech.npy --backend golden -o out.npy
    ese verilog --config xcku060-32x32 -o build/

    Exit codes: 0 success; 1 a simulation differs from the golden model, or a fault of the
    program (with a traceback); 2 wrong input, explained in one sentence on standard error.
    """


for _command in (compress, data, device, distill, evaluate, info, registers, report, sensitivity,
                 simulate, train, verilog):
    main.add_command(_command)


if __name__ == "__main__":
    main()
