"""Who may import whom, for every room, and no circles.

An import counts wherever it stands: at the top of a module, inside a function, for type checkers
alone. What a registry finds by name (commands, readers, backends) is seen by no import, and is in
the room below its registry or beside it.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "ese_lstm"
SOURCES = sorted(ROOT.rglob("*.py"))
PACKAGE = "ese_lstm"

MAY = {room: allowed.split() for room, allowed in {
    "contract": "",
    "registry": "contract",
    "report": "contract",
    "hw.layouts": "contract",
    "hw.parts": "contract",
    "hw.place": "",
    "hw.axi": "contract",
    "hw.spmv": "contract hw.layouts hw.parts hw.place",
    "hw.elementwise": "contract hw.layouts hw.parts hw.place",
    "hw": "contract hw.layouts hw.parts hw.place hw.spmv hw.elementwise",
    "hw.memory": "contract hw.layouts hw.parts hw.place hw.axi",
    "hw.shell": "contract hw.layouts hw.place hw.axi hw.memory hw",
    "hw.verilog": "contract hw.place hw hw.shell",
    "compress.network": "contract",
    "compress.read.names": "contract",
    "compress.read.reader": "compress.read.names",
    "compress.read.formats": "contract compress.read.names compress.read.reader",
    "compress.read.formats.onnx": "contract compress.read.reader",
    "compress.read": "contract compress.network compress.read.names compress.read.reader "
                     "compress.read.formats",
    "compress": "contract compress.network compress.read",
    "sim.memory": "contract",
    "sim.trace": "",
    "sim.steady": "contract",
    "sim.golden": "contract sim.memory sim.trace",
    "sim.rtl": "contract registry sim.memory sim.trace sim.steady hw.layouts hw.place hw.axi "
               "hw.memory hw hw.verilog",
    "sim": "contract sim.trace sim.golden sim.rtl",
    "runtime.errors": "contract",
    "runtime.patience": "contract",
    "runtime.backend": "contract runtime.patience",
    "runtime.device_files": "contract runtime.errors sim.rtl",
    "runtime.backends": "contract runtime.errors runtime.patience runtime.backend "
                        "runtime.device_files sim.golden sim.rtl",
    "runtime": "contract runtime.errors runtime.patience runtime.backend runtime.backends",
    "boards": "contract",
    "synth": "contract report hw.spmv hw.elementwise hw.verilog",
    "train.data": "contract registry",
    "train": "contract compress.network compress.read compress sim.golden train.data",
    "train.tasks": "contract compress.network compress train.data train",
    "train.loop": "contract train.data train train.tasks",
    "search": "contract compress sim.golden train.data train train.tasks train.loop",
    "demo": "contract registry report compress.network compress.read compress hw.verilog "
            "sim.golden sim.rtl sim boards train.data train",
    "bench": "contract registry report compress.network compress.read compress hw.verilog "
             "sim.golden sim.rtl sim train.data train search demo",
    PACKAGE: "contract compress.network compress.read compress hw.verilog sim runtime",
    "cli": "contract report compress.network compress.read compress hw.verilog sim.golden "
           "sim.rtl sim boards synth train.data train train.tasks train.loop search demo "
           f"{PACKAGE}",
    "cli.bench": "contract report compress train.data train search demo bench cli",
    "__main__": "cli",
}.items()}
"""Each room, and each module that rooms of one folder share, by those that it may import. A room is
its modules but for those named on their own; one stands below all that it may import."""

TORCH = "compress.share_torch search train train.data train.loop train.tasks"
LIBRARIES = {library: (anywhere.split(), inside.split()) for library, anywhere, inside in (
    ("click", "cli cli.bench", ""),
    ("rich", "cli.terminal", ""),
    ("amaranth", "boards hw.layouts hw.parts hw.place hw.axi hw.spmv hw.elementwise hw hw.memory "
                 "hw.shell hw.verilog sim.rtl", ""),
    ("cocotb", "sim.rtl", ""),
    ("torch", TORCH, "cli compress.read.formats.pytorch"),
    ("onnx", "", "compress.read.formats.onnx"),
    ("matplotlib", "", "bench"),
    ("pyosys", "", "synth"),
)}
"""Where a library may be imported: anywhere in a module, or inside its functions alone."""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or PACKAGE


MODULES = {module_of(path): path for path in SOURCES}


@cache
def imports_of(path: Path) -> list[tuple[str, bool]]:
    """Names a file imports, ours with the package's before them, and whether at its top level."""
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
            base = (PACKAGE, *package)[:len(package) + 2 - node.level] if node.level else ()
            names = [".".join((*base, *filter(None, [node.module]), alias.name))
                     for alias in node.names]
        else:
            continue
        for name in names:
            yield name, id(node) not in inside


def ours(name: str) -> str | None:
    """The module of ours that a name is, or is in."""
    if name.partition(".")[0] != PACKAGE:
        return None
    module = name.removeprefix(f"{PACKAGE}.")
    while module and module not in MODULES:
        module = module.rpartition(".")[0]
    return module or PACKAGE


def room_of(module: str) -> str:
    """The longest entry of MAY that a module is, or is in."""
    room = module
    while room not in MAY:
        room, _, last = room.rpartition(".")
        assert last and room, f"{module} needs an entry in MAY"
    return room


def belongs(name: str, rooms: Iterable[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


@cache
def graph() -> dict[str, set[str]]:
    """Every module by those of ours that it imports."""
    return {module: {found for name, _top in imports_of(path)
                     if (found := ours(name)) is not None and found != module}
            for module, path in MODULES.items()}


def crossings(modules: dict[str, set[str]]) -> set[tuple[str, str, str]]:
    """What leaves its room: the module, the one it imports, and that one's room."""
    return {(module, name, room_of(name)) for module, names in modules.items() for name in names
            if room_of(name) != room_of(module)}


def forbidden(modules: dict[str, set[str]]) -> list[str]:
    return [f"{module} imports {name}" for module, name, room in sorted(crossings(modules))
            if room not in MAY[room_of(module)]]


def circle(modules: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def misplaced(module: str, imports: Iterable[tuple[str, bool]]) -> list[str]:
    """Libraries that a module must not import, or not at its top."""
    return [f"{module} imports {name}" for name, top in imports
            for library, (anywhere, inside) in LIBRARIES.items() if belongs(name, [library])
            and not {module, room_of(module)} & {*anywhere, *(() if top else inside)}]


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 200 and sum(map(len, graph().values())) > 800


def test_every_room_has_an_entry() -> None:
    folders = {module for module, path in MODULES.items() if path.name == "__init__.py"}
    assert not folders - set(MAY) and not set(MAY) - set(MODULES)
    for module in MODULES:
        assert room_of(module)


def test_rooms_import_what_they_may() -> None:
    assert not forbidden(graph())


def test_rooms_may_import_no_more_than_they_do() -> None:
    used = {(room_of(module), room) for module, _name, room in crossings(graph())}
    assert used == {(room, other) for room, others in MAY.items() for other in others}


def test_each_room_stands_on_those_above_it_in_the_table() -> None:
    """So there is no circle between rooms, and hardware, compiler and golden model stay apart."""
    order = list(MAY)
    assert not [(room, other) for room, others in MAY.items() for other in others
                if order.index(other) >= order.index(room)]
    apart = ("hw", "compress", "sim.golden")
    assert not [(room, other) for room, others in MAY.items() for other in others for one in apart
                if belongs(room, [one]) and belongs(other, {*apart} - {one})]


def test_the_map_has_the_same_order() -> None:
    text = (ROOT.parents[1] / "docs/architecture.md").read_text()
    drawn = re.findall(r"^\| `(\w+)", text[text.index("| Room |"):], re.MULTILINE)
    order = list(MAY)
    assert len(set(drawn)) == 14 and drawn == sorted(drawn, key=order.index)


def test_there_is_no_circle_of_modules() -> None:
    assert not circle(graph())


def test_libraries_stay_in_their_rooms() -> None:
    assert not [fault for module, path in MODULES.items()
                for fault in misplaced(module, imports_of(path))]


def test_imports_between_rooms_are_relative() -> None:
    """``import ese_lstm.hw`` would hide the room, ``import hw`` depend on the links at the top."""
    folders = {init.parent.name for init in ROOT.glob("*/__init__.py")}
    broken = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = ([alias.name for alias in node.names] if isinstance(node, ast.Import)
                     else [node.module or ""] if isinstance(node, ast.ImportFrom)
                     and not node.level else [])
            broken += [f"{module_of(path)}: {name}" for name in names
                       if name.split(".")[0] in {*folders, PACKAGE}]
    assert not broken


@pytest.mark.parametrize("line, expected", [
    ("import torch", ("torch", True)),
    ("def f():\n    import torch.nn", ("torch.nn", False)),
    ("from torch.nn import LSTM", ("torch.nn.LSTM", True)),
    ("from ..compress import pack", ("ese_lstm.compress.pack", True)),
    ("from .. import __version__", ("ese_lstm.__version__", True)),
    ("from ese_lstm.sim import golden", ("ese_lstm.sim.golden", True)),
    ("from .engine import Engine", ("ese_lstm.hw.engine.Engine", True)),
])
def test_the_check_sees(line: str, expected: tuple[str, bool]) -> None:
    assert list(imports_in(line, ("hw",))) == [expected]


@pytest.mark.parametrize("module, line, fault", [
    ("hw.engine", "from ..compress.pack import pack", "hw.engine imports compress.pack"),
    ("hw.spmv.lane", "def f():\n    from ..engine import Engine", "hw.spmv.lane imports hw.engine"),
    ("compress.pack", "from ..sim.golden import cycles", "compress.pack imports sim.golden.cycles"),
    ("contract.image", "from .. import registry", "contract.image imports registry"),
    ("sim.golden.model", "from .. import verify", "sim.golden.model imports sim.verify"),
    ("runtime.engine", "from ..cli import main", "runtime.engine imports cli.main"),
    ("cli.info", "from .bench import engine", "cli.info imports cli.bench.engine"),
])
def test_a_room_may_not(module: str, line: str, fault: str) -> None:
    names = imports_in(line, tuple(module.split(".")[:-1]))
    assert forbidden({module: {found for name, _ in names if (found := ours(name))}}) == [fault]


@pytest.mark.parametrize("module, line", [
    ("bench.measure", "import click"), ("report.table", "from rich.table import Table"),
    ("cli.train", "import torch"), ("compress.pack", "def f():\n    import torch"),
    ("sim.golden.model", "from amaranth.hdl import Module"), ("hw.engine", "import cocotb"),
    ("compress.read.formats.onnx.file", "import onnx"),
])
def test_a_library_may_not(module: str, line: str) -> None:
    assert len(misplaced(module, imports_in(line, tuple(module.split(".")[:-1])))) == 1


def test_a_circle_is_seen_and_a_room_without_an_entry_too() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) and not circle({"a": {"b"}, "b": set()})
    with pytest.raises(AssertionError, match="attic.box needs an entry"):
        room_of("attic.box")
