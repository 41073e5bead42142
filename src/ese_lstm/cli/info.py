"""``ese info``: what an image or a configuration says of itself."""

import json
from pathlib import Path

import click

from ..contract.config import PRESETS, load_config
from ..contract.errors import EseError
from ..contract.image import read_image
from .estimate import estimate, memory_options
from .show import config_tables, derived, image_tables, sizes


@click.command()
@click.argument("subject", metavar="IMAGE|CONFIG")
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output, for scripts.")
@click.option("--cycles", is_flag=True,
              help="Also run the cycle model: cycles of a frame, utilisation.")
@memory_options
def info(subject: str, as_json: bool, cycles: bool, bandwidth: float | None,
         latency: int | None) -> None:
    """Show an image and its checksums, or a configuration.

    \b
    ese info model.ese
    ese info xcku060-32x32 --json
    ese info model.ese --cycles --bandwidth 19.2 --latency 100
    """
    path = Path(subject)
    if subject in PRESETS or path.suffix == ".json":
        config = load_config(subject)
        if as_json:
            click.echo(json.dumps({"config": config.model_dump(), "derived": derived(config),
                                   "digest": config.digest}, indent=2, sort_keys=True))
        else:
            config_tables(subject, config)
        return
    if not path.is_file():
        raise EseError(f"info: must be an image file, a JSON configuration or one of "
                       f"{', '.join(PRESETS)}, got {subject!r}")
    image = read_image(path)
    if not cycles and (bandwidth is not None or latency is not None):
        raise EseError("info: --bandwidth and --latency must come with --cycles")
    figures = estimate(image, bandwidth, latency) if cycles else {}
    if as_json:
        click.echo(json.dumps({"manifest": image.manifest.model_dump(),
                               "manifest_verified": image.verified, "sizes": sizes(image),
                               **({"cycles": figures} if cycles else {})},
                              indent=2, sort_keys=True))
    else:
        image_tables(image, figures)
