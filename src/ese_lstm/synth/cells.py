"""What a path meets in a mapped cell: starts at its outputs, ends at its inputs, ways through."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import delays
from .resources import XILINX_LUTRAM


@dataclass(frozen=True)
class Arc:
    """Input bit to output bit. levels: 1 if it counts as a level of logic."""

    source: int
    sink: int
    delay: float
    levels: int
    direct: bool
    """The wire before it is part of the slice: no net delay."""


@dataclass(frozen=True)
class Cell:
    """starts: (bit, delay after the clock). ends: (bit, delay before the clock, pin)."""

    starts: tuple[tuple[int, float], ...]
    ends: tuple[tuple[int, float, str], ...]
    arcs: tuple[Arc, ...]


_CONTROL = ("CE", "R", "S", "CLR", "PRE")
_CLOCKS = ("C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK")


def describe(cell: dict[str, Any], *, in_dsp: bool = False, operands_kept: bool = False,
             product_kept: bool = False) -> Cell:
    """Timing of one cell. in_dsp: this flip-flop is a DSP's; operands_kept, product_kept: this
    DSP's registers hold them."""
    kind: str = cell["type"]
    inputs = list(_bits(cell, "input"))
    outputs = list(_bits(cell, "output"))
    if kind.startswith("FD"):
        setup = delays.DSP_SETUP if in_dsp else delays.FF_SETUP
        return Cell(tuple((bit, delays.DSP_OUT if in_dsp else delays.FF_OUT)
                          for _pin, bit in outputs),
                    tuple((bit, delays.FF_CONTROL if pin in _CONTROL else setup, pin)
                          for pin, bit in inputs), ())
    if kind.startswith("SRL"):
        arcs = tuple(Arc(bit, out, delays.LUT, 1, False) for pin, bit in inputs
                     if pin.startswith("A") for _pin, out in outputs)
        return Cell(tuple((bit, delays.SHIFT_OUT) for _pin, bit in outputs),
                    tuple((bit, delays.RAM_SETUP, pin) for pin, bit in inputs
                          if not pin.startswith("A")), arcs)
    if kind in XILINX_LUTRAM:
        return _lutram(cell, inputs, outputs)
    if kind.startswith("RAMB"):
        return Cell(tuple((bit, delays.BLOCK_OUT) for _pin, bit in outputs),
                    tuple((bit, delays.BLOCK_SETUP, pin) for pin, bit in inputs), ())
    if kind == "DSP48E2":
        return _dsp(inputs, outputs, operands_kept, product_kept)
    if kind.startswith("CARRY"):
        return Cell((), (), tuple(_carry(inputs, outputs)))
    mux = kind.startswith("MUXF")
    return Cell((), (), tuple(
        Arc(bit, out, delays.MUX if mux else delays.LUT, 0 if mux else 1, mux and pin != "S")
        for pin, bit in inputs for _pin, out in outputs))


def _bits(cell: dict[str, Any], direction: str) -> Iterator[tuple[str, int]]:
    for pin, bits in cell["connections"].items():
        if cell["port_directions"][pin] == direction and pin not in _CLOCKS:
            for bit in bits:
                if isinstance(bit, int):
                    yield pin, bit


def _lutram(cell: dict[str, Any], inputs: list[tuple[str, int]],
            outputs: list[tuple[str, int]]) -> Cell:
    """Ports A to G read behind their own address; the last address is also the write port's."""
    def port(pin: str) -> str:
        return pin.removeprefix("ADDR").removeprefix("DO")

    read = {port(pin) for pin, _bit in outputs}
    arcs = [Arc(bit, out, delays.RAM_READ, 1, False)
            for pin, bit in inputs if pin.startswith("ADDR") and port(pin) in read
            for out_pin, out in outputs if port(out_pin) == port(pin)]
    if not arcs:  # single-bit memories name their address pins A0, DPRA0, …
        arcs = [Arc(bit, out, delays.RAM_READ, 1, False) for pin, bit in inputs
                if pin.startswith(("A", "DPRA")) for _pin, out in outputs]
    write = max(port(pin) for pin, _bit in inputs if pin.startswith("ADDR")) \
        if any(pin.startswith("ADDR") for pin, _bit in inputs) else ""
    return Cell(tuple((bit, delays.RAM_OUT) for _pin, bit in outputs),
                tuple((bit, delays.RAM_SETUP, pin) for pin, bit in inputs
                      if not pin.startswith("ADDR") or port(pin) == write), tuple(arcs))


def _dsp(inputs: list[tuple[str, int]], outputs: list[tuple[str, int]], operands_kept: bool,
         product_kept: bool) -> Cell:
    if not operands_kept and not product_kept:
        return Cell((), (), tuple(Arc(bit, out, delays.DSP_THROUGH, 1, False)
                                  for _pin, bit in inputs for _out, out in outputs))
    out = delays.DSP_OUT if product_kept else delays.DSP_THROUGH
    before = delays.DSP_SETUP if operands_kept else delays.DSP_THROUGH
    return Cell(tuple((bit, out) for _pin, bit in outputs),
                tuple((bit, before, pin) for pin, bit in inputs), ())


def _carry(inputs: list[tuple[str, int]], outputs: list[tuple[str, int]]) -> Iterator[Arc]:
    for pin, bit in inputs:
        for out_pin, out in outputs:
            if pin == "CI":
                yield Arc(bit, out, delays.CARRY_STEP if out_pin == "CO" else delays.CARRY_IN,
                          0, True)
            else:
                yield Arc(bit, out, delays.CARRY_IN, 1, pin == "S")
