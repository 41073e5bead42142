"""``ese bench engine`` on the small engine; its accounts and its exit codes."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from ese_lstm.bench import measure as measuring
from ese_lstm.bench.tables import all_tables
from ese_lstm.bench.workload import paper_workload, reduced_workload
from ese_lstm.cli.main import main
from ese_lstm.contract.config import PRESETS
from ese_lstm.sim.golden.cycles import simulate_model
from ese_lstm.sim.rtl import runner


@pytest.fixture(scope="module")
def outcome() -> measuring.Outcome:
    return measuring.measure(reduced_workload(), 2)


def test_reduced_run_writes_every_figure(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bench.json"
    result = CliRunner().invoke(main, ["bench", "engine",
                                       "--reduced", "--frames", "2", "-o", str(path)])
    assert result.exit_code == 0, result.output
    values = json.loads(path.read_text())
    assert "| W*r |" in path.with_suffix(".md").read_text()
    frames, channels = 4, 2
    assert values["values_compared"] == frames * channels * (64 + 64 + 64 + 64)
    assert values["mismatches"] == 0
    assert values["cycle_model"]["relative_error"] == 0
    assert values["cycles_per_frame"] >= values["ideal_cycles"] > 0
    assert values["utilisation"] == pytest.approx(
        values["network"]["entries"] / (4 * values["cycles_per_frame"]))
    assert len(values["matrices"]) == 9
    assert values["network"]["filler_entries"] == values["network"]["null_entries"] == 0
    assert values["paper"]["cycles_per_frame"] == 16540
    assert set(values["versions"]) >= {"python", "verilator", "cocotb", "amaranth"}
    assert "98.9" not in result.output and "[rec]" in result.output and "Wym" in result.output


def test_groups_account_for_every_cycle_and_entry(outcome: measuring.Outcome) -> None:
    assert outcome.good
    assert sum(g.rates.cycles for g in outcome.groups) == outcome.total.cycles
    assert sum(g.rates.entries for g in outcome.groups) == outcome.total.entries
    starved = sum(sum(g.starved.values()) for g in outcome.groups)
    assert starved * 4 == outcome.per_frame["starved"] > 0
    assert outcome.per_frame["products"] == outcome.total.entries
    for cause in ("bank", "dependency", "queue"):
        assert sum(g.stalls[cause] for g in outcome.groups) == outcome.per_frame[f"stall_{cause}"]
    assert all(g.rates.utilisation <= 1 for g in outcome.groups)


def test_channels_get_different_frames() -> None:
    frames = reduced_workload().frames(3)
    assert frames.shape == (3, 40, 2)
    assert (frames[..., 0] != frames[..., 1]).mean() > 0.9


def test_four_combinations(outcome: measuring.Outcome) -> None:
    found = {(c.balance, c.keep_one): c for c in outcome.combinations}
    assert len(found) == 4
    assert found["matrix", True].cycles_per_frame == outcome.total.cycles
    assert found["matrix", True].null_entries == 0 < found["matrix", False].null_entries


@pytest.mark.parametrize("what", ["value", "cycles"])
def test_a_difference_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str) -> None:
    """One wrong value of thousands, or a cycle model one percent off, gives exit code 1."""
    if what == "value":
        original = runner.run_image

        def wrong(*args, **kwargs):
            result = original(*args, **kwargs)
            result.frames[1].trace_cell.values[3, 1] ^= 1
            return result
        monkeypatch.setattr(runner, "run_image", wrong)
    else:
        monkeypatch.setattr(measuring, "TOLERANCE", -1e-9)
    result = CliRunner().invoke(main, ["bench", "engine", "--reduced", "--frames", "1", "-o",
                                               str(tmp_path / "bench.json")])
    assert result.exit_code == 1
    values = json.loads((tmp_path / "bench.json").read_text())
    assert values["mismatches"] == (1 if what == "value" else 0)


@pytest.mark.parametrize("arguments, message", [
    (["--frames", "0"], r"frames: must be at least 1, got 0"),
    (["--config", "none.json"], r"config: must be a preset .* got 'none.json'"),
    (["--reduced", "--config", "tiny"], r"must"),
])
def test_wrong_input(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["bench", "engine",
                                       *arguments, "-o", str(tmp_path / "b.json")])
    assert result.exit_code == 2
    assert result.output.startswith("error: ")
    assert re.search(message, result.output)


def test_tables_are_rectangular(outcome: measuring.Outcome) -> None:
    for table in all_tables(outcome):
        assert table.rows and {len(row) for row in table.rows} == {len(table.header)}


def test_the_full_network_stays_above_the_target() -> None:
    """The headline, by the cycle model: at most 11,740 cycles, no null, no filler."""
    workload = paper_workload(PRESETS["xcku060-32x32"].replace(channels=1))
    report = simulate_model(workload.decoded, 4)
    assert (report.nulls, report.fillers) == (0, 0)
    assert report.periods[-2] == report.periods[-1] <= 11740
    assert report.utilisation >= 0.97
    assert report.weights == 364128
