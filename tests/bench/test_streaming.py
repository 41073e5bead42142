"""Bench of streamed weights, small: by the cycle model alone."""

import json

import pytest
from click.testing import CliRunner

from ese_lstm.bench.streaming import chosen, study, table
from ese_lstm.cli.main import main
from ese_lstm.contract.errors import EseError


def test_more_bandwidth_never_costs_cycles(tmp_path) -> None:
    output = tmp_path / "streaming.json"
    result = CliRunner().invoke(main, ["bench", "streaming",
                                       "--reduced", "--model-only", "--frames", "2", "-o",
                                       str(output)])
    assert result.exit_code == 0, result.output
    figures = json.loads(output.read_text())
    assert figures["streamed_entries"] > 0 and figures["rows"] > 0
    points = {(p["gigabytes_per_second"], p["latency"]): p["model_cycles"]
              for p in figures["points"]}
    assert len(points) == 6
    for latency in (40, 120):
        assert points[6.4, latency] >= points[12.8, latency] >= points[19.2, latency] > 0
    page = output.with_suffix(".md").read_text()
    assert page.startswith("`ese bench streaming") and page.count("\n|") > 6


def test_a_network_that_fits_is_refused() -> None:
    workload, shell = chosen(reduced=True)
    workload = workload.replace(config=workload.config.replace(stream_depth=8192))
    with pytest.raises(EseError, match="network: must be larger than the lanes' memories"):
        study(workload, shell, 2, (6.4,), (40,), rtl=False)


def test_the_verilog_is_measured_beside_the_model() -> None:
    workload, shell = chosen(reduced=True)
    done = study(workload, shell, 2, bandwidths=(3.2,), latencies=(40,))
    assert done.good and len(done.comparisons) == 1
    point = done.points[0]
    assert point.cycles == point.model.cycles_per_frame
    assert len(table(done).rows) == 1
