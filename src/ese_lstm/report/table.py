"""Tables of results: one form, written as Markdown here, as HTML by :mod:`report.html`, to a
terminal by :mod:`cli.terminal`; and the files that figures and their tables go to."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.files import beside, write_contents


@dataclass(frozen=True)
class Table:
    """Values in rows, shown as :func:`text` has them.

    header: names of the columns; none, if the rows are names with their values. left: columns set
    left, the others are set right. note: below the table. total: the last row sums up the others.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    left: Sequence[int] = (0,)
    note: str = ""
    total: bool = False

    @property
    def texts(self) -> list[list[str]]:
        """The rows as text."""
        return [[text(value) for value in row] for row in self.rows]

    def markdown(self) -> str:
        """For a document, without the title."""
        rules = ["---" if number in self.left else "---:" for number in range(len(self.header))]
        return "".join(f"| {' | '.join(line)} |\n" for line in (self.header, rules, *self.texts))


def pairs(title: str, values: Mapping[str, Any]) -> Table:
    """A table of names and their values."""
    return Table(title, (), list(values.items()))


def text(value: Any) -> str:
    """A value as it is shown: 1,234; 0.125; yes; – for None."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def text_lines(values: Iterable[tuple[str, str]], least: int = 0) -> list[str]:
    """Names and values as lines of plain text, values below one another, ``least`` or more
    characters from the names' beginning."""
    found = list(values)
    width = max(least, *(len(name) + 2 for name, _ in found))
    return [f"  {name:<{width}}{value}".rstrip() for name, value in found]


def figure_files(output: Path) -> tuple[Path, ...]:
    """What :func:`write_figures` writes; into a device only the figures."""
    return tuple(dict.fromkeys((output, beside(output, ".md"))))


def write_figures(output: Path, values: Mapping[str, Any], command: str,
                  tables: Sequence[Table]) -> None:
    """Write figures as JSON, and beside it the tables, as .md, under the command that made them.
    Raises EseError if the files cannot be written."""
    page = f"`{command}`\n\n" + "\n".join(
        f"**{table.title}**\n\n{table.markdown()}" for table in tables)
    write_contents(dict(zip(figure_files(output), (json_text(values), page), strict=False)))


def json_text(values: Mapping[str, Any]) -> str:
    """Figures as a JSON file has them."""
    return json.dumps(values, indent=2) + "\n"
