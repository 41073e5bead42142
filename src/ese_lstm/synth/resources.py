"""Mapped cells to the resources that a data sheet counts."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..contract.errors import EseError


@dataclass(frozen=True)
class Resources:
    """lut: every LUT used, as logic, RAM or shift register (what Vivado calls CLB LUTs).
    logic: of these, LUT1 to LUT6, inverters and those that pass a bit on to a carry chain.
    lutram, shift: of these, as RAM and as shift register; both need the LUTs of a SLICEM.
    ff: flip-flops. ff_in_dsp: of these, those that a DSP48E2's operand and product registers can
    hold; Yosys leaves them outside.
    bram36: RAMB18 count ½. dsp: DSP48E2.
    """

    lut: int = 0
    logic: int = 0
    lutram: int = 0
    shift: int = 0
    ff: int = 0
    ff_in_dsp: int = 0
    bram36: float = 0
    dsp: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(*(getattr(self, field.name) + getattr(other, field.name)
                           for field in fields(self)))

    def __mul__(self, count: int) -> "Resources":
        return Resources(*(getattr(self, field.name) * count for field in fields(self)))

    def as_dict(self) -> dict[str, float]:
        """Field by field."""
        return asdict(self)


TARGETS = {"lut": 0.45, "bram36": 0.40, "dsp": 0.42}
"""At most this much of the XCKU060 at 1,024 multipliers."""

XILINX_LUTRAM = {
    "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "RAM64X8SW": 8, "RAM32X16DR8": 8,
    "RAM32X1S": 1, "RAM64X1S": 1, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1S": 2,
    "RAM128X1D": 4, "RAM256X1S": 4, "RAM256X1D": 8, "RAM512X1S": 8}
"""LUTs that each memory primitive takes."""

_KINDS: dict[str, Resources] = {
    **{f"LUT{inputs}": Resources(lut=1, logic=1) for inputs in range(1, 7)},
    "INV": Resources(lut=1, logic=1),
    **{name: Resources(lut=luts, lutram=luts) for name, luts in XILINX_LUTRAM.items()},
    "SRL16E": Resources(lut=1, shift=1), "SRLC32E": Resources(lut=1, shift=1),
    **{name: Resources(ff=1) for name in ("FDRE", "FDSE", "FDCE", "FDPE")},
    "RAMB18E2": Resources(bram36=0.5), "RAMB36E2": Resources(bram36=1),
    "DSP48E2": Resources(dsp=1),
    # Part of the slice beside its LUTs.
    "CARRY4": Resources(), "CARRY8": Resources(),
    "MUXF7": Resources(), "MUXF8": Resources(), "MUXF9": Resources(),
}


def resources(module: Mapping[str, Any], children: Iterable[str]) -> Resources:
    """What one mapped module uses, without its ``children`` (modules placed in it).

    Raises EseError for a cell that is neither a child nor known.
    """
    total, known = Resources(), set(children)
    for cell in module["cells"].values():
        kind = cell["type"]
        if kind in _KINDS:
            total += _KINDS[kind]
        elif kind not in known and not kind.startswith("$"):
            raise EseError(f"synthesis: cells must be of a known type, got {kind}")
    passed = _passed(module)
    return total + Resources(lut=passed, logic=passed, ff_in_dsp=len(dsp_registers(module)))


def _passed(module: Mapping[str, Any]) -> int:
    """LUTs that only pass a bit on: a carry chain's S inputs come from LUTs alone."""
    wiring = Wiring(module)
    bits = {(name, position): bit for name, cell in module["cells"].items()
            if cell["type"].startswith("CARRY")
            for position, bit in enumerate(cell["connections"]["S"]) if isinstance(bit, int)}
    luts = {name for name, cell in module["cells"].items() if cell["type"].startswith("LUT")}
    return sum(wiring.driver(bit)[0] not in luts for bit in bits.values())


def dsp_registers(module: Mapping[str, Any]) -> set[str]:
    """Flip-flops that a DSP48E2 could hold: all readers of its output are one operand of DSPs, or
    its input is a DSP's product that nothing else reads."""
    wiring = Wiring(module)
    kinds = {name: cell["type"] for name, cell in module["cells"].items()}
    held = set()
    for name, cell in module["cells"].items():
        if not kinds[name].startswith("FD"):
            continue
        (data,), (output,) = cell["connections"]["D"], cell["connections"]["Q"]
        operand = {(kinds.get(reader), port) for reader, port in wiring.readers(output)} in (
            {("DSP48E2", "A")}, {("DSP48E2", "B")})
        product = (kinds.get(wiring.driver(data)[0]) == "DSP48E2"
                   and len(wiring.readers(data)) == 1)
        if operand or product:
            held.add(name)
    return held


class Wiring:
    """Who drives and who reads each net bit of a mapped module: pairs of cell and port; the
    module's own ports count as a cell named ``""``."""

    def __init__(self, module: Mapping[str, Any]) -> None:
        self._readers: dict[Any, list[tuple[str, str]]] = {}
        self._drivers: dict[Any, tuple[str, str]] = {}
        for name, port in module["ports"].items():
            for bit in port["bits"]:
                self._add(bit, ("", name), port["direction"] == "input")
        for name, cell in module["cells"].items():
            directions = cell["port_directions"]
            for port, bits in cell["connections"].items():
                for bit in bits:
                    self._add(bit, (name, port), directions[port] == "output")

    def _add(self, bit: Any, end: tuple[str, str], drives: bool) -> None:
        if drives:
            self._drivers[bit] = end
        elif isinstance(bit, int):
            self._readers.setdefault(bit, []).append(end)

    def driver(self, bit: Any) -> tuple[str, str]:
        """What drives the bit; nothing drives a constant."""
        return self._drivers.get(bit, ("", "constant"))

    def readers(self, bit: Any) -> list[tuple[str, str]]:
        """What reads the bit."""
        return self._readers.get(bit, [])
