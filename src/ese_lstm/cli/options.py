"""Options that several commands share: the engine configuration and its knobs."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..contract.config import PRESETS, EngineConfig, load_config
from ..contract.errors import EseError

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_CONFIG = "xcku060-32x32"
KNOBS = ("lanes", "channels", "index_mode", "weight_bits", "act_bits")


def config_options(function: Function) -> Function:
    """Add --config, the frequent knobs and --set."""
    for option in reversed((
        click.option("--config", "config", default=DEFAULT_CONFIG, metavar="NAME|FILE",
                     help=f"Engine: {', '.join(PRESETS)}, or a JSON file."),
        click.option("--lanes", type=int, help="Parallel weight streams, 1 to 128."),
        click.option("--channels", type=int, help="Independent voice streams, 1 to 128."),
        click.option("--index-mode", help="Entry's row: absolute, or relative4 (as published)."),
        click.option("--weight-bits", type=int, help="Bits of a weight, 2 to 18."),
        click.option("--act-bits", type=int, help="Bits of an activation, 8 to 18."),
        click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE",
                     help="Any other field of the configuration; may be repeated. "
                          "`ese info NAME` lists them."),
    )):
        function = option(function)
    return function


def chosen_config(config: str, sets: tuple[str, ...], **knobs: Any) -> EngineConfig:
    """The configuration that these options ask for. Raises EseError."""
    changes = {name: value for name, value in knobs.items() if value is not None}
    for item in sets:
        field, equals, text = item.partition("=")
        if not equals:
            raise EseError(f"--set: must be FIELD=VALUE, got {item!r}")
        try:
            changes[field] = json.loads(text)
        except json.JSONDecodeError:
            changes[field] = text
    base = load_config(config)
    return base.replace(**changes) if changes else base
