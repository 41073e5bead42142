"""Cutting a Verilog text into units."""

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.hw.verilog.export import TOP, engine_verilog
from ese_lstm.hw.verilog.inventory import instances
from ese_lstm.synth import units

TEXT = """
module top(a, clk);
  input [3:0] a;
  wire [3:0] a;
  input clk;
  pair first (
    .a(a)
  );
  pair second (
    .a(a)
  );
  single \\only.one  (
    .a(a)
  );
  top_part inside (
  );
endmodule

module top_part ();
  single deep (
  );
endmodule

module pair(a);
  input [3:0] a;
  pair_half left (
  );
  pair_half right (
  );
  initial begin
    memory[0] = 18'h00000;
    memory[1] = 18'h00001;
  end
endmodule

module pair_half ();
  leaf one (
  );
endmodule

module leaf ();
endmodule

module single(a);
  input [3:0] a;
endmodule
"""


def test_modules_made_inside_a_unit_belong_to_it() -> None:
    parts = units.split(TEXT, "top")
    assert list(parts) == ["leaf", "pair", "single", "top"]
    assert parts["top"].children == {"pair": 2, "single": 2}
    assert parts["pair"].children == {"leaf": 2}
    assert "module top_part" in parts["top"].verilog
    assert parts["pair"].verilog.count("module pair_half") == 1
    assert units.uses(parts, "top") == {"top": 1, "pair": 2, "single": 2, "leaf": 4}


def test_zeros_are_left_out_and_values_are_not() -> None:
    verilog = units.split(TEXT, "top")["pair"].verilog
    assert "memory[0]" not in verilog and "memory[1] = 18'h00001" in verilog


def test_a_stub_has_ports_and_nothing_else() -> None:
    assert units.split(TEXT, "top")["pair"].stub() == (
        "(* blackbox *)\nmodule pair(a);\n  input [3:0] a;\nendmodule\n")


def test_units_used_once_are_joined_with_their_parent() -> None:
    once = TEXT.replace("  single deep (\n  );\n", "")
    whole = units.joined(units.split(once, "top"), "top")
    assert whole.children == {"pair": 2}
    assert "module single" in whole.verilog and "module pair(" not in whole.verilog
    assert units.joined(units.split(TEXT, "top"), "top").children == {"pair": 2, "single": 2}


def test_a_missing_top_is_named() -> None:
    with pytest.raises(EseError, match="must have the module engine, got top, top_part, pair"):
        units.split(TEXT, "engine")


def test_the_engine_is_cut_as_its_inventory_says() -> None:
    config = PRESETS["tiny"]
    verilog = engine_verilog(config)
    parts = units.split(verilog, TOP)
    used, counted = units.uses(parts, TOP), instances(verilog, TOP)
    assert {name: counted[name] for name in parts} == used
    assert used["ese_lane"] == config.lanes and used["ese_channel"] == config.channels
    inside = [name for name in counted if name not in parts]
    assert inside and all(name.startswith(tuple(f"{unit}_" for unit in parts)) for name in inside)
    text = "".join(unit.verilog for unit in parts.values())
    assert all(text.count(f"module {name}") >= 1 for name in counted)
    whole = units.joined(parts, TOP)
    assert set(whole.children) == {"ese_lane", "ese_elementwise"}
