"""Options of a command out of a dataclass of settings (``train.options``), and back."""

from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])
Made = TypeVar("Made")


def setting_options(kind: type, *names: str, **changes: Mapping[str, Any]
                    ) -> Callable[[Function], Function]:
    """An option for every field of ``kind`` with a help text, or for those named.

    changes: by field, what :func:`click.option` is told otherwise; ``name`` is the option's.
    """
    def add(function: Function) -> Function:
        known = {part.name: part for part in fields(kind) if "help" in part.metadata}
        for name in reversed(names or tuple(known)):
            function = _option(known[name], **changes.get(name, {}))(function)
        return function
    return add


def chosen(kind: type[Made], values: Mapping[str, Any], **others: Any) -> Made:
    """The settings that a command's options ask for; others: fields that are not among them."""
    found = {part.name: values[part.name] for part in fields(kind)  # type: ignore[arg-type]
             if "help" in part.metadata and part.name in values}
    return kind(**{**found, **others})


def _option(part: Field[Any], name: str = "", **changes: Any
            ) -> Callable[[Function], Function]:
    flag = "--" + (name or part.name).replace("_", "-")
    rule = part.metadata["rule"]
    if isinstance(part.default, bool):
        kind: dict[str, Any] = {} if part.default else {"is_flag": True}
        flag += f"/--no-{flag[2:]}" if part.default else ""
    else:
        kind = {"type": click.Choice(rule.choices) if rule and rule.choices
                else type(part.default)}
    return click.option(flag, name or part.name, **{
        **kind, "default": part.default, "help": part.metadata["help"], **changes})
