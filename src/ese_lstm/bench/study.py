"""A study: one table, one plot, and the command that makes both; written as CSV, Markdown, SVG."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..contract.files import write_contents
from ..report.table import Table

Value = int | float | str | None
COMMAND = "ese bench ablations"


@dataclass(frozen=True)
class Column:
    """A column of a study's table. digits: of a real number after its point; such a number with
    ``percent`` is a share."""

    name: str
    digits: int = 0
    percent: bool = False

    def text(self, value: Value, thousands: str = ",") -> str:
        """A value of the column, as it is shown."""
        if value is None:
            return "–" if thousands else ""
        if isinstance(value, str):
            return value
        scaled = 100 * value if self.percent else value
        return f"{scaled:{thousands}.{self.digits}f}"

    @property
    def title(self) -> str:
        """Name with its unit."""
        return f"{self.name} %" if self.percent else self.name


@dataclass(frozen=True)
class Plot:
    """Which columns a study's plot shows: x, and each of ys as a line or as bars."""

    x: str
    ys: tuple[str, ...]
    y_title: str
    kind: Literal["line", "bar"] = "line"
    log: bool = False
    """x grows by doubling."""
    marks: tuple[tuple[float, float, str], ...] = ()
    """Single points of others: x, y, name."""


@dataclass(frozen=True)
class Study:
    """What a study found. notes: what a reader must know, as Markdown paragraphs. command: what
    makes it, if not COMMAND with its name."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    plot: Plot
    notes: tuple[str, ...] = ()
    command: str = ""

    def table(self) -> Table:
        """For terminal and document."""
        return Table(self.title, tuple(column.title for column in self.columns), tuple(
            tuple(column.text(value) for column, value in zip(self.columns, row, strict=True))
            for row in self.rows))

    def values(self, name: str) -> list[Value]:
        """One column."""
        place = [column.name for column in self.columns].index(name)
        return [row[place] for row in self.rows]

    def csv(self) -> str:
        """Header and rows, rounded as the table is."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.title for column in self.columns])
        for row in self.rows:
            writer.writerow([column.text(value, "") for column, value in
                             zip(self.columns, row, strict=True)])
        return file.getvalue()

    def markdown(self) -> str:
        """A page: command, table, plot, notes."""
        command = self.command or f"{COMMAND} {self.name}"
        parts = [f"# {self.title}", f"`{command}`", self.table().markdown().rstrip(),
                 f"![{self.title}]({self.name}.svg)", *self.notes]
        return "\n\n".join(parts) + "\n"


def write_study(study: Study, folder: Path) -> Sequence[Path]:
    """Write ``<name>.csv``, ``.md`` and ``.svg``; returns their paths."""
    paths = [folder / f"{study.name}.{kind}" for kind in ("csv", "md", "svg")]
    write_contents(dict(zip(paths, (study.csv(), study.markdown(), draw(study)), strict=True)))
    return paths


def draw(study: Study) -> str:
    """The plot as SVG; the same study gives the same text."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.hashsalt": study.name, "svg.fonttype": "none", "font.family": "sans-serif",
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
        "grid.color": "#dddddd", "axes.axisbelow": True, "figure.facecolor": "#fbfbf8",
        "axes.facecolor": "#fbfbf8"}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        plot = study.plot
        columns = {column.name: column for column in study.columns}
        scale = 100 if columns[plot.x].percent else 1
        x = [value if isinstance(value, str) else (value or 0) * scale
             for value in study.values(plot.x)]
        for number, name in enumerate(plot.ys):
            y = [None if value is None else float(value) * (100 if columns[name].percent else 1)
                 for value in study.values(name)]
            if plot.kind == "bar":
                width = 0.8 / len(plot.ys)
                places = [k + (number - (len(plot.ys) - 1) / 2) * width for k in range(len(x))]
                bars = axes.bar(places, [value or 0.0 for value in y], width, label=name)
                axes.bar_label(bars, [columns[name].text(value) for value in study.values(name)],
                               fontsize="x-small")
            else:
                known = [(a, b) for a, b in zip(x, y, strict=True) if b is not None]
                axes.plot([float(a) for a, _ in known], [b for _, b in known], marker="o",
                          markersize=4, label=name)
        for left, up, name in plot.marks:
            axes.plot([left * scale], [up], linestyle="none", marker="*", markersize=10, label=name)
        if plot.kind == "bar":
            axes.set_xticks(range(len(x)), [str(value).replace(", ", "\n") for value in x])
        elif plot.log:
            axes.set_xscale("log", base=2)
            axes.set_xticks([float(value) for value in x], [str(value) for value in x])
            axes.minorticks_off()
        axes.set_xlabel(columns[plot.x].title)
        axes.set_ylabel(plot.y_title)
        if len(plot.ys) + len(plot.marks) > 1:
            figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize="small")
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
