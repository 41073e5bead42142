"""The bench itself: it passes what is right and fails what is wrong."""

import itertools
import random
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ese_lstm.contract.errors import EseError
from ese_lstm.hw.verilog.emit import emit
from ese_lstm.sim.rtl import verilator
from ese_lstm.sim.rtl.bench import PATTERNS
from ese_lstm.sim.rtl.verilator import SimulationError, Simulator, build, run


class Register(wiring.Component):
    """A stream register; without ``hold`` it drops what was not taken at once."""

    emit_key = "register"

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8)),
                          "hold": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.i.ready.eq(self.o.ready | ~self.o.valid)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        with m.Elif(~self.hold):
            m.d.sync += self.o.valid.eq(0)
        return m


@pytest.fixture(scope="module")
def register() -> Simulator:
    return build(emit(Register(), "t_register"), "t_register")


def simulate(register: Simulator, how: str) -> dict:
    return run(register, "bench_broken", {"how": how}, search=Path(__file__).parent)


def test_every_word_arrives_once_and_in_order(register: Simulator) -> None:
    result = simulate(register, "right")
    assert result["words"].tolist() == list(range(1, 30))
    assert result["taken"] == 29


@pytest.mark.parametrize("how, message", [
    ("assert", "words came out"),
    ("unstable", "valid fell before the word was taken"),
    ("silent", "the bench gave no result"),
])
def test_what_is_wrong_fails(register: Simulator, how: str, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        simulate(register, how)


def test_a_module_without_benches_fails(register: Simulator) -> None:
    with pytest.raises(SimulationError, match="words"):
        run(register, "ese_lstm.sim.rtl.words", {})


def test_verilog_that_does_not_compile() -> None:
    with pytest.raises(SimulationError, match=r"(?s)build of t_bad.*syntax error"):
        build("module t_bad(; endmodule\n", "t_bad")


def test_a_simulator_is_built_once(register: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilator, "_build", None)
    assert build(emit(Register(), "t_register"), "t_register") == register


def test_an_upgrade_in_place_builds_anew(register: Simulator, monkeypatch: pytest.MonkeyPatch
                                         ) -> None:
    """The simulator, and the library that it is linked with."""
    libraries = []

    def stop(_verilog: str, _top: str, _folder: Path, library: Path, *_rest: object) -> None:
        libraries.append(library)
        raise SimulationError("stopped")

    monkeypatch.setattr(verilator, "_build", stop)
    for upgraded in ("cocotb", "verilator"):
        monkeypatch.setattr(verilator, "version",
                            lambda package, other=upgraded: f"{package == other}")
        with pytest.raises(SimulationError, match="stopped"):
            build(emit(Register(), "t_register"), "t_register")
    assert len(set(libraries)) == 2


def test_a_cache_whose_path_has_a_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "my cache"))
    built = build(emit(Register(), "t_register"), "t_register")
    assert built.directory.is_relative_to(tmp_path / "my cache")
    assert simulate(built, "right")["taken"] == 29
    # What no design changes is compiled once: the next one is linked with what lies there.
    objects = list((tmp_path / "my cache").rglob("runtime.*/verilated*.o"))
    assert len(objects) > 2
    objects[0].write_bytes(b"no object")
    with pytest.raises(SimulationError, match=objects[0].name):
        build("module t_next(input a, output b); assign b = a; endmodule\n", "t_next")


def test_packages_whose_path_has_a_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """make reads its makefile's paths as words."""
    root = tmp_path / "my site" / "verilator"
    monkeypatch.setattr(verilator, "_verilator_root", lambda: root)
    with pytest.raises(EseError, match=f"under a path without a space.* got {root}$"):
        build("module t_none; endmodule\n", "t_none")


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EseError, match=r"g\+\+ must be installed"):
        build("module t_none; endmodule\n", "t_none")


@pytest.mark.parametrize("name, low, high", [
    ("none", 0, 0), ("rare", 0.07, 0.13), ("half", 0.45, 0.55), ("often", 0.87, 0.93),
    ("bursts", 0.3, 0.7)])
def test_patterns_pause_as_often_as_they_say(name: str, low: float, high: float) -> None:
    def pauses() -> list[bool]:
        return list(itertools.islice(PATTERNS[name](random.Random(1)), 4000))

    assert pauses() == pauses()
    assert low <= sum(pauses()) / 4000 <= high
