"""Parts of a self-contained HTML page: escaped tables, and bar charts as inline SVG."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
       color: #1b1f24; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .7rem; border-bottom: 1px solid #ddd;
       text-align: right; overflow-wrap: anywhere; } td:first-child, th:first-child {
       text-align: left; } svg { display: block; max-width: 100%; } .bar { fill: #33658a; }
text { font: 11px system-ui, sans-serif; fill: #1b1f24; } p { max-width: 45rem; }
"""

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 230, 70, 34, 30


def page(title: str, parts: Iterable[str]) -> str:
    """The whole page; parts are HTML already."""
    return (f"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>"
            f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n")


def section(title: str, *parts: str) -> str:
    """A heading and what stands below it."""
    return f"<h2>{escape(title)}</h2>\n" + "\n".join(parts)


def paragraph(text: str) -> str:
    """Plain text."""
    return f"<p>{escape(text)}</p>"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of plain values; integers with separators."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(_text(value))}</td>" for value in row)
                     + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"


def pairs(values: Mapping[str, Any]) -> str:
    """A table of names and values."""
    return "<table>" + "\n".join(f"<tr><td>{escape(name)}</td><td>{escape(_text(value))}</td></tr>"
                                 for name, value in values.items()) + "</table>"


def bars(labels: Sequence[str], values: Sequence[float], unit: str, axis: str) -> str:
    """A bar chart from 0: one bar a label, its value above it where there is room."""
    largest = max([*values, 0]) or 1
    step = (WIDTH - LEFT) / max(len(values), 1)
    room = HEIGHT - BOTTOM - TOP
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(unit)}">']
    for share in (0.0, 0.5, 1.0):
        y = TOP + room * (1 - share)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ccc"/>'
                     f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
                     f'{escape(_text(round(largest * share, 2)))}</text>')
    every = -(-len(labels) * 32 // (WIDTH - LEFT)) or 1
    for number, (label, value) in enumerate(zip(labels, values, strict=True)):
        x, tall = LEFT + number * step, room * value / largest
        parts.append(f'<rect class="bar" x="{x + step * .1:.1f}" y="{TOP + room - tall:.1f}" '
                     f'width="{step * .8:.1f}" height="{tall:.1f}"><title>{escape(label)}: '
                     f'{escape(_text(value))}</title></rect>')
        middle = f'x="{x + step / 2:.1f}" text-anchor="middle"'
        if number % every == 0:
            parts.append(f'<text {middle} y="{HEIGHT - BOTTOM + 14}">{escape(label)}</text>')
        if step > 44:
            parts.append(f'<text {middle} y="{TOP + room - tall - 4:.1f}">'
                         f'{escape(_text(value))}</text>')
    parts.append(f'<text x="0" y="11">{escape(unit)}</text><text x="{WIDTH}" y="{HEIGHT - 4}" '
                 f'text-anchor="end">{escape(axis)}</text></svg>')
    return "".join(parts)


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
