"""Vivado scripts: part, pins, clock, and the same text every time; no Vivado needed."""

import re
from pathlib import Path

import pytest
from amaranth.build import Clock, DiffPairs, Pins, Resource
from amaranth.hdl import Cat, Elaboratable, Module, Signal
from amaranth.lib import io

from ese_lstm.boards.adm_pcie_ku3 import PCIE_LANES, ADMPCIEKU3Platform
from ese_lstm.boards.board import Board
from ese_lstm.boards.known import BOARDS
from ese_lstm.boards.vivado import TOP, board_constraints, write_project
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError

PART = "xcku060-ffva1156-2-e"


class ResetCounter(Elaboratable):
    """A smallest board top: counts clock cycles while PCIe is out of reset."""

    def elaborate(self, platform: ADMPCIEKU3Platform) -> Module:
        m = Module()
        m.submodules.perst = perst = io.Buffer("i", platform.request("perst", 0, dir="-"))
        count = Signal(26)
        with m.If(~perst.i):
            m.d.sync += count.eq(count + 1)
        m.d.comb += Signal(name="keep").eq(Cat(count).any())
        return m


def test_project_script(tmp_path: Path) -> None:
    files = write_project(PRESETS["xcku060-32x32"], tmp_path)
    assert [file.name for file in files] == [f"{TOP}.tcl", f"{TOP}.xdc", "adm_pcie_ku3.xdc"]
    script = files[0].read_text()
    assert re.search(rf"^create_project .* -part {PART}$", script, re.MULTILINE)
    assert re.search(rf"^synth_design -top {TOP} -part {PART} -mode out_of_context", script,
                     re.MULTILINE)
    assert re.search(r"^report_utilization ", script, re.MULTILINE)
    assert re.search(r"^report_timing_summary ", script, re.MULTILINE)
    assert "32 lanes x 32 channels = 1024 multipliers, 200 MHz" in script
    named = set(re.findall(r"\$here ([\w.]+)\]", script))
    assert {f"{TOP}.v", f"{TOP}.xdc"} <= named
    assert script.count("{") == script.count("}") and script.count("[") == script.count("]")


@pytest.mark.parametrize(("mhz", "period"), [(200.0, "5.000"), (125.0, "8.000"), (150, "6.667")])
def test_clock_period(tmp_path: Path, mhz: float, period: str) -> None:
    files = write_project(PRESETS["tiny"].replace(clock_mhz=float(mhz)), tmp_path)
    assert f"create_clock -name clk -period {period} [get_ports clk]\n" in files[1].read_text()


def test_same_text_every_time(tmp_path: Path) -> None:
    first = write_project(PRESETS["demo-32x4"], tmp_path / "a")
    second = write_project(PRESETS["demo-32x4"], tmp_path / "b")
    texts = [file.read_text() for file in first]
    assert texts == [file.read_text() for file in second]
    assert not any(str(tmp_path) in text for text in texts), "no path of this machine"


def test_board_constraints_name_every_pin_once() -> None:
    text = board_constraints(ADMPCIEKU3Platform())
    pins = re.findall(r"PACKAGE_PIN (\w+)", text)
    assert len(pins) == len(set(pins)) == 2 + 1 + 2 + 4 * PCIE_LANES
    clock = "IOSTANDARD LVDS DIFF_TERM TRUE"
    assert f"{{PACKAGE_PIN W23 {clock}}} [get_ports clk200_p]" in text
    assert f"{{PACKAGE_PIN W24 {clock}}} [get_ports clk200_n]" in text
    assert "create_clock -name clk200 -period 5.000 [get_ports clk200_p]" in text
    assert "{PACKAGE_PIN K22 IOSTANDARD LVCMOS18} [get_ports perst_n]" in text
    assert "{PACKAGE_PIN AN3} [get_ports {pcie_tx_n[7]}]" in text
    assert "Not tested on hardware" in text


class OtherBoard(Board):
    title, sources, status, pcie_lanes = "Other card", "its schematic", "pins", 4
    device, package, speed, default_clk = "xcku115", "flva1517", "2-e", "clk100"
    resources = (Resource("clk100", 0, Pins("A1", dir="i"), Clock(100e6)),)
    connectors = ()
    configuration = {"CFGBVS": "VCCO"}  # noqa: RUF012


def test_another_board_is_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BOARDS, "other", OtherBoard)
    script, _, pins = write_project(PRESETS["tiny"], tmp_path, board="other")
    assert pins.name == "other.xdc" and "other.xdc" in script.read_text()
    assert "-part xcku115-flva1517-2-e" in script.read_text()
    text = pins.read_text()
    assert "# Other card, xcku115-flva1517-2-e: pins" in text and "Sources: its schematic." in text
    assert "{PACKAGE_PIN A1} [get_ports clk100]" in text and "ADM" not in text
    with pytest.raises(EseError, match="^board: must be one of adm_pcie_ku3, other, got 'none'$"):
        write_project(PRESETS["tiny"], tmp_path, board="none")


def test_platform_prepares_a_design_for_vivado() -> None:
    plan = ADMPCIEKU3Platform().prepare(ResetCounter(), name="top")
    assert {"top.v", "top.tcl", "top.xdc", "build_top.sh"} <= set(plan.files)
    assert f"-part {PART}" in plan.files["top.tcl"]
    constraints = plan.files["top.xdc"]
    for pin in ("W23", "W24", "K22"):
        assert re.search(rf"set_property LOC {pin} ", constraints), pin
    assert re.search(r"create_clock .*-period 5\.0 ", constraints)
    assert ("IBUFDS" in plan.files["top.v"]) and ("STARTUPE3" in plan.files["top.v"])
    again = ADMPCIEKU3Platform().prepare(ResetCounter(), name="top")
    assert plan.digest() == again.digest()


def test_clock_is_the_card_s_oscillator() -> None:
    clock = ADMPCIEKU3Platform().resources["clk200", 0]
    assert clock.clock.frequency == 200e6
    pair = clock.ios[0]
    assert isinstance(pair, DiffPairs) and (pair.p.names, pair.n.names) == (["W23"], ["W24"])


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EseError, match="output: .* must be writable"):
        write_project(PRESETS["tiny"], tmp_path / "file")
