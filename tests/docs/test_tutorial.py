"""The tutorial's commands and programs run, in order, in an empty folder; so do the notebook's."""

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from ese_lstm.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


def run_program(text: str, folder: Path) -> None:
    program = folder / "program.py"
    program.write_text(text)
    runpy.run_path(str(program))
    program.unlink()


def test_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                  capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(python|sh)\n(.*?)^```",
                        (ROOT / "docs/tutorial.md").read_text(), re.DOTALL | re.MULTILINE)
    told: dict[str, str] = {}
    for kind, text in blocks:
        if kind == "python":
            run_program(text, tmp_path)
            continue
        for line in text.replace("\\\n", "").splitlines():
            name, *words = shlex.split(line)
            assert name == "ese"
            done = CliRunner().invoke(main, words)
            assert done.exit_code == 0, f"{line}\n{done.output}"
            told[words[0]] = done.output
    assert set(told) == {"distill", "compress", "info", "simulate", "verilog"}
    assert re.search(r"mismatches +│ +0 │", told["simulate"])
    cosines = [float(value) for value in re.findall(r"cosine (\S+)", capsys.readouterr().out)]
    assert len(cosines) == 8 and min(cosines) > 0.8
    assert (tmp_path / "verilog/ese_engine.v").exists()
    assert (tmp_path / "verilog/ese_shell.v").exists()


def test_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                  capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    notebook, = (ROOT / "examples").glob("*.ipynb")
    cells = [cell for cell in json.loads(notebook.read_text())["cells"]
             if cell["cell_type"] == "code"]
    assert len(cells) > 3 and not any(cell["outputs"] for cell in cells)
    run_program("\n".join("".join(cell["source"]) + "\n" for cell in cells), tmp_path)
    assert "0 of" in capsys.readouterr().out
