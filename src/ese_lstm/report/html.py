"""Parts of a self-contained HTML page: escaped text and tables, light, dark and on paper."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from .table import text

LIGHT = """--paper: #fff; --ink: #1b1f24; --soft: #5b6673; --line: #d9dee4; --field: #f4f6f8;
  --s0: #0068a8; --s1: #c8500a; --s2: #00805c; --s3: #a8497f; --s4: #8a6400; --s5: #4a4fb5;"""
DARK = """--paper: #14171a; --ink: #e6e9ec; --soft: #a3adb8; --line: #343b43; --field: #1d2226;
  --s0: #5cb3ec; --s1: #ff9155; --s2: #45c99f; --s3: #e595c0; --s4: #e3b84a; --s5: #a3a8ff;"""
STYLE = f"""
:root {{ color-scheme: light dark; {LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
@media print {{ :root {{ color-scheme: light; {LIGHT} }} main {{ max-width: none; }}
  figure, table, .tiles {{ break-inside: avoid; }} h2 {{ break-after: avoid; }} }}
body {{ margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }}
main {{ max-width: 58rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }}
h1 {{ font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 .2rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.15rem; margin: 2.6rem 0 .6rem; padding-top: .9rem;
  border-top: 1px solid var(--line); }}
h3 {{ font-size: .95rem; margin: 1.4rem 0 .4rem; }}
p {{ max-width: 46rem; margin: .5rem 0; }} .soft {{ color: var(--soft); }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
  gap: .7rem; margin: 1.2rem 0; }}
.tiles div {{ background: var(--field); border-radius: .5rem; padding: .6rem .8rem; }}
.tiles b {{ display: block; font-size: 1.45rem; line-height: 1.25; font-weight: 600; }}
.tiles span {{ color: var(--soft); font-size: .82rem; line-height: 1.35; display: block; }}
.wide {{ overflow-x: auto; margin: .8rem 0; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }}
td, th {{ padding: .22rem .8rem .22rem 0; border-bottom: 1px solid var(--line);
  text-align: right; vertical-align: bottom; }}
th {{ color: var(--soft); font-weight: 600; line-height: 1.25; }}
td:first-child, th:first-child, .pairs td {{ text-align: left; }}
.wide td:first-child {{ white-space: nowrap; }}
.pairs td {{ overflow-wrap: anywhere; vertical-align: top; }}
.pairs td:first-child {{ color: var(--soft); white-space: nowrap; }}
figure {{ margin: .9rem 0; overflow-x: auto; }} figure > svg {{ min-width: 38rem; }}
figcaption {{ color: var(--soft); font-size: .85rem; }}
svg {{ display: block; width: 100%; height: auto; overflow: visible; }}
svg text {{ paint-order: stroke; stroke: var(--paper); stroke-width: 3px;
  font: 13px system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  fill: var(--ink); }}
svg .axis {{ fill: var(--soft); }} svg .grid {{ stroke: var(--line); }}
svg .mark {{ stroke: var(--soft); stroke-dasharray: 4 3; }}
.legend {{ display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .85rem;
  margin: .4rem 0; }} .legend svg {{ display: inline-block; width: 22px; height: 12px;
  margin-right: .35rem; }}
.panels {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(12.5rem, 1fr));
  gap: .6rem 1rem; }} .panels figure {{ margin: 0; overflow: visible; }}
.panels svg {{ min-width: 0; }}
"""


def page(title: str, subtitle: str, parts: Iterable[str]) -> str:
    """The whole page; parts are HTML already."""
    return (f"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            f"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
            f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>"
            f"<h1>{escape(title)}</h1><p class=\"soft\">{escape(subtitle)}</p>\n"
            + "\n".join(parts) + "\n</main></body></html>\n")


def section(title: str, *parts: str) -> str:
    """A heading and what stands below it."""
    return f"<section><h2>{escape(title)}</h2>\n" + "\n".join(parts) + "</section>"


def heading(text: str) -> str:
    """A heading inside a section."""
    return f"<h3>{escape(text)}</h3>"


def paragraph(text: str) -> str:
    """Plain text."""
    return f"<p>{escape(text)}</p>"


def tiles(values: Mapping[str, str]) -> str:
    """The page's chief figures: value by what it is."""
    return '<div class="tiles">' + "".join(
        f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>"
        for name, value in values.items()) + "</div>"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of plain values; integers with separators, None as a dash."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(text(value))}</td>" for value in row)
                     + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>\n{body}</table></div>'


def pairs(values: Mapping[str, Any]) -> str:
    """A table of names and values."""
    return '<table class="pairs">' + "\n".join(
        f"<tr><td>{escape(name)}</td><td>{escape(text(value))}</td></tr>"
        for name, value in values.items()) + "</table>"
