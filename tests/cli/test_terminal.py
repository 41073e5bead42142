"""Exit codes and progress of the programs beside ``ese``."""

import pytest

from ese_lstm.cli import terminal
from ese_lstm.contract.errors import EseError


class BrokenError(Exception):
    """A simulation that failed."""


@pytest.mark.parametrize(("error", "code", "text"), [
    (EseError("frames: must be at least 1, got 0"), 2,
     "error: frames: must be at least 1, got 0\n"),
    (BrokenError("stuck"), 1, "simulation failed: stuck\n")])
def test_exit_codes(error: Exception, code: int, text: str,
                    capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, terminal.exit_codes(BrokenError):
        raise error
    assert end.value.code == code
    assert capsys.readouterr().err == text


def test_other_faults_stay() -> None:
    with pytest.raises(BrokenError), terminal.exit_codes():
        raise BrokenError


def test_progress_is_sparse(capsys: pytest.CaptureFixture[str]) -> None:
    progress = terminal.Progress()
    for number in range(20):
        progress(f"train: loss {number}", number / 20)
    progress("score", 0.5)
    assert capsys.readouterr().err == "train: loss 0   0 %\nscore  50 %\n"


def test_steps_are_numbered(capsys: pytest.CaptureFixture[str],
                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "QUIET_S", -1.0)
    steps = terminal.Steps()
    with steps("Read") as update:
        update("a file", 0.5)
    with steps("Run"):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "     1 Read: a file 50 %"
    assert lines[1].startswith("done 1 Read (") and lines[2].startswith("done 2 Run (")
