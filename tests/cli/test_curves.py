"""Points of curves: the formats that scans and pruning curves write, and what is no point."""

import json

import pytest

from ese_lstm.cli.curves import by_series, read_curves
from ese_lstm.contract.errors import EseError


def write(path, *lines):
    path.write_text("".join(line + "\n" if isinstance(line, str) else json.dumps(line) + "\n"
                            for line in lines))
    return path


def test_scan_and_curve(tmp_path):
    scan = write(tmp_path / "scan.jsonl",
                 {"matrix": "dense", "density": 1.0, "fer": 30.0, "per": 38.0},
                 {"matrix": "all", "density": 0.2, "fer": 31.0, "per": 40.0},
                 {"matrix": "l0.Wix", "density": 0.1, "fer": 31.0, "per": 39.0})
    curve = write(tmp_path / "curve.jsonl",
                  {"name": "balanced", "density": 0.1, "fer": 33, "per": 38.4},
                  {"name": "balanced", "retrained": False, "density": 0.1, "fer": 50, "per": 60,
                   "cycles": 11000, "utilisation": 0.99},
                  {"name": "plain", "retrained": True, "density": 0.1, "per": 38.5},
                  '{"name": "plain", "dens')
    points = read_curves([scan, curve])
    assert [(p.series, p.matrix, p.at_once) for p in points] == [
        ("dense", "", True), ("scan, all matrices", "", True), ("l0.Wix", "l0.Wix", True),
        ("balanced", "", False), ("balanced", "", True), ("plain", "", False)]
    assert points[4].cycles == 11000 and points[0].cycles is None and points[5].fer is None
    assert points[3].sparsity == pytest.approx(90) and points[0].sparsity == 0
    assert list(by_series(points)) == ["dense", "scan, all matrices", "l0.Wix", "balanced",
                                       "plain"]
    assert len(by_series(points)["balanced"]) == 2


def test_what_ese_sensitivity_writes(tmp_path):
    from dataclasses import asdict

    from ese_lstm.search.densities import Point

    path = write(tmp_path / "s.jsonl", asdict(Point("Wym", 0.25, 12.5, 20.5)))
    point, = read_curves([path])
    assert (point.matrix, point.density, point.per, point.fer) == ("Wym", 0.25, 20.5, 12.5)


@pytest.mark.parametrize("lines, message", [
    (["no json"], r"must hold lines of .* got none among 1 lines$"),
    ([{"name": "a", "density": 2, "per": 1}, {"name": 3, "density": 0.1, "per": 1}, [1]],
     "got none among 3 lines$"),
    ([{"density": 0.1, "per": 1}, {"name": "a", "density": "x", "per": 1}], "none among 2 lines$")])
def test_refused(tmp_path, lines, message):
    with pytest.raises(EseError, match=message):
        read_curves([write(tmp_path / "c.jsonl", *lines)])


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(EseError, match=r"^curve: must be a .jsonl file, got .*none.jsonl"):
        read_curves([tmp_path / "none.jsonl"])
