"""Studies: what they find on the small engine, and that they write the same files again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ese_lstm.bench.ablations import STUDIES, Bench, run_studies
from ese_lstm.bench.study import Column, Plot, Study, draw
from ese_lstm.bench.workload import reduced_workload
from ese_lstm.cli.main import main
from ese_lstm.compress.synthetic import random_network
from ese_lstm.contract.errors import EseError

ROOT = Path(__file__).resolve().parents[2]


def run(name: str) -> Study:
    return next(iter(run_studies((name,), Bench(reduced_workload(), rtl_frames=1))))


def test_the_same_files_again(tmp_path: Path) -> None:
    contents = []
    for attempt in ("a", "b"):
        result = CliRunner().invoke(main, ["bench", "ablations", "queue-depth", "--reduced", "-o",
                                           str(tmp_path / attempt)])
        assert result.exit_code == 0, result.output
        contents.append({path.name: path.read_bytes() for path in (tmp_path / attempt).iterdir()})
    assert contents[0] == contents[1]
    assert sorted(contents[0]) == ["queue-depth.csv", "queue-depth.md", "queue-depth.svg"]
    assert b"`ese bench ablations queue-depth`" in contents[0]["queue-depth.md"]
    assert len(contents[0]["queue-depth.csv"].splitlines()) == 8


def test_deeper_queues_never_cost_cycles() -> None:
    cycles = run("queue-depth").values("cycles: matrix")
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] > 1.5 * cycles[-1]


def test_balance_pays_on_uneven_weights() -> None:
    """The rows of lane 0 are five times larger: plain pruning keeps mostly them."""
    base = reduced_workload()
    network = random_network(np.random.default_rng(0), base.inputs, base.shapes)
    layer, = network.layers
    scale = np.where(np.arange(64) % base.config.lanes == 0, 5.0, 1.0)[:, None]
    gates = np.tile(scale, (4, 1))
    uneven = network.with_layers((replace(layer, w_x=layer.w_x * gates, w_y=layer.w_y * gates,
                                          w_m=layer.w_m * scale),))
    study = next(iter(run_studies(("pruning",), Bench(base.replace(network=uneven)))))
    assert study.values("density")[1] == 0.10
    speedups = {name: study.values(f"speed-up: {name}") for name in ("matrix", "none")}
    assert all(balanced > 1.2 * plain for balanced, plain in
               zip(speedups["matrix"][:3], speedups["none"][:3], strict=True))


def test_relative_index_needs_fillers() -> None:
    study = run("index-mode")
    absolute, relative = study.rows[:2]
    names = [column.name for column in study.columns]
    assert absolute[names.index("fillers")] == 0 < relative[names.index("fillers")]
    assert absolute[names.index("cycles")] < relative[names.index("cycles")]


def test_channels_match_the_verilog() -> None:
    study = run("channels")
    rows = [row for row in study.rows if row[3] is not None]
    assert [row[0] for row in rows] == [1, 4]
    assert all(row[2] == row[3] and row[4] > 0 for row in rows)


def test_lanes_say_where_a_weight_a_column_is_impossible() -> None:
    kept = run("lanes").values("cycles: one kept")
    assert None in kept


def test_unknown_study() -> None:
    with pytest.raises(EseError, match=r"^study: must be among queue-depth, .*, got 'size'$"):
        list(run_studies(("size",), Bench(reduced_workload())))


def test_bars_lines_and_gaps_are_drawn() -> None:
    columns = (Column("a"), Column("b", 1, percent=True))
    for kind in ("line", "bar"):
        text = draw(Study("s", "t", columns, ((1, 0.5), (2, None), (4, 0.25)),
                          Plot("a", ("b",), "b %", kind, log=kind == "line",  # type: ignore[arg-type]
                               marks=((2, 30, "other"),))))
        assert text.startswith("<?xml") and "b %" in text and "other" in text
        assert text == text.strip() + "\n"
    assert columns[1].text(None) == "–" and columns[1].text(0.123) == "12.3"


@pytest.mark.parametrize("name", STUDIES)
def test_results_are_committed(name: str) -> None:
    for kind in ("csv", "md", "svg"):
        assert (ROOT / "docs/results" / f"{name}.{kind}").stat().st_size > 100
