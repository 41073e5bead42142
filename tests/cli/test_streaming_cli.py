"""Streamed weights on the command line."""

import json

import pytest
import torch
from click.testing import CliRunner

from ese_lstm.cli.main import main
from ese_lstm.contract.image import read_image

TINY = ("--config", "tiny", "--set", "fetch_depth=16", "--set", "segment_depth=64")


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(1)
    torch.save(torch.nn.LSTM(5, 12).state_dict(), tmp_path / "a.pt")
    return tmp_path / "a.pt"


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_compress_and_info_tell_resident_and_streamed(checkpoint, tmp_path) -> None:
    image = tmp_path / "a.ese"
    result = run("compress", checkpoint, *TINY, "--resident", "0", "-o", image)
    assert result.exit_code == 0, result.output
    assert "streamed entries" in result.output and "bytes in external memory" in result.output
    stored = read_image(image)
    assert stored.rows > 0 and len(stored.sections["entries"]) > 0
    cycles = []
    for bandwidth in ("0.8", "12.8"):
        result = run("info", image, "--json", "--cycles", "--bandwidth", bandwidth)
        assert result.exit_code == 0, result.output
        figures = json.loads(result.output)
        assert figures["sizes"]["streamed_entries"] == stored.manifest.streamed_entries > 0
        assert figures["sizes"]["external_memory_bytes"] == len(stored.memory)
        cycles.append(figures["cycles"]["cycles_per_frame"])
    assert cycles[0] > cycles[1] > 0


@pytest.mark.parametrize("options, sentence", [
    (("--bandwidth", "3"), "info: --bandwidth and --latency must come with --cycles"),
    (("--cycles", "--bandwidth", "0"), "bandwidth: must be at least one bit a cycle, got 0.0 GB/s"),
    (("--cycles", "--latency", "0"), "latency: must be at least 1, got 0"),
])
def test_bad_memories_are_refused(options, sentence, checkpoint, tmp_path) -> None:
    image = tmp_path / "a.ese"
    assert run("compress", checkpoint, *TINY, "--resident", "none", "-o", image).exit_code == 0
    result = run("info", image, *options)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
