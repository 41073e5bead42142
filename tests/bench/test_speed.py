"""The speed report builds afresh and counts what it ran."""

import json
import os
from pathlib import Path

from click.testing import CliRunner

from ese_lstm.cli.main import main


def test_builds_afresh_and_counts(tmp_path: Path) -> None:
    cache = os.environ.get("XDG_CACHE_HOME")
    path = tmp_path / "speed.json"
    result = CliRunner().invoke(main, ["bench", "speed",
                                       "--reduced", "--frames", "2", "-o", str(path)])
    assert result.exit_code == 0, result.output
    values = json.loads(path.read_text())
    assert values["build_cpu_s"] > 1
    assert values["load_cycles"] > 3000 < values["run_cycles"] + 2000
    assert values["run_cycles_per_s"] > 0
    assert values["multipliers"] == 8
    assert os.environ.get("XDG_CACHE_HOME") == cache
