"""The shell's benchmark on a small engine."""

import json

import pytest
from click.testing import CliRunner

from ese_lstm.bench.shell import Outcome, table
from ese_lstm.cli.main import main
from ese_lstm.sim.rtl.shell_runner import SpeedResult


def test_reduced(tmp_path):
    output = tmp_path / "shell.json"
    result = CliRunner().invoke(main, ["bench", "shell",
                                       "--reduced", "--frames", "4", "--stream-bits", "64",
                                       "-o", str(output)])
    values = json.loads(output.read_text())
    shell, = values["shells"]
    assert shell["mismatches"] == 0 < shell["values_compared"]
    assert shell["frames_measured"] == 4
    assert shell["cycles_per_frame"] >= values["bare"]["cycles_per_frame"]
    assert result.exit_code == (0 if shell["loss"] <= 0.01 else 1)
    page = output.with_suffix(".md").read_text()
    assert f"{shell['cycles_per_frame']:,.0f}" in page and "`ese bench shell" in page


@pytest.mark.parametrize("products, mismatches, good", [(99, 0, True), (97, 0, False),
                                                        (99, 1, False)])
def test_what_counts_as_good(products, mismatches, good):
    """More than 1 % of the bare engine's utilisation lost, or a value that differs, is not."""
    class Config:
        lanes = 1

    first, last = ({"cycles": 100 * k, "products": products * k, "frames_out": k} for k in (1, 3))
    result = SpeedResult(Config(), None, first, last, 7)
    outcome = Outcome(64, result, 5, mismatches, 100.0, 0.99, (2, 3))
    assert outcome.good == good
    assert table([outcome]).rows[1][3] == "100"


def test_bad_input(tmp_path):
    result = CliRunner().invoke(main, ["bench", "shell", "--reduced", "--stream-bits", "65",
                                       "-o", str(tmp_path / "s.json")])
    assert result.exit_code == 2 and "stream_bits: must be a power of two" in result.output
