"""Who may import whom: hardware, compiler and golden model stay independent, torch optional."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "ese_lstm"
ROOMS = tuple(sorted(init.parent.name for init in ROOT.glob("*/__init__.py")))
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

FORBIDDEN = {
    "contract": ("bench", "boards", "cli", "compress", "demo", "hw", "runtime", "search", "sim",
                 "synth", "train"),
    "hw": ("bench", "boards", "cli", "compress", "demo", "runtime", "search", "sim", "synth",
           "train"),
    "compress": ("bench", "boards", "cli", "demo", "hw", "runtime", "search", "sim", "synth",
                 "train"),
    "sim.golden": ("bench", "boards", "cli", "compress", "demo", "hw", "runtime", "search",
                   "sim.rtl", "synth", "train"),
    "sim.rtl": ("bench", "boards", "cli", "compress", "demo", "runtime", "search", "sim.golden",
                "synth", "train"),
    "boards": ("bench", "cli", "compress", "demo", "runtime", "search", "sim", "synth", "train"),
    "runtime": ("bench", "boards", "cli", "compress", "demo", "hw", "search", "synth", "train"),
    "train": ("bench", "boards", "cli", "demo", "hw", "runtime", "search", "sim.rtl", "synth"),
    "bench": ("cli", "click", "rich", "runtime"),
    "demo": ("bench", "cli", "click", "rich", "runtime", "search", "synth"),
    "synth": ("bench", "cli", "click", "compress", "demo", "rich", "runtime", "search", "train"),
    "report": ("bench", "boards", "cli", "click", "compress", "demo", "hw", "rich", "runtime",
               "search", "sim", "synth", "train"),
    "search": ("bench", "boards", "cli", "demo", "hw", "runtime", "sim.rtl", "synth"),
}
TORCH = ("compress", "search", "train")
TORCH_INSIDE_FUNCTIONS = ("cli", "demo")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """Modules a file imports (ours without the ese_lstm prefix) and whether at its top level."""
    return list(imports_in(path.read_text(), path.relative_to(ROOT).parts[:-1]))


def imports_in(text: str, package: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(text)
    inside = {id(node) for function in ast.walk(tree)
              if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
              for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else ()
            names = [".".join((*base, *filter(None, [node.module]), alias.name))
                     for alias in node.names]
        else:
            continue
        for name in names:
            yield name.removeprefix("ese_lstm."), id(node) not in inside


def belongs(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 30 and set(ROOMS) >= {"boards", "compress", "contract", "hw", "sim"}
    assert sum(1 for path in SOURCES for _ in imports_of(path)) > 200


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_stay_apart(room: str) -> None:
    broken = [f"{module_of(path)} imports {name}" for path in SOURCES
              if belongs(module_of(path), room) for name, _top in imports_of(path)
              if any(belongs(name, other) for other in FORBIDDEN[room])]
    assert not broken


def test_only_compress_search_and_training_import_torch() -> None:
    broken = []
    for path in SOURCES:
        module = module_of(path)
        for name, top in imports_of(path):
            lazy = not top and any(belongs(module, room) for room in TORCH_INSIDE_FUNCTIONS)
            if belongs(name, "torch") and not lazy \
                    and not any(belongs(module, room) for room in TORCH):
                broken.append(f"{module} imports {name}")
    assert not broken


def test_imports_between_rooms_are_relative() -> None:
    """``import ese_lstm.hw`` would hide the room, ``import hw`` depend on the links at the top."""
    broken = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = ([alias.name for alias in node.names] if isinstance(node, ast.Import)
                     else [node.module or ""] if isinstance(node, ast.ImportFrom)
                     and not node.level else [])
            broken += [f"{module_of(path)}: {name}" for name in names
                       if name.split(".")[0] in (*ROOMS, "ese_lstm")]
    assert not broken


@pytest.mark.parametrize("line, expected", [
    ("import torch", ("torch", True)),
    ("def f():\n    import torch.nn", ("torch.nn", False)),
    ("from torch.nn import LSTM", ("torch.nn.LSTM", True)),
    ("from ..compress import pack", ("compress.pack", True)),
    ("from .. import compress", ("compress", True)),
    ("from ese_lstm.sim import golden", ("sim.golden", True)),
    ("from .engine import Engine", ("hw.engine.Engine", True)),
])
def test_the_check_sees(line: str, expected: tuple[str, bool]) -> None:
    assert list(imports_in(line, ("hw",))) == [expected]
