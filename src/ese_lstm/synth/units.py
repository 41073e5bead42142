"""Units of an exported design as texts that are synthesised one by one, each once, however often it
is used."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from ..hw.verilog.design import Unit

_ZEROS = re.compile(r"^    \\?\S+ ?\[\d+\] = \d+'h0+;\n", re.MULTILINE)


def source(unit: Unit, units: Mapping[str, Unit]) -> str:
    """The unit's Verilog, with the ``units`` placed in it as black boxes."""
    # A memory that starts as zeros reads faster without saying so word by word.
    return _ZEROS.sub("", unit.verilog) + "".join(stub(units[child]) for child in unit.children)


def stub(unit: Unit) -> str:
    """The unit as a black box: its ports without contents."""
    ports = "".join(f"  {port.direction} [{port.width - 1}:0] {port.identifier};\n"
                    for port in unit.ports)
    names = ", ".join(port.identifier for port in unit.ports)
    return f"(* blackbox *)\nmodule {unit.name}({names});\n{ports}endmodule\n"


def joined(units: Mapping[str, Unit], top: str) -> Unit:
    """The unit ``top`` with the units that are placed in it once and hold no other: they are mapped
    together, as a vendor's tool maps everything, so that logic is optimised across them."""
    unit = units[top]
    inner = [name for name, count in unit.children.items()
             if count == 1 and not units[name].children]
    return replace(unit, verilog=unit.verilog + "".join(units[name].verilog for name in inner),
                   children=Counter({name: count for name, count in unit.children.items()
                                     if name not in inner}))
