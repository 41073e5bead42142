"""What the documents say of files and latencies is true of today's code."""

import re
from pathlib import Path

import pytest

from ese_lstm.contract import timing
from ese_lstm.contract.registers import register

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "ese_lstm"
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/compression.md",
             "docs/runtime.md", "docs/system.md", "docs/training.md")
ROOMS = "boards|cli|compress|contract|demo|docs|examples|hw|runtime|search|sim|tests|train"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_named_files_exist(document: str) -> None:
    named = re.findall(rf"`((?:{ROOMS})/[\w/.]*)`", (ROOT / document).read_text())
    assert named
    assert not [name for name in named
                if not any((base / name).exists() for base in (SOURCES, ROOT))]


def test_every_hardware_unit_is_mapped() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    units = [f"hw/{room}{path.name}" for room in ("", "spmv/", "elementwise/")
             for path in (SOURCES / "hw" / room).glob("*.py") if path.name != "__init__.py"]
    assert len(units) > 10
    assert not [name for name in units if f"`{name}`" not in text]


def test_every_unit_of_the_shell_is_mapped() -> None:
    text = (ROOT / "docs/system.md").read_text()
    units = [f"hw/{room}/{path.name}" for room in ("axi", "memory", "shell")
             for path in (SOURCES / "hw" / room).glob("*.py") if path.name != "__init__.py"]
    assert len(units) > 10
    assert not [name for name in units if f"`{name}`" not in text]


def test_errors_of_the_shell_are_described() -> None:
    text = (ROOT / "docs/system.md").read_text()
    assert not [field.name for field in register("ERROR").fields
                if f"`{field.name}`" not in text]


def test_latencies() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    stated = re.findall(r"`([A-Z_]+)` = (\d+)", text)
    assert len(stated) >= 7
    assert {name: getattr(timing, name) for name, _ in stated} == {
        name: int(value) for name, value in stated}


def test_picture_names_existing_files() -> None:
    picture = (ROOT / "docs/engine.svg").read_text()
    named = set(re.findall(r">([\w/]+\*?\.py)<", picture))
    assert len(named) > 8
    assert not [name for name in named if not list((SOURCES / "hw").rglob(name))]
    assert "prefers-color-scheme" in picture or 'fill="#fbfbf8"' in picture, "own background"
