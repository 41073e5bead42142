"""Placing repeated units: a submodule each in simulation, one module of all of them on export."""

from abc import ABC, abstractmethod
from typing import Any

from amaranth.hdl import Elaboratable, Instance, Module, ResetInserter, Value
from amaranth.lib import wiring


class Placer(ABC):
    """A ``platform`` that puts something else in the place of a unit: an export."""

    @abstractmethod
    def instance(self, unit: wiring.Component, module: str, clear: Value | None) -> Instance:
        """What takes the place of ``unit``, wired to its interface; see :func:`place`."""


def place(m: Module, platform: object, name: str, unit: wiring.Component, *, module: str,
          clear: Any = None) -> None:
    """Add ``unit`` to ``m`` under ``name``: a submodule, or on export an instance of ``module``.

    module: Verilog module name; units that share it must be built from equal parameters. clear:
    one bit that resets the unit while high, besides the reset of the clock domain. The parent
    wires ``unit``'s interface, in both cases the same.
    """
    placed: Elaboratable | Instance
    if isinstance(platform, Placer):
        placed = platform.instance(unit, module, None if clear is None else Value.cast(clear))
    else:
        placed = unit if clear is None else ResetInserter(clear)(unit)
    m.submodules[name] = placed
