"""The exported Verilog passes Verilator's lint, and the waivers hide no real fault."""

from pathlib import Path

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.hw.verilog.export import SHELL_TOP, TOP, export_verilog
from ese_lstm.synth import lint


def test_the_engine_is_clean_with_the_waivers_alone(tmp_path: Path) -> None:
    assert lint.lint(PRESETS["tiny"], tmp_path) == ""
    verilog = export_verilog(PRESETS["tiny"], tmp_path).verilog
    assert "PROCASSINIT" in lint.check(verilog, TOP, None)


def test_relative_indices_are_clean_too(tmp_path: Path) -> None:
    config = PRESETS["tiny"].replace(index_mode="relative4", lanes=1, channels=1)
    assert lint.lint(config, tmp_path) == ""


def test_the_shell_is_clean_too(tmp_path: Path) -> None:
    config = PRESETS["tiny"].replace(fetch_depth=16)
    verilog = export_verilog(config, tmp_path, shell=SHELL_PRESETS["tiny"]).verilog
    assert lint.check(verilog, SHELL_TOP) == ""


@pytest.mark.parametrize(("rule", "body"), [
    ("WIDTHTRUNC", "assign y = a;"),
    ("WIDTHEXPAND", "assign y = a[1:0];"),
    ("UNDRIVEN", "wire open; assign y = {3'b0, open};"),
    ("MULTIDRIVEN", "reg [3:0] r; always @(posedge clk) r <= a[3:0];"
                    " always @(negedge clk) r <= a[7:4]; assign y = r;"),
    ("PINMISSING", "part p (.a(a)); assign y = a[3:0];"),
    ("PINCONNECTEMPTY", "part p (.a(a), .b()); assign y = a[3:0];"),
    ("BLKSEQ", "reg [3:0] r; always @(posedge clk) r = a[3:0]; assign y = r;"),
    ("LATCH", "reg [3:0] r; always @* if (clk) r = a[3:0]; assign y = r;")])
def test_a_fault_is_not_waived(tmp_path: Path, rule: str, body: str) -> None:
    verilog = tmp_path / "top.v"
    verilog.write_text(f"module top(input clk, input [7:0] a, output [3:0] y);\n{body}\nendmodule\n"
                       "module part(input [7:0] a, output b);\nassign b = ^a;\nendmodule\n")
    assert rule in lint.check(verilog, "top")


def test_every_waiver_has_a_reason() -> None:
    lines = lint.WAIVERS.read_text().splitlines()
    blocks = "\n".join(lines).split("\n\n")[1:]
    assert len(blocks) >= 5
    for block in blocks:
        assert block.startswith("// "), block
        assert "lint_off -rule" in block, block
    assert len(lines) < 50
