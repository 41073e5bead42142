"""PER and cycles against density, two ways to prune: tables and plots of the points."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from ..contract.files import write_contents
from ..search.curve import DENSE, CurvePoint
from .study import Column, Plot, Study, Value

NAME = "pruning-curve"


def write_points(points: Sequence[CurvePoint], folder: Path) -> None:
    """Write ``pruning-curve.jsonl``, a point a line."""
    text = "".join(f"{json.dumps(dataclasses.asdict(point))}\n" for point in points)
    write_contents({folder / f"{NAME}.jsonl": text})


def studies(points: Sequence[CurvePoint], command: str) -> tuple[Study, Study]:
    """Error rates, and cycles, against density."""
    names = list(dict.fromkeys(point.name for point in points if point.name != DENSE))
    known = {(point.name, point.retrained, point.density): point for point in points}
    densities = sorted({point.density for point in points}, reverse=True)

    def rows(kinds: Sequence[bool], figures: Sequence[str]) -> tuple[tuple[Value, ...], ...]:
        table = []
        for density in densities:
            row: list[Value] = [density]
            for figure in figures:
                for retrained in kinds:
                    for name in names:
                        key = (DENSE, False) if density == 1.0 else (name, retrained)
                        point = known.get((*key, density))
                        row.append(None if point is None else getattr(point, figure))
            table.append(tuple(row))
        return tuple(table)

    kinds = {True: "retrained", False: "at once"}
    rates = [f"{name}, {kind}" for kind in kinds.values() for name in names]
    again = [f"{name}, retrained" for name in names]
    density = Column("density", 1, percent=True)
    return (
        Study(NAME, "Phone error rate against density",
              (density, *(Column(f"{figure} %: {name}", 2) for figure in ("PER", "FER")
                          for name in rates)),
              rows(tuple(kinds), ("per", "fer")),
              Plot("density", tuple(f"PER %: {name}" for name in rates), "held-out PER %"),
              ("Balanced: every lane keeps the same share of every matrix, as published. Plain: "
               "the largest magnitudes of a matrix, wherever they lie. Retrained: each density is "
               "pruned from the retrained network of the one above it, then retrained under its "
               "mask; both curves with the same seed and the same steps. At once: pruned from the "
               "dense network, not retrained. Float network, held-out utterances.",), command),
        Study(f"{NAME}-cycles", "Cycles a frame against density, retrained networks",
              (density, *(Column(f"cycles: {name}") for name in again),
               *(Column(f"utilisation: {name}", 2, percent=True) for name in again)),
              rows((True,), ("cycles", "utilisation")),
              Plot("density", tuple(f"cycles: {name}" for name in again), "cycles a frame"),
              ("Of the packed networks, by the cycle model, on an engine whose weight memory "
               "holds them all. Empty lane columns cost a null entry each, unless --keep-one was "
               "given. The dense network is the same for both.",), command))
