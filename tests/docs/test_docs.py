"""What documents and packages say of files, latencies and commands is true of today's code."""

import ast
import re
from pathlib import Path

import click
import pytest

import ese_lstm
from ese_lstm.cli.main import main
from ese_lstm.contract import timing
from ese_lstm.contract.registers import register

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "ese_lstm"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ROOMS = sorted(init.parent.name for init in SOURCES.glob("*/__init__.py"))


def test_named_files_exist() -> None:
    folders = "|".join([*ROOMS, "docs", "examples", "tests"])
    named = [(path.name, name) for path in DOCUMENTS
             for name in re.findall(rf"`((?:{folders})/[\w/.]*)`", path.read_text())]
    assert len(named) > 200 and len({document for document, _ in named}) > 15
    assert not [(document, name) for document, name in named
                if not any((base / name).exists() for base in (SOURCES, ROOT))]


def test_readme_s_table_has_every_folder() -> None:
    text = (ROOT / "README.md").read_text()
    table = text[text.index("## Folders"):text.index("## Support")]
    listed = re.findall(r"`(\w+)/", "".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)))
    assert not set(ROOMS) - set(listed)


def test_the_reference_has_the_public_names() -> None:
    listed = re.findall(r"^::: ese_lstm\.(\w+)$", (ROOT / "docs/api.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(set(ese_lstm.__all__) - {"__version__"})


def test_exit_codes_are_the_same_in_readme_and_help() -> None:
    said = [re.search(r"Exit codes: (0 success; .*?130 interrupted)", " ".join(text.split()))
            for text in ((ROOT / "README.md").read_text(), main.help or "")]
    codes = [re.findall(r"(?:^|; )(\d+) ", match[1]) for match in said if match]
    assert codes == [["0", "1", "2", "130"]] * 2


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


def packages() -> list[Path]:
    return [path for path in SOURCES.rglob("__init__.py") if path.parent != SOURCES]


@pytest.mark.parametrize("init", packages(), ids=lambda path: path.parent.name)
def test_a_package_lists_its_modules(init: Path) -> None:
    """All, and nothing else: every single word in double quotes is a module."""
    text = ast.get_docstring(ast.parse(init.read_text())) or ""
    listed = set(re.findall(r"``([a-z]\w*)``", text))
    there = {path.stem for path in init.parent.iterdir() if path.stem[0] != "_"
             and (path.suffix == ".py" or (path / "__init__.py").exists())}
    assert listed == there


def test_every_room_is_on_the_map() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    rooms = re.findall(r"`([\w/]+/)`", "\n".join(re.findall(
        r"^\|([^|]*)\|", text[text.index("## Rooms"):], re.MULTILINE)))
    assert sorted(rooms) == sorted(f"{init.parent.relative_to(SOURCES)}/" for init in packages())


def written_commands(text: str) -> list[list[str]]:
    """Words of each ``ese …`` in code, without what a shell does with it."""
    code = re.findall(r"(?:`|/|^ +(?:\$ )?)ese ([a-z][^`\n]*)", text.replace("\\\n", ""),
                      re.MULTILINE)
    return [re.split(r" [|#>&]|;| …", line)[0].split() for line in code]


def wrong(words: list[str]) -> list[str]:
    """Of a command line, the words that are neither command nor option of it."""
    command: click.Command = main
    options = {"--help", "-h", "--version"}
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        found = command.get_command(click.Context(command), name.strip(",.:)"))
        if found is None:
            return [name]
        command = found
    options |= {name for parameter in command.params
                for name in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in words if re.match(r"--?[a-zA-Z]", word)
            and re.split(r"[=,.:\[\])]", word)[0] not in options]


COMMAND_TEXTS = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile")),
                 *sorted((ROOT / "docs").rglob("*.md")), *sorted(SOURCES.rglob("*.py"))]


def test_written_commands_exist() -> None:
    found = {(path.name, *words) for path in COMMAND_TEXTS
             for words in written_commands(path.read_text())}
    assert len(found) > 60
    assert not [line for line in sorted(found) if wrong(list(line[1:]))]


def test_a_wrong_command_is_seen() -> None:
    text = "`ese pack x`\n    ese verilog --shel tiny | less --x\n`ese bench speed --no x`\nese no"
    assert [wrong(words) for words in written_commands(text)] == [["pack"], ["--shel"], ["--no"]]
