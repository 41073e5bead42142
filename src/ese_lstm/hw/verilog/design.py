"""What an exported design is made of: units, what is placed in them, ports and memories."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Port:
    """A port of a unit. direction: ``input`` or ``output``. width: bits."""

    name: str
    direction: str
    width: int

    @property
    def identifier(self) -> str:
        """The name as Verilog takes it whatever it is, a keyword too."""
        return f"\\{self.name} "


@dataclass(frozen=True)
class Memory:
    """A memory of a Verilog module: words × bits. style: primitive asked for."""

    module: str
    name: str
    words: int
    bits: int
    style: str


@dataclass(frozen=True)
class Unit:
    """A unit that is written once.

    modules: its Verilog modules, its own first, then those that were made inside it, each used
    once. children: units placed in it, and how often. verilog: its own modules as text.
    """

    name: str
    verilog: str
    ports: tuple[Port, ...]
    modules: tuple[str, ...]
    memories: tuple[Memory, ...]
    children: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Design:
    """A top unit and all below it. name: of the top. header: comment before the modules. units: by
    name, the top first, then as they are first met."""

    name: str
    header: str
    units: dict[str, Unit]

    @property
    def verilog(self) -> str:
        """The whole text."""
        return self.header + "\n".join(unit.verilog for unit in self.units.values())

    @property
    def top(self) -> Unit:
        """The unit that holds all others."""
        return self.units[self.name]

    def bottom_up(self) -> dict[str, Unit]:
        """Units, children before parents, the top last."""
        order: dict[str, Unit] = {}

        def visit(unit: Unit) -> None:
            if unit.name not in order:
                for child in unit.children:
                    visit(self.units[child])
                order[unit.name] = unit

        visit(self.top)
        return order

    def copies(self) -> Counter[str]:
        """How often each unit occurs."""
        total = Counter({self.name: 1})
        for name, unit in reversed(self.bottom_up().items()):
            for child, count in unit.children.items():
                total[child] += total[name] * count
        return total

    def instances(self) -> dict[str, int]:
        """How often each Verilog module occurs."""
        copies = self.copies()
        return {module: copies[name] for name, unit in self.units.items()
                for module in unit.modules}

    def memories(self) -> list[tuple[Memory, int]]:
        """Every memory and how often it occurs."""
        copies = self.copies()
        return [(memory, copies[name]) for name, unit in self.units.items()
                for memory in unit.memories]
