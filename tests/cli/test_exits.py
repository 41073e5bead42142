"""The one way out: what goes wrong is one sentence and an exit code, whatever the command."""

import io
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ese_lstm.cli import main as command
from ese_lstm.cli import terminal
from ese_lstm.contract.errors import EseError, SimulationError
from ese_lstm.report.table import Table


def ending(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Result:
    """How ``ese`` ends if a command raises this."""
    @click.command()
    def info() -> None:
        raise error

    monkeypatch.setattr("ese_lstm.cli.info.info", info)
    return CliRunner().invoke(command.main, ["info"])


@pytest.mark.parametrize(("error", "code", "text"), [
    (EseError("frames: must be at least 1, got 0"), 2,
     "error: frames: must be at least 1, got 0\n"),
    (SimulationError("stuck"), 1, "simulation failed: stuck\n"),
    (KeyboardInterrupt(), 130, "\ninterrupted\n"),
    (OSError(28, "No space left on device"), 2,
     "error: output: standard output must be writable, but No space left on device\n"),
    (click.UsageError("no such thing"), 2, "no such thing\n")])
def test_sentences_and_codes(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int,
                             text: str) -> None:
    result = ending(monkeypatch, error)
    assert result.exit_code == code and result.stderr.endswith(text) and not result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("error", [RuntimeError("a fault"), OSError(28, "full", "a file")])
def test_other_faults_stay(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    result = ending(monkeypatch, error)
    assert result.exit_code == 1 and result.exception is error


def ese(*words: str, **more: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "ese_lstm", *words], text=True, check=False,
                          stderr=subprocess.PIPE, **more)  # type: ignore[call-overload]


@pytest.mark.parametrize("words", [("info", "tiny"), ("registers",), ("--help",)])
def test_a_full_disk_behind_standard_output(words: tuple[str, ...]) -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("no /dev/full")
    with full.open("w") as out:
        done = ese(*words, stdout=out)
    assert done.returncode == 2
    assert done.stderr == ("error: output: standard output must be writable, but No space left on "
                           "device\n")


def test_an_ascii_terminal_gets_everything_that_it_can_show(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for encoding in ("ascii", "utf-8"):
        out = io.TextIOWrapper(io.BytesIO(), encoding)
        monkeypatch.setattr(sys, "stdout", out)
        with terminal.all_characters():
            terminal.show(Table("32 × 32", ("σ", "tanh"), [("a", 1.5)]))
        shown[encoding] = out.buffer.getvalue().decode(encoding)
        said = capsys.readouterr().err
        assert ("which lacks characters" in said) == (encoding == "ascii")
        assert said.count("\n") == (encoding == "ascii")
    assert "32 ? 32" in shown["ascii"] and "| ? " in shown["ascii"] and "1.5" in shown["ascii"]
    assert "32 × 32" in shown["utf-8"] and "σ" in shown["utf-8"]


INTERRUPTED = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

module = sys.argv[1]
sys.argv[1:] = ["info", "tiny"]
sys.meta_path.insert(0, Interrupt())
from ese_lstm.__main__ import main
main()
"""


@pytest.mark.parametrize("module", [f"ese_lstm.cli.{name}" for name in ("main", "terminal",
                                                                         "info")])
def test_an_interrupt_while_modules_load(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, module], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 130 and "Traceback" not in done.stderr and not done.stdout


@pytest.mark.parametrize("words", [(), ("bench",), ("bench", "resemblyzer"), ("synth",), ("demo",),
                                   ("data",)])
def test_help_says_each_command_in_one_line(words: tuple[str, ...]) -> None:
    text = CliRunner().invoke(command.main, [*words, "--help"], terminal_width=80).stdout
    lines = [line for line in text.splitlines() if re.match("  [a-z-]+  +[A-Z]", line)]
    assert lines and "..." not in "".join(lines)
    assert all(line.endswith((".", ";")) for line in lines)
