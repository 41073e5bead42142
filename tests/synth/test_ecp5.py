"""The wrapper around a unit, a real place and route of a small one, and the report's reading."""

import json
from pathlib import Path

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.hw.spmv.collector import Collector
from ese_lstm.hw.verilog import emit
from ese_lstm.hw.verilog.design import Design, Port, Unit
from ese_lstm.synth import ecp5, units, yosys

CONFIG = PRESETS["tiny"].replace(acc_bits=28, lanes=1, channels=1)


@pytest.fixture(scope="module")
def collector() -> Design:
    return emit.design(Collector(config=CONFIG, channels=1), "ese_collector_1", CONFIG)


def test_every_port_is_registered(collector: Design) -> None:
    text = ecp5.wrapped(collector)
    wrapper = text[text.index("module wrapper"):]
    inputs, outputs = 1 + 2 * CONFIG.acc_bits, CONFIG.acc_bits
    assert f"reg [{inputs - 1}:0] in;" in wrapper and f"wire [{outputs - 1}:0] out;" in wrapper
    assert f".\\row (out[{outputs - 1}:0])" in wrapper
    assert ".clk(clk)" in wrapper and "kept <= out;" in wrapper
    for name in ("rst", "lane_0_bank_0", "lane_0_bank_1"):
            assert f".\\{name} (in[" in wrapper


def test_a_small_unit_is_placed_and_routed(collector: Design, tmp_path: Path) -> None:
    placed = ecp5.place("collector", collector, tmp_path)
    assert placed.mhz > 125
    # Chain and unit: no register of either is optimised away.
    inputs = 1 + 2 * CONFIG.acc_bits
    assert placed.cells["TRELLIS_FF"] >= inputs - 1 + 2 * CONFIG.acc_bits + 2 * CONFIG.acc_bits
    assert placed.path and placed.path[0].startswith("0.") and "clk-to-q" in placed.path[0]


def test_the_slowest_path_between_clock_edges_is_read(tmp_path: Path) -> None:
    step = {"delay": 1.234, "type": "logic", "from": {"cell": "a"}, "to": {"cell": "b"}}
    report = tmp_path / "report.json"
    report.write_text(json.dumps({
        "fmax": {"clk": {"achieved": 150.5, "constraint": 125}},
        "utilization": {"TRELLIS_FF": {"used": 3, "available": 9}, "DCCA": {"used": 0}},
        "critical_paths": [
            {"from": "<async>", "to": "posedge clk", "path": []},
            {"from": "posedge clk", "to": "posedge clk", "path": [step, step | {"net": "n"}]}]}))
    assert ecp5.read_report("unit", report) == ecp5.Placed(
        "unit", 150.5, {"TRELLIS_FF": 3}, ("1.23 ns logic b", "1.23 ns logic n"))


def test_a_port_may_have_the_name_of_a_keyword(tmp_path: Path) -> None:
    inner = Unit("inner", "", (Port("output", "output", 1),), ("inner",), ())
    task = yosys.Task("outer", "module outer(output a);\n  inner inner(.\\output (a));\nendmodule\n"
                      + units.stub(inner), "opt", tmp_path)
    assert set(yosys.run_all([task], jobs=1)) == {"outer"}


def test_the_unit_that_fails_is_named_not_one_beside_it(tmp_path: Path) -> None:
    tasks = [yosys.Task(name, f"module {name}(input a); {body} endmodule", yosys.ECP5, tmp_path)
             for name, body in (("sound", ""), ("broken", "assign b c;"))]
    with pytest.raises(EseError, match="^synthesis: broken must be mapped"):
        yosys.run_all(tasks, jobs=2)
    assert tasks[0].done


def test_verilog_that_yosys_refuses_is_named(tmp_path: Path) -> None:
    task = yosys.Task("broken", "module broken(input a); assign b c; endmodule", yosys.ECP5,
                      tmp_path)
    with pytest.raises(EseError, match=r"broken must be mapped by Yosys, but it failed: .*\.log"):
        yosys.run_all([task], jobs=1)
    assert "syntax error" in (tmp_path / "broken.log").read_text()
    assert not task.done and not task.json.exists()
