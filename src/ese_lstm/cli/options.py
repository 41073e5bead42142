"""Options that several commands share: the engine configuration and its knobs, and which LSTM of
a checkpoint."""

import json
from collections.abc import Callable
from pathlib import Path
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


def checkpoint_options(function: Function) -> Function:
    """Add --gate-order, --prefix and --key-map."""
    for option in reversed((
        click.option("--gate-order", default="ifgo", metavar="ORDER",
                     help="Order of the gates stacked in the checkpoint: ifgo (PyTorch, Keras), "
                          "iofc (ONNX), or any other; c means g."),
        click.option("--prefix", help="Which LSTM, if the checkpoint holds several: `lstm` for "
                                      "lstm.weight_ih_l0."),
        click.option("--key-map", "key_map", multiple=True, metavar="FILE.json|OURS=THEIRS",
                     help="Names of tensors: weight_ih_l0=rnn.kernel, or a JSON object of such "
                          "pairs; only the tensors named are read. May be repeated."),
    )):
        function = option(function)
    return function


def read_key_map(items: tuple[str, ...]) -> dict[str, str]:
    """Our name to the file's. Raises EseError for what is neither OURS=THEIRS nor JSON of it."""
    names: dict[str, str] = {}
    for item in items:
        ours, equals, theirs = item.partition("=")
        if equals:
            names[ours] = theirs
            continue
        try:
            pairs = json.loads(Path(item).read_text())
        except (OSError, ValueError) as error:
            raise EseError(f"--key-map: must be OURS=THEIRS or a JSON file of such pairs, got "
                           f"{item!r} ({type(error).__name__})") from None
        if not isinstance(pairs, dict) or not all(isinstance(v, str) for v in pairs.values()):
            raise EseError(f"--key-map: {item} must hold one JSON object of names to names")
        names.update(pairs)
    return names
