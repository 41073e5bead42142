"""What an exported Verilog text holds: its modules, how often each is used, and its memories."""

import re
from collections import Counter
from dataclasses import dataclass, field

_MODULE = re.compile(r"^module (\w+)")
_MEMORY = re.compile(r"^  reg (?:\[(\d+):0\] )?\\?(\S+) +\[(\d+):0\];")
_INSTANCE = re.compile(r"^  (\w+) +\\?\S+ +\($")
_STYLE = re.compile(r'ram_style = "(\w+)"')


@dataclass(frozen=True)
class MemoryShape:
    """A memory: words × bits. count: copies in the whole design. style: primitive asked for."""

    module: str
    name: str
    words: int
    bits: int
    style: str
    count: int


@dataclass
class _Contents:
    memories: list[tuple[str, int, int, str]] = field(default_factory=list)
    parts: Counter[str] = field(default_factory=Counter)


def memories(verilog: str, top: str) -> list[MemoryShape]:
    """Every memory of the design below module ``top``, in the text's order."""
    modules = _modules(verilog)
    uses = _uses(modules, top)
    return [MemoryShape(name, memory, words, bits, style, uses[name])
            for name, contents in modules.items()
            for memory, words, bits, style in contents.memories if uses[name]]


def instances(verilog: str, top: str) -> dict[str, int]:
    """How often each module occurs in the design below ``top``."""
    return {name: count for name, count in _uses(_modules(verilog), top).items() if count}


def _modules(verilog: str) -> dict[str, _Contents]:
    modules: dict[str, _Contents] = {}
    contents, style = _Contents(), "auto"
    for line in verilog.splitlines():
        if match := _MODULE.match(line):
            contents = modules[match[1]] = _Contents()
        elif match := _STYLE.search(line):
            style = match[1]
            continue
        elif match := _MEMORY.match(line):
            contents.memories.append((match[2], int(match[3]) + 1, int(match[1] or 0) + 1, style))
        elif match := _INSTANCE.match(line):
            contents.parts[match[1]] += 1
        style = "auto"
    return modules


def _uses(modules: dict[str, _Contents], top: str) -> Counter[str]:
    uses: Counter[str] = Counter()

    def visit(name: str, times: int) -> None:
        uses[name] += times
        for part, count in modules[name].parts.items():
            if part in modules:
                visit(part, times * count)

    visit(top, 1)
    return uses
