"""An exported Verilog text, cut into the units that are synthesised one by one.

A unit is a module placed by ``hw.place`` together with the modules that Amaranth made inside
it; those carry its name as prefix. Every unit is synthesised once, however often it is used.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..contract.errors import EseError

_MODULE = re.compile(r"^module (\w+) ?\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\w+) +(?:\\\S+|\w+) +\($", re.MULTILINE)
_PORT = re.compile(r"^  (?:input|output) .*?;$", re.MULTILINE)
_ZEROS = re.compile(r"^    \\?\S+ ?\[\d+\] = \d+'h0+;\n", re.MULTILINE)


@dataclass
class Unit:
    """One unit. children: units placed in it, and how often. verilog: its own modules."""

    name: str
    verilog: str
    children: Counter[str] = field(default_factory=Counter)

    def stub(self) -> str:
        """The unit as a black box: its ports without contents."""
        header = self.verilog[self.verilog.index(f"module {self.name}"):]
        header = header[:header.index("endmodule")]
        ports = "\n".join(_PORT.findall(header))
        return f"(* blackbox *)\n{header[:header.index(';') + 1]}\n{ports}\nendmodule\n"


def split(verilog: str, top: str) -> dict[str, Unit]:
    """Units of the design below ``top``, children before parents, ``top`` last.

    Raises EseError if the text has no module ``top``.
    """
    # A memory that starts as zeros reads faster without saying so word by word.
    texts = {match[1]: _ZEROS.sub("", match[0]) for match in _MODULE.finditer(verilog)}
    if top not in texts:
        raise EseError(f"verilog: must have the module {top}, got {', '.join(texts) or 'none'}")
    parts = {name: Counter(part for part in _INSTANCE.findall(text) if part in texts)
             for name, text in texts.items()}
    units: dict[str, Unit] = {}

    def visit(name: str) -> None:
        if name in units:
            return
        unit = Unit(name, "")

        def add(module: str, times: int) -> None:
            unit.verilog += texts[module]
            for part, count in parts[module].items():
                if part.startswith(f"{module}_"):
                    add(part, times * count)
                else:
                    unit.children[part] += times * count

        add(name, 1)
        for child in unit.children:
            visit(child)
        units[name] = unit

    visit(top)
    return units


def uses(units: Mapping[str, Unit], top: str) -> Counter[str]:
    """How often each unit occurs in one ``top``."""
    total: Counter[str] = Counter({top: 1})
    for name in reversed(list(units)):
        for child, count in units[name].children.items():
            total[child] += total[name] * count
    return total


def joined(units: Mapping[str, Unit], top: str) -> Unit:
    """The unit ``top`` with the units that are placed in it once and hold no other: they are mapped
    together, as a vendor's tool maps everything, so that logic is optimised across them."""
    unit = units[top]
    inner = [name for name, count in unit.children.items()
             if count == 1 and not units[name].children]
    return Unit(top, unit.verilog + "".join(units[name].verilog for name in inner),
                Counter({name: count for name, count in unit.children.items()
                         if name not in inner}))
