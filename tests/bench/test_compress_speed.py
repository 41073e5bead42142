"""The speed report measures what it says, on a small network."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ese_lstm.bench.compress_speed import CLIP_FRAMES, timed
from ese_lstm.cli.main import main


def test_measures_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    result = CliRunner().invoke(main, ["bench", "compress-speed",
                                       "--reduced", "--repeats", "2", "--channels", "7", "-o",
                                       str(path)])
    assert result.exit_code == 0, result.output
    values = json.loads(path.read_text())
    compress, golden = values["compress"], values["golden"]
    assert compress["weights"] == 4 * 64 * (40 + 64) + 64 * 64
    assert golden["frames"] == 4 * CLIP_FRAMES and golden["channels"] == 7
    assert golden["frames_per_s"] > 0 and golden["cpu_s"] > 0
    for name in ("plain", "shared_coded"):
        runs = compress[name]["runs"]
        assert len(runs) == 2 and compress[name]["best_s"] == min(run["s"] for run in runs)
        assert all(run["cpu_s"] > 0 for run in runs)
    assert compress["within_limit"] == (compress["plain"]["best_s"] <= 3)
    assert "476 frames (random frames)" in result.stdout and "30,720 weights" in result.stdout


def test_time_is_of_the_job() -> None:
    result, took = timed(lambda: sum(k * k for k in range(200_000)))
    assert result == 2666646666700000 and 0 < took["cpu_s"] <= took["s"] + 0.02


@pytest.mark.parametrize("words, message", [
    (["--dataset", "d"], "dataset: must be given together with --model"),
    (["--reduced", "--repeats", "1", "--dataset", "no", "--model", "no"],
     "must be a dataset folder"),
    (["--config", "none"], "none")])
def test_refused(tmp_path: Path, words: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["bench", "compress-speed",
                                       *words, "-o", str(tmp_path / "s.json")])
    assert result.exit_code == 2 and message in result.stderr
    assert not (tmp_path / "s.json").exists()
