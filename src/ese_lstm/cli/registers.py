"""``ese registers``: the register map of the AXI shell, for drivers."""

from pathlib import Path

import click

from ..contract.files import write_atomically
from ..contract.register_files import FORMATS
from .outputs import standard_output_taken


@click.command(context_settings={"show_default": True})
@click.option("--format", "kind", type=click.Choice(tuple(FORMATS)), default="markdown",
              help="C header, Python module, or table.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Where to write; without it, standard output.")
def registers(kind: str, output: Path | None) -> None:
    """Write the AXI shell's register map: C, Python or a table.

    The map is the same for every engine, and is what the RTL is made from.

    \b
    ese registers
    ese registers --format c -o ese_registers.h
    """
    text = FORMATS[kind]()
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, lambda path: path.write_text(text))
        click.echo(output, err=standard_output_taken())
