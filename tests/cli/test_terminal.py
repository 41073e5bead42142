"""Progress of commands, and tables as they are shown."""

import pytest

from ese_lstm.cli import terminal
from ese_lstm.report.table import Table


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


def test_tables_name_their_columns_and_set_off_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(Table("T [pub]", ("name", "count"), [("a", 1234), ("b", None), ("all", 0.5)],
                        note="a note", total=True))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "T [pub]" and lines[-1].strip() == "a note"
    assert [line for line in lines if "│" in line] == ["│ a    │ 1,234 │", "│ b    │     – │",
                                                        "│ all  │   0.5 │"]
    assert "├" in lines[6]
