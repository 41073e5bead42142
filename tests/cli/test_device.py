"""``ese device``: serves until it is interrupted, and cleans up."""

import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from ese_lstm.cli.main import main
from ese_lstm.contract.config import PRESETS
from ese_lstm.runtime import Engine


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_interrupted(number, tmp_path) -> None:
    """Also where SIGINT is ignored at its start, as in a background job of a shell."""
    command = [sys.executable, "-m", "ese_lstm", "device", str(tmp_path), "--config",
               "tiny"]
    ignored = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    with subprocess.Popen(ignored, text=True, stdout=subprocess.PIPE) as served:
        try:
            assert served.stdout is not None
            name = served.stdout.readline().strip()
            assert name == f"xdma:{tmp_path}/xdma0"
            with Engine.open(name, timeout_s=60) as engine:
                assert engine.config == PRESETS["tiny"]
            served.send_signal(number)
            assert served.wait(60) == 0
        finally:
            served.kill()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options, rule", [
    (["--pause", "always"], "pause: must be one of none"),
    (["--shell", "wide"], "shell: must be a preset"),
    (["--config", "huge"], "config: must be a preset")])
def test_mistakes(options, rule, tmp_path) -> None:
    result = CliRunner().invoke(main, ["device", str(tmp_path), *options])
    assert result.exit_code == 2 and rule in result.output
