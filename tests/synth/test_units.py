"""Units of a design as texts of their own."""

from collections import Counter

from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.verilog.design import Design, Port, Unit
from ese_lstm.hw.verilog.export import TOP, design
from ese_lstm.synth import units

PAIR = """\
module pair(a);
  input [3:0] a;
  initial begin
    memory[0] = 18'h00000;
    memory[1] = 18'h00001;
  end
endmodule
"""


def unit(name: str, verilog: str = "", **children: int) -> Unit:
    return Unit(name, verilog or f"module {name}(a);\nendmodule\n", (Port("a", "input", 4),),
                (name,), (), Counter(children))


UNITS = Design("top", "", {each.name: each for each in (
    unit("top", pair=2, single=1), unit("pair", PAIR, leaf=2), unit("single"), unit("leaf"))}).units


def test_zeros_are_left_out_and_values_are_not() -> None:
    verilog = units.source(UNITS["pair"], UNITS)
    assert "memory[0]" not in verilog and "memory[1] = 18'h00001" in verilog


def test_what_is_placed_in_a_unit_is_a_black_box() -> None:
    stub = "(* blackbox *)\nmodule leaf(\\a );\n  input [3:0] \\a ;\nendmodule\n"
    assert units.stub(UNITS["leaf"]) == stub
    assert units.source(UNITS["pair"], UNITS).count(stub) == 1
    assert "blackbox" not in units.source(UNITS["leaf"], UNITS)


def test_units_used_once_are_joined_with_their_parent() -> None:
    whole = units.joined(UNITS, "top")
    assert whole.children == {"pair": 2} and whole.ports == UNITS["top"].ports
    assert "module single" in whole.verilog and "module pair" not in whole.verilog
    nested = UNITS | {"single": unit("single", leaf=1)}
    assert units.joined(nested, "top").children == {"pair": 2, "single": 1}


def test_the_engine_is_joined_but_for_what_repeats() -> None:
    parts = design(PRESETS["tiny"]).bottom_up()
    assert list(parts)[-1] == TOP
    whole = units.joined(parts, TOP)
    assert set(whole.children) == {"ese_lane", "ese_elementwise"}
    assert len(whole.verilog) > len(parts[TOP].verilog)
