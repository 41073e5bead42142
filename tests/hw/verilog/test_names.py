"""Names of signals come from the source, not from what Python compiles it to."""

import pytest
from amaranth import tracer
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.verilog.emit import emit
from ese_lstm.hw.verilog.export import design
from ese_lstm.hw.verilog.names import names_of_source


class Holder:
    pass


def test_a_signal_is_called_what_it_is_assigned_to() -> None:
    holder, other = Holder(), Holder()
    with names_of_source():
        plain = Signal(
            4, init=3)
        one, two = Signal(), Signal(2)
        holder.first = other.second = Signal()
        annotated: Signal = Signal()
        like = Signal.like(plain)
        listed = [Signal() for _ in range(2)]
        named = Signal(name="given")
        used = plain + Signal()
    assert [plain.name, one.name, two.name, annotated.name, like.name, named.name] == [
        "plain", "one", "two", "annotated", "like", "given"]
    assert holder.first is other.second and holder.first.name == "first"
    assert {each.name for each in listed} == {"$signal"} == {used.operands[1].name}


def test_amaranths_own_reading_comes_back() -> None:
    before = tracer.get_var_name
    with names_of_source():
        assert tracer.get_var_name is not before
    assert tracer.get_var_name is before


class Chain(wiring.Component):
    """Signals whose names Amaranth reads from bytecode that differs between Pythons."""

    config = "chain"

    def __init__(self) -> None:
        super().__init__({"out": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stage, second = Signal(8), Signal(8)
        third = Signal(8)
        m.d.sync += [stage.eq(stage + 1), second.eq(stage), third.eq(second), self.out.eq(third)]
        return m


def test_names_stand_in_the_verilog(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of an export is named by bytecode, in the libraries neither."""
    def refuse(*_arguments: object, **_options: object) -> str:
        raise AssertionError("a name was taken from bytecode")

    monkeypatch.setattr(tracer, "get_var_name", refuse)
    text = emit(Chain(), "t_chain")
    assert all(f"  reg [7:0] {name} = 8'h00;" in text for name in ("stage", "second", "third"))
    design.cache_clear()
    assert "module ese_engine(" in design(PRESETS["tiny"].replace(lanes=1)).verilog
