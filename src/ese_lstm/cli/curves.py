"""Points of error rates against density, from the .jsonl files of scans and pruning curves."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.errors import EseError

DENSE, ALL = "dense", "all"


@dataclass(frozen=True)
class CurvePoint:
    """One measured network. series: what it belongs to; matrix: the only one pruned, of a scan,
    or nothing. density: share of weights kept. per, fer: %. cycles: of a frame, where counted.
    at_once: said not to be retrained."""

    series: str
    matrix: str
    density: float
    per: float
    fer: float | None
    cycles: int | None
    at_once: bool

    @property
    def sparsity(self) -> float:
        """Weights pruned away, %."""
        return 100 * (1 - self.density)


def read_curves(paths: Sequence[Path]) -> list[CurvePoint]:
    """Points of every file in order: lines of {"name" or "matrix", "density", "per", …}.

    A line that was cut off does not count. Raises EseError for a file without any point.
    """
    found: list[CurvePoint] = []
    for path in paths:
        try:
            words = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise EseError(f"curve: must be a .jsonl file, got {path} ({type(error).__name__})"
                           ) from None
        mine = [point for line in words if (point := _point(line)) is not None]
        if not mine:
            raise EseError(f'curve: {path} must hold lines of {{"name": …, "density": …, "per": '
                           f'…}}, as ese sensitivity writes, got none among {len(words)} lines')
        found += mine
    return found


def by_series(points: Iterable[CurvePoint]) -> dict[str, list[CurvePoint]]:
    """Points by the series that they belong to, in order of their first appearance."""
    found: dict[str, list[CurvePoint]] = {}
    for point in points:
        found.setdefault(point.series, []).append(point)
    return found


def _point(line: str) -> CurvePoint | None:
    try:
        values = json.loads(line)
        density, per = float(values["density"]), float(values["per"])
        name = values["name"] if "name" in values else values["matrix"]
        if not isinstance(name, str) or not 0 <= density <= 1:
            return None
        fer, cycles = _number(values.get("fer")), _number(values.get("cycles"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    scan = "matrix" in values and "name" not in values
    at_once = scan or values.get("retrained") is False
    series = "scan, all matrices" if scan and name == ALL else name
    matrix = name if scan and name not in (ALL, DENSE) else ""
    return CurvePoint(series, matrix, density, per, fer, None if cycles is None else int(cycles),
                      at_once)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
