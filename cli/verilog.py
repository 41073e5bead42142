"""``ese verilog``: an engine's Verilog, without any model."""

from pathlib import Path
from typing import Any

import click

from .options import KNOBS, chosen_config, config_options
from .show import console


@click.command(context_settings={"show_default": True})
@config_options
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              metavar="DIRECTORY", help="Where to write; made if missing.")
def verilog(config: str, sets: tuple[str, ...], output: Path, **knobs: Any) -> None:
    """Write the Verilog of an engine, and a JSON file that describes its ports.

    An engine is the same for every model that fits it: models are loaded as images. Needs
    neither PyTorch nor a checkpoint. Prints the paths written; a file whose content stays the
    same is left alone.

    \b
    ese verilog --config xcku060-32x32 -o build/
    ese verilog --lanes 8 --channels 4 --set clock_mhz=125.0 -o build/
    """
    engine = chosen_config(config, sets, **{name: knobs[name] for name in KNOBS})
    with console.status("Elaborating") as status:
        from ..hw.export import export_verilog

        files = export_verilog(engine, output, progress=lambda stage, done:
                               status.update(f"{stage} {100 * done:.0f} %"))
    click.echo(files.verilog)
    click.echo(files.description)
