"""Docstrings as this project writes them, to Markdown that a page shows; an extension of griffe.

A section is a title underlined with hyphens. Its items are ``names: text``, each with the lines
that follow it, until an empty line. References are Sphinx's (``:func:`name```).
"""

import re
from typing import Any

from griffe import Extension, Object

NAME = r"[\w{}−+…]+(?: \([^)]*\))?"
ITEM = re.compile(rf"({NAME}(?:(?:, |; | … | → ){NAME})*): ")
REFERENCE = re.compile(r":(?:class|func|meth|mod|attr|data):(`[^`]+`)")
POWER = re.compile(r"(?<=\w)\*\*(?=[\w(−])")
"""Not the beginning of bold text."""


def markdown(text: str) -> str:
    """The docstring with titles in bold and items as lists."""
    lines, section, listed = list[str](), False, False
    source = REFERENCE.sub(r"\1", text).split("\n")
    for line, below in zip(source, [*source[1:], ""], strict=True):
        if line and set(line) <= {"-"}:
            continue
        if line and below and set(below) <= {"-"}:
            lines += ["", f"**{line}**", ""]
            section, listed = True, False
            continue
        section = section and bool(line)
        if not line.startswith("    "):  # no code block
            line = "`".join(part if number % 2 else POWER.sub(r"\*\*", part)
                            for number, part in enumerate(line.split("`")))
        if section and ITEM.match(line):
            listed, line = True, ITEM.sub(r"- `\1`: ", line, count=1)
        elif section and listed:
            line = f"    {line}"
        lines.append(line)
    return "\n".join(lines)


class Docstrings(Extension):
    """Rewrites each object's docstring as it is loaded."""

    def on_object(self, *, obj: Object, **_others: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
