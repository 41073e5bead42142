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
Number = TypeVar("Number", int, float)

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
                     help="Any field of the configuration, whatever else is said of it; "
                          "may be repeated, the last wins. "
                          "`ese info NAME` lists them."),
    )):
        function = option(function)
    return function


def chosen_config(config: str, sets: tuple[str, ...], **knobs: Any) -> EngineConfig:
    """The configuration that these options ask for; the last --set of a field wins over the
    others and over its knob. Raises EseError."""
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
        click.option("--gate-order", metavar="ORDER",
                     help="Order of the gates stacked in a state dict: ifgo (PyTorch, Keras) if "
                          "not given, or any other; c means g. Not for .onnx, whose order (iofc) "
                          "is the format's and is known."),
        click.option("--prefix", help="Which LSTM, if the checkpoint holds several: `lstm` for "
                                      "lstm.weight_ih_l0. Or several that read one another, in "
                                      "the order of the layers: `first,second`. In an .onnx, the "
                                      "name of its first node."),
        click.option("--key-map", "key_map", multiple=True, metavar="FILE.json|OURS=THEIRS",
                     help="Names of tensors: weight_ih_l0=rnn.kernel, or a JSON object of such "
                          "pairs; only the tensors named are read. A kernel stored (inputs, "
                          "4·cells), as in Keras: 'weight_ih_l0=transpose(rnn.kernel)'; a "
                          "layer's only bias: bias_l0. Not for .onnx. May be repeated."),
    )):
        function = option(function)
    return function


def read_key_map(items: tuple[str, ...]) -> dict[str, str]:
    """Our name to the file's. Raises EseError for what is neither OURS=THEIRS nor JSON of it, or
    for one of ours with two of the file's."""
    names: dict[str, str] = {}
    for item in items:
        ours, equals, theirs = item.partition("=")
        pairs: Any = [(ours, theirs)]
        if not equals:
            try:
                pairs = json.loads(Path(item).read_text(), object_pairs_hook=list)
            except (OSError, ValueError, RecursionError) as error:
                raise EseError(f"--key-map: must be OURS=THEIRS or a JSON file of such pairs, got "
                               f"{item!r} ({type(error).__name__})") from None
            if not isinstance(pairs, list) or not all(
                    isinstance(pair, tuple) and isinstance(pair[1], str) for pair in pairs):
                raise EseError(f"--key-map: {item} must hold one JSON object of names to names")
        for ours, theirs in pairs:
            if names.setdefault(ours, theirs) != theirs:
                raise EseError(f"--key-map: must name one tensor for {ours}, but names "
                               f"{names[ours]} and {theirs}")
    return names


def numbers(name: str, text: str, kind: type[Number]) -> list[Number]:
    """The numbers of an option whose value is a list, separated by commas. Raises EseError."""
    try:
        return [kind(part) for part in text.split(",")] if text else []
    except ValueError:
        raise EseError(f"{name}: must be numbers separated by commas, got {text!r}") from None


cache_option = click.option(
    "--cache", type=click.Path(path_type=Path), default=Path.home() / ".cache/ese-lstm",
    show_default="~/.cache/ese-lstm", metavar="DIR", help="Folder for downloads.")
"""Option --cache."""
