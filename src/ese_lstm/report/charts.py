"""Charts as inline SVG: colours are the page's variables, values stand in titles as tool tips."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from .table import text

WIDTH = 920
COLOURS = 6
LETTER = 7.2
"""Width of a letter of 13-pixel text, about."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Frame:
    """A plot's rectangle and its scales, from the values at its edges to pixels."""

    left: float
    right: float
    top: float
    bottom: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        return (self.left + (self.right - self.left) * _share(x, self.x),
                self.bottom - (self.bottom - self.top) * _share(y, self.y))


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers, about ``count`` of them, the first at most low and the last at least high."""
    span = max(high - low, 0.01 * max(abs(high), abs(low))) or 1.0
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * k for k in (1, 2, 2.5, 5, 10) if power * k * count >= span)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 10) for number in range(first, max(last, first + 1) + 1)]


def lines(series: Mapping[str, Points], x_label: str, y_label: str,
          mark: tuple[str, float] | None = None) -> str:
    """Points joined by lines, a colour and a shape a series; mark: a level with its name."""
    y_ticks = ticks(*_range(series, mark))
    x_ticks = ticks(*_span([x for points in series.values() for x, _ in points]), 8)
    frame = Frame(46, WIDTH - 16, 26, 310, (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]))
    parts = [_grid(frame, x_ticks, y_ticks),
             _text(0, 12, y_label, "start", "axis"),
             _text(frame.right, 346, x_label, "end", "axis")]
    if mark is not None:
        parts.append(_level(frame, *mark))
    parts += [_line(frame, number, name, points, x_label, y_label)
              for number, (name, points) in enumerate(series.items())]
    return figure(svg(352, y_label, parts), legend(list(series)))


def panels(series: Mapping[str, Points], x_label: str, y_label: str,
           mark: tuple[str, float] | None = None) -> str:
    """The same, each series in a small plot of its own, all to one scale."""
    y_ticks = ticks(*_range(series, mark), 3)
    x_ticks = ticks(*_span([x for points in series.values() for x, _ in points]), 3)
    found = []
    for name, points in series.items():
        frame = Frame(34, 226, 24, 116, (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]))
        parts = [_grid(frame, x_ticks, y_ticks), _text(34, 14, name, "start")]
        if mark is not None:
            parts.append(_level(frame, "", mark[1]))
        parts.append(_line(frame, 0, name, points, x_label, y_label))
        found.append(figure(svg(138, f"{y_label}: {name}", parts, 240)))
    return f'<div class="panels">{"".join(found)}</div>' + caption(
        f"{y_label} against {x_label}" + ("" if mark is None else f"; dashed: {mark[0]}") + ".")


def dots(series: Mapping[str, Sequence[float]], x_label: str, y_label: str) -> str:
    """A dot for every place 0, 1, … of every series on a stalk from the series' mean (dashed).

    The vertical axis need not begin at 0: it shows the differences.
    """
    values = [value for part in series.values() for value in part]
    low, high = _span(values, 0.02 * (sum(values) / len(values)))
    y_ticks = ticks(low, high)
    count = max(len(part) for part in series.values())
    frame = Frame(58, WIDTH - 16, 26, 256, (-0.7, count - 0.3), (y_ticks[0], y_ticks[-1]))
    every = -(-count // 32)
    parts = [_grid(frame, list(range(0, count, every)), y_ticks, upright=False),
             _text(0, 12, y_label, "start", "axis"),
             _text(frame.right, 292, x_label, "end", "axis")]
    for number, (name, part) in enumerate(series.items()):
        mean = sum(part) / len(part)
        level = frame.at(0, mean)[1]
        parts.append(f'<line class="mark" x1="{frame.left}" x2="{frame.right}" y1="{level:.1f}" '
                     f'y2="{level:.1f}"/>')
        for place, value in enumerate(part):
            x, y = frame.at(place + 0.26 * (number - (len(series) - 1) / 2), value)
            parts.append(f'<path d="M{x:.1f} {level:.1f}V{y:.1f}" stroke="var(--s{number})" '
                         f'stroke-width="2"/>' + _shape(number, x, y, f"{name}, {x_label} "
                                                        f"{place}: {text(value)}"))
    return figure(svg(298, y_label, parts), legend(list(series)))


def bars(rows: Sequence[tuple[str, float, str]], label: str,
         mark: tuple[str, float] | None = None) -> str:
    """Lying bars from 0: name, value, and what to write behind; mark: a value with its name."""
    largest = max([value for _, value, _ in rows] + ([] if mark is None else [mark[1]])) or 1.0
    left = 12 + LETTER * max(len(name) for name, _, _ in rows)
    right = WIDTH - 16 - LETTER * max(len(said) for _, _, said in rows)
    parts, top = [], 8 if mark is None else 26
    tall = top + 26 * len(rows)
    if mark is not None:
        x = left + (right - left) * mark[1] / largest
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{tall}"/>')
    for number, (name, value, said) in enumerate(rows):
        y = top + 26 * number
        long = max(1.0, (right - left) * value / largest)
        parts += [_text(left - 8, y + 13, name, "end"),
                  f'<rect x="{left:.1f}" y="{y}" width="{long:.1f}" height="18" rx="2" '
                  f'fill="var(--s0)"><title>{escape(name)}: {escape(text(value))}</title></rect>',
                  _text(left + long + 8, y + 13, said, "start")]
    if mark is not None:
        parts.append(_text(x, 13, mark[0], "start" if x - left < 60 else "middle", "axis"))
    return figure(svg(tall + 4, label, parts), caption(f"{label}."))


def shares(rows: Mapping[str, Mapping[str, float]], label: str) -> str:
    """One bar of full length a row, divided by kind; kinds that are 0 everywhere are left out."""
    kinds = [kind for kind in dict.fromkeys(kind for row in rows.values() for kind in row)
             if any(row.get(kind, 0) for row in rows.values())]
    left = 12 + LETTER * max(len(name) for name in rows)
    parts = []
    for number, (name, row) in enumerate(rows.items()):
        x, y, total = left, 6 + 30 * number, sum(row.values()) or 1.0
        parts.append(_text(left - 8, y + 15, name, "end"))
        for kind in kinds:
            long = (WIDTH - left) * row.get(kind, 0) / total
            share = 100 * row.get(kind, 0) / total
            parts.append(f'<rect x="{x:.2f}" y="{y}" width="{long:.2f}" height="22" '
                         f'fill="var(--s{kinds.index(kind) % COLOURS})"><title>{escape(name)}, '
                         f'{escape(kind)}: {share:.2f} %</title></rect>')
            x += long
    return figure(svg(8 + 30 * len(rows), label, parts), legend(kinds, square=True),
                  caption(f"{label}."))


def legend(names: Sequence[str], square: bool = False) -> str:
    """Names with their colours and shapes; nothing for a single one."""
    if len(names) < 2:
        return ""
    found = []
    for number, name in enumerate(names):
        sample = (f'<rect width="22" height="12" rx="2" fill="var(--s{number % COLOURS})"/>'
                  if square else
                  f'<path d="M0 6H22" stroke="var(--s{number % COLOURS})" stroke-width="2"'
                  f'{_dash(number)}/>' + _shape(number, 11, 6, name))
        found.append(f'<span><svg viewBox="0 0 22 12" aria-hidden="true">{sample}</svg>'
                     f'{escape(name)}</span>')
    return f'<div class="legend">{"".join(found)}</div>'


def figure(*parts: str) -> str:
    """Drawing, legend and caption together."""
    return f"<figure>{''.join(parts)}</figure>"


def caption(words: str) -> str:
    """Below a drawing."""
    return f"<figcaption>{escape(words)}</figcaption>"


def svg(height: float, label: str, parts: Sequence[str], width: float = WIDTH) -> str:
    """A drawing that says to a screen reader what it is."""
    return (f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
            + "".join(parts) + "</svg>")


def _share(value: float, scale: tuple[float, float]) -> float:
    return (value - scale[0]) / (scale[1] - scale[0])


def _span(values: Sequence[float], least: float = 0.0) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = max(0.0, least - (high - low)) / 2
    return low - room, high + room


def _range(series: Mapping[str, Points], mark: tuple[str, float] | None) -> tuple[float, float]:
    low, high = _span([y for points in series.values() for _, y in points]
                      + ([] if mark is None else [mark[1]]))
    return low - 0.04 * (high - low), high


def _grid(frame: Frame, x_ticks: Sequence[float], y_ticks: Sequence[float],
          upright: bool = True) -> str:
    parts = []
    for value in y_ticks:
        y = frame.at(frame.x[0], value)[1]
        parts += [f'<line class="grid" x1="{frame.left}" x2="{frame.right}" y1="{y:.1f}" '
                  f'y2="{y:.1f}"/>', _text(frame.left - 6, y + 4, text(value), "end", "axis")]
    for value in x_ticks:
        x = frame.at(value, frame.y[0])[0]
        if upright:
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" '
                         f'y2="{frame.bottom}"/>')
        parts.append(_text(x, frame.bottom + 18, text(value), "middle", "axis"))
    return "".join(parts)


def _level(frame: Frame, name: str, value: float) -> str:
    y = frame.at(frame.x[0], value)[1]
    return (f'<line class="mark" x1="{frame.left}" x2="{frame.right}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/>' + (_text(frame.right - 4, y - 5, name, "end", "axis")
                                 if name else ""))


def _line(frame: Frame, number: int, name: str, points: Points, x_label: str, y_label: str
          ) -> str:
    placed = [frame.at(*point) for point in sorted(points)]
    path = "".join(f"{'L' if k else 'M'}{x:.1f} {y:.1f}" for k, (x, y) in enumerate(placed))
    return (f'<path d="{path}" fill="none" stroke="var(--s{number % COLOURS})" stroke-width="2"'
            f'{_dash(number)}/>' + "".join(
                _shape(number, *at, f"{name}: {text(x)} {x_label}, {text(y)} {y_label}")
                for at, (x, y) in zip(placed, sorted(points), strict=True)))


def _dash(number: int) -> str:
    """Beyond the colours there are, the same ones dashed."""
    return ' stroke-dasharray="6 4"' if number >= COLOURS else ""


def _shape(number: int, x: float, y: float, title: str) -> str:
    """A marker of the series' colour; shapes differ, for those who don't see the colours apart."""
    path = (f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
            f"M{x - 3.6:.1f} {y - 3.6:.1f}h7.2v7.2h-7.2Z",
            f"M{x:.1f} {y - 4.8:.1f}l4.6 8h-9.2Z",
            f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z",
            f"M{x:.1f} {y + 4.8:.1f}l4.6 -8h-9.2Z")[number % 5]
    return (f'<path d="{path}" fill="var(--s{number % COLOURS})" stroke="var(--paper)">'
            f'<title>{escape(title)}</title></path>')


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
            + (f' class="{kind}"' if kind else "") + f">{escape(words)}</text>")
