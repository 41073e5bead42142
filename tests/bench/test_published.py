"""The paper's figures are consistent with each other, and our counting is theirs."""

import ast
from dataclasses import astuple
from pathlib import Path

import pytest

import ese_lstm
from ese_lstm.bench.figures import GROUPS, operations, paper_group, rates
from ese_lstm.contract import published as paper
from ese_lstm.contract.config import PRESETS

FULL = PRESETS["xcku060-32x32"]


def test_matrices_add_up_to_the_total() -> None:
    assert len(paper.MATRICES) == 9
    assert sum(m.entries for m in paper.MATRICES) == paper.TOTAL.entries
    assert sum(m.theoretical_us for m in paper.MATRICES) == pytest.approx(57.0)
    assert sum(m.real_us for m in paper.MATRICES) == pytest.approx(77.35)
    first_load = 5.36
    assert 77.35 + first_load == pytest.approx(paper.TOTAL.real_us, abs=0.05)
    assert paper.TOTAL.real_us * paper.CLOCK_MHZ == paper.TOTAL.cycles
    assert paper.TOTAL.utilisation == pytest.approx(0.689, abs=5e-4)


@pytest.mark.parametrize("matrix", paper.MATRICES, ids=lambda matrix: matrix.name)
def test_each_row_recomputes(matrix: paper.PaperMatrix) -> None:
    """Entries from density; theoretical time and GOPS from entries, as we count them."""
    assert matrix.entries / (matrix.rows * matrix.columns) == pytest.approx(
        matrix.density / 100, abs=6e-4)
    assert matrix.entries / FULL.lanes / FULL.clock_mhz == pytest.approx(
        matrix.theoretical_us, abs=0.06)
    ours = rates(matrix.entries, matrix.cycles, FULL)
    assert ours.us == pytest.approx(matrix.real_us)
    assert ours.gops == pytest.approx(matrix.gops, rel=2e-3)


def test_operations_give_the_published_throughput() -> None:
    assert operations(paper.TOTAL.entries, FULL) / paper.TOTAL.real_us / 1e3 == pytest.approx(
        paper.TOTAL.gops, rel=2e-3)
    dense = sum(m.rows * m.columns for m in paper.MATRICES)
    assert operations(dense, FULL) / paper.TOTAL.real_us / 1e6 == pytest.approx(
        paper.TOTAL.dense_tops, rel=5e-3)


def test_groups_hold_every_matrix_once() -> None:
    names = [name for members in GROUPS.values() for name in members]
    assert sorted(names) == sorted(matrix.name for matrix in paper.MATRICES)
    assert sum(paper_group(name)["cycles"] for name in GROUPS) == pytest.approx(77.35 * 200)
    assert paper_group("Wym")["utilisation"] == pytest.approx(8.2 / 15.66)
    assert paper_group("W*r")["gops"] == pytest.approx(
        2 * sum(m.entries for m in paper.MATRICES[4:8]) * 32 / 40.25 / 1e3, rel=2e-3)


def test_no_other_module_repeats_them() -> None:
    """Numbers that can hardly be anything else stand in contract/published.py alone."""
    figures = {paper.INPUTS, paper.TOTAL.gops, paper.TOTAL.real_us, paper.REFRESH_EVERY_NS,
               *astuple(paper.XCKU060), *astuple(paper.ESE_RESOURCES), paper.TOTAL.entries,
               paper.TOTAL.cycles, *(matrix.entries for matrix in paper.MATRICES)}
    root = Path(ese_lstm.__file__).parent
    found = {}
    for path in root.rglob("*.py"):
        numbers = {node.value for node in ast.walk(ast.parse(path.read_text()))
                   if isinstance(node, ast.Constant) and type(node.value) in (int, float)}
        if again := numbers & figures:
            found[str(path.relative_to(root))] = again
    assert found.pop("contract/published.py") == figures
    assert not found
