"""docs/benchmarks.md shows the committed results, and every table of them."""

import json
import re
from pathlib import Path

import pytest

from ese_lstm.bench.ablations import STUDIES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "benchmarks.md").read_text()


@pytest.mark.parametrize("name", ["bench", *STUDIES])
def test_every_row_is_shown(name: str) -> None:
    text = (DOCS / f"results/{name}.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 4
    assert not [row for row in rows if row not in PAGE]
    command = re.search(r"`(ese bench [^`]*)`", text)
    assert command and command[1] in PAGE


@pytest.mark.parametrize("name", STUDIES)
def test_every_plot_is_shown(name: str) -> None:
    assert f"(results/{name}.svg)" in PAGE


def test_the_committed_run_is_the_target() -> None:
    values = json.loads((DOCS / "results/bench.json").read_text())
    assert values["mismatches"] == 0 < values["values_compared"]
    assert values["frames_measured"] >= 4 and values["channels"] == 32
    assert values["cycles_per_frame"] <= 11740 and values["utilisation"] >= 0.97
    assert values["network"]["filler_entries"] == 0
    assert values["cycle_model"]["relative_error"] == 0
