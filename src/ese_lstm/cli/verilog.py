"""``ese verilog``: an engine's Verilog, bare or in its AXI shell, without any model."""

from pathlib import Path
from typing import Any

import click

from ..contract.shell import SHELL_PRESETS, load_shell_config
from .options import KNOBS, chosen_config, config_options
from .outputs import check_files_in
from .terminal import console, percent


@click.command(context_settings={"show_default": True})
@config_options
@click.option("--shell", metavar="NAME|FILE",
              help="Add the AXI shell: " + ", ".join(SHELL_PRESETS) + ", or a JSON file. "
                   "Without it, the bare engine.")
@click.option("--prefix", metavar="NAME", default="", show_default=False,
              help="Put NAME_ before the name of every module, so that several engines fit in one "
                   "project.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              metavar="DIRECTORY", help="Where to write; made if missing.")
def verilog(config: str, sets: tuple[str, ...], shell: str | None, prefix: str, output: Path,
            **knobs: Any) -> None:
    """Write the Verilog of an engine, bare or in its AXI shell.

    A JSON file beside it describes its ports. With --shell the engine comes with AXI4-Lite
    registers, AXI4-Streams and, if it streams weights, an AXI4 memory port; the register map is
    written too, as a C header, a Python module and a table.

    An engine is the same for every model that fits it: models are loaded as images. Needs
    neither PyTorch nor a checkpoint. Prints the paths written; a file whose content stays the
    same is left alone.

    \b
    ese verilog --config xcku060-32x32 -o build/
    ese verilog --lanes 8 --channels 4 --set clock_mhz=125.0 -o build/
    ese verilog --config xcku060-32x32 --shell xcku060 -o build/
    ese verilog --config demo-32x4 --prefix left -o build/
    """
    engine = chosen_config(config, sets, **{name: knobs[name] for name in KNOBS})
    around = None if shell is None else load_shell_config(shell)
    with console.status("Elaborating") as status:
        from ..hw.verilog.export import export_files, export_verilog

        check_files_in(output, *export_files(around is not None, prefix))
        files = export_verilog(engine, output, shell=around, prefix=prefix,
                               progress=percent(status))
    for path in (files.verilog, files.description, *files.registers):
        click.echo(path)
