"""Longest paths between registers, unit by unit, through the boundaries between units.

A unit's :class:`Timing` says what its surroundings need to know of it: when its outputs settle,
how long its inputs need, and its combinational ways from input to output. So the engine is
analysed with each unit seen once, and a path from a lane through the broadcaster to a register of
another lane is found.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from . import cells, delays
from .resources import Wiring, dsp_registers

CLOCK = "clk"
INSIDE = ""
"""Source of a path that starts at a register of this unit; others start at the port named."""


class Path(NamedTuple):
    """delay: ns, from the clock if it starts at a register and to the clock if it ends at one.
    levels: LUTs, carry chains, memory reads and multiplications on it. deepest: most levels of
    any path between these ends, be it faster."""

    delay: float
    levels: int
    deepest: int
    start: str
    end: str


_NONE = Path(0.0, 0, 0, "", "")


@dataclass
class Timing:
    """Longest paths of a unit. inside: register to register. outputs: register to output port.
    inputs: input port to register. through: input port to output port."""

    inside: Path = _NONE
    outputs: dict[str, Path] = field(default_factory=dict)
    inputs: dict[str, Path] = field(default_factory=dict)
    through: dict[tuple[str, str], Path] = field(default_factory=dict)

    @property
    def slack(self) -> float:
        """ns left of the period."""
        return delays.PERIOD - delays.UNCERTAINTY - self.inside.delay


@dataclass(frozen=True)
class _Arc:
    sink: int
    path: Path
    direct: bool


class _Arrival(NamedTuple):
    delay: float
    levels: int
    deepest: int
    start: str


def _longest(a: Path | None, b: Path) -> Path:
    if a is None:
        return b
    return max(a, b)._replace(deepest=max(a.deepest, b.deepest))


def analyse(module: Mapping[str, Any], children: Mapping[str, Timing],
            far: frozenset[str] = frozenset()) -> Timing:
    """Timing of a mapped module. children: of the modules placed in it. far: types of cells that
    are spread over the device; nets from and to them are as long as ``delays.FAR_NET``."""
    graph = _Graph(module, children, far)
    return graph.longest()


class _Graph:
    def __init__(self, module: Mapping[str, Any], children: Mapping[str, Timing],
                 far: frozenset[str]) -> None:
        self.module, self.children, self.far = module, children, far
        self.wiring = Wiring(module)
        self.names = _net_names(module)
        self.arcs: dict[int, list[_Arc]] = {}
        self.arrivals: dict[int, dict[str, _Arrival]] = {}
        self.ends: dict[int, list[Path]] = {}
        self.indegree: dict[int, int] = {}
        held = dsp_registers(module)
        for name, cell in module["cells"].items():
            if cell["type"] in children:
                self._child(name, cell, children[cell["type"]])
            elif not cell["type"].startswith("$"):
                self._cell(name, cell, held)
        for name, port in module["ports"].items():
            if port["direction"] == "input" and name != CLOCK:
                for bit in port["bits"]:
                    self._start(bit, name, _Arrival(0.0, 0, 0, name))

    def _start(self, bit: int, source: str, arrival: _Arrival) -> None:
        known = self.arrivals.setdefault(bit, {})
        other = known.get(source, arrival)
        known[source] = max(other, arrival)._replace(deepest=max(other.deepest, arrival.deepest))

    def _arc(self, source: int, arc: _Arc) -> None:
        self.arcs.setdefault(source, []).append(arc)
        self.indegree[arc.sink] = self.indegree.get(arc.sink, 0) + 1

    def _cell(self, name: str, cell: dict[str, Any], held: set[str]) -> None:
        operands_kept = product_kept = False
        if cell["type"] == "DSP48E2":
            operands = [bit for pin in "AB" for bit in cell["connections"][pin]]
            operands_kept = all(self.wiring.driver(bit)[0] in held for bit in operands
                                if isinstance(bit, int))
            readers = [reader for bit in cell["connections"]["P"]
                       for reader, _pin in self.wiring.readers(bit)]
            product_kept = all(reader in held for reader in readers)
        timing = cells.describe(cell, in_dsp=name in held, operands_kept=operands_kept,
                                product_kept=product_kept)
        for bit, delay in timing.starts:
            self._start(bit, INSIDE, _Arrival(delay, 0, 0, self.names.get(bit, cell["type"])))
        for bit, delay, pin in timing.ends:
            self.ends.setdefault(bit, []).append(Path(delay, 0, 0, "", self._end(cell, pin)))
        for arc in timing.arcs:
            self._arc(arc.source, _Arc(arc.sink, Path(arc.delay, arc.levels, arc.levels, "", ""),
                                       arc.direct and self._in_slice(arc.source)))

    def _in_slice(self, bit: int) -> bool:
        """A LUT or carry chain drives the bit; anything else reaches a carry chain or slice
        multiplexer by a net (and, for a carry chain, a LUT that passes it on)."""
        driver, _port = self.wiring.driver(bit)
        return driver in self.module["cells"] and \
            self.module["cells"][driver]["type"].startswith(("LUT", "CARRY", "MUXF", "INV"))

    def _end(self, cell: dict[str, Any], pin: str) -> str:
        outputs = [bit for port, bits in cell["connections"].items()
                   if cell["port_directions"][port] == "output" for bit in bits]
        return f"{next((self.names[b] for b in outputs if b in self.names), cell['type'])}.{pin}"

    def _child(self, name: str, cell: dict[str, Any], timing: Timing) -> None:
        wires = {port: [bit for bit in bits if isinstance(bit, int)]
                 for port, bits in cell["connections"].items()}
        label = name.lstrip("\\")
        for port, path in timing.outputs.items():
            for bit in wires.get(port, ()):
                self._start(bit, INSIDE, _Arrival(path.delay, path.levels, path.deepest,
                                                  f"{label}.{path.start}"))
        for port, path in timing.inputs.items():
            for bit in wires.get(port, ()):
                self.ends.setdefault(bit, []).append(path._replace(end=f"{label}.{path.end}"))
        for (source, sink), path in timing.through.items():
            for bit in wires.get(source, ()):
                for out in wires.get(sink, ()):
                    self._arc(bit, _Arc(out, path, False))

    def _net(self, bit: int) -> float:
        readers = self.wiring.readers(bit)
        ends = [self.wiring.driver(bit), *readers]
        far = any(self.module["cells"][name]["type"] in self.far for name, _port in ends if name)
        return delays.net(len(readers), far=far)

    def longest(self) -> Timing:
        """Arrivals in topological order, each net once."""
        result = Timing()
        outputs: dict[int, list[str]] = {}
        for name, port in self.module["ports"].items():
            if port["direction"] == "output":
                for bit in port["bits"]:
                    outputs.setdefault(bit, []).append(name)
        nets = set(self.arrivals) | set(self.arcs) | set(self.indegree)
        ready = deque(bit for bit in nets if not self.indegree.get(bit))
        seen = 0
        while ready:
            bit = ready.popleft()
            seen += 1
            arrivals = self.arrivals.get(bit, {})
            net = self._net(bit) if arrivals else 0.0
            for source, arrival in arrivals.items():
                for end in self.ends.get(bit, ()):
                    self._record(result, source, None, Path(
                        arrival.delay + net + end.delay, arrival.levels + end.levels,
                        arrival.deepest + end.deepest, arrival.start, end.end))
                # The net behind an output belongs to whoever places the unit.
                for name in outputs.get(bit, ()):
                    self._record(result, source, name, Path(
                        arrival.delay, arrival.levels, arrival.deepest, arrival.start, name))
            for arc in self.arcs.get(bit, ()):
                for source, arrival in arrivals.items():
                    self._start(arc.sink, source, _Arrival(
                        arrival.delay + (0.0 if arc.direct else net) + arc.path.delay,
                        arrival.levels + arc.path.levels, arrival.deepest + arc.path.deepest,
                        arrival.start))
                self.indegree[arc.sink] -= 1
                if not self.indegree[arc.sink]:
                    ready.append(arc.sink)
        if seen != len(nets):
            raise ValueError(f"{len(nets) - seen} nets are in combinational loops")
        return result

    def _record(self, result: Timing, source: str, sink: str | None, path: Path) -> None:
        if source == INSIDE and sink is None:
            result.inside = _longest(result.inside, path)
        elif source == INSIDE and sink is not None:
            result.outputs[sink] = _longest(result.outputs.get(sink), path)
        elif sink is None:
            result.inputs[source] = _longest(result.inputs.get(source), path)
        else:
            result.through[source, sink] = _longest(result.through.get((source, sink)), path)


def _net_names(module: Mapping[str, Any]) -> dict[int, str]:
    names: dict[int, str] = {}
    for name, net in module["netnames"].items():
        if net["hide_name"] or name.startswith(("$", "\\$")):
            continue
        for position, bit in enumerate(net["bits"]):
            label = f"{name}[{position}]" if len(net["bits"]) > 1 else name
            if isinstance(bit, int) and len(label) < len(names.get(bit, "x" * 99)):
                names[bit] = label
    return names
