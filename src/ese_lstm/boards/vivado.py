"""Vivado scripts for the exported engine, written without Vivado and without a date or path.

The project is of the bare engine, without the AXI shell of ``ese verilog --shell``: its ports are
native streams and have no pins, so it is built *out of context*: synthesis (and, on demand,
placement and routing) for the real part and clock, with utilisation and timing reports. The board's
own constraints lie beside it for the design that joins the shell with the vendor's PCIe and DDR
controllers. Nothing here has been run on hardware.
"""

from pathlib import Path

from amaranth.build import Attrs, DiffPairs, Pins, Resource, Subsignal

from ..contract.config import EngineConfig
from ..contract.files import write_atomically
from .board import Board
from .known import known_board

TOP = "ese_engine"

_PROJECT = """\
# Vivado project of one engine, out of context: its ports have no pins and no I/O buffers.
# Not tested on hardware.
#
#   vivado -mode batch -source {top}.tcl                     synthesis, utilisation, timing
#   vivado -mode batch -source {top}.tcl -tclargs route      placement and routing as well
#
# Engine: {lanes} lanes x {channels} channels = {multipliers} multipliers, {clock_mhz:g} MHz.
# {constraints} holds the board's pins, for a design around the AXI shell that
# ese verilog --shell writes; it is no part of this project.

set here [file dirname [file normalize [info script]]]
set reports [file join $here vivado_reports]
file mkdir $reports

create_project -force {top} [file join $here vivado_project] -part {part}
add_files -norecurse [file join $here {verilog}]
add_files -fileset constrs_1 -norecurse [file join $here {top}.xdc]
set_property top {top} [current_fileset]

synth_design -top {top} -part {part} -mode out_of_context -flatten_hierarchy rebuilt
write_checkpoint -force [file join $reports synth.dcp]
report_utilization -file [file join $reports utilization_synth.rpt]
report_utilization -hierarchical -hierarchical_depth 3 \\
    -file [file join $reports utilization_hierarchical_synth.rpt]
report_ram_utilization -file [file join $reports ram_synth.rpt]
report_timing_summary -max_paths 10 -file [file join $reports timing_synth.rpt]

if {{[lsearch -exact $argv route] >= 0}} {{
    opt_design
    place_design
    phys_opt_design
    route_design
    write_checkpoint -force [file join $reports route.dcp]
    report_utilization -file [file join $reports utilization_route.rpt]
    report_timing_summary -max_paths 10 -file [file join $reports timing_route.rpt]
    report_power -file [file join $reports power_route.rpt]
}}
close_project
"""

_TIMING = """\
# Timing of the engine out of context. Ports are left without input and output delays: what drives
# them is expected to register them.
create_clock -name clk -period {period:.3f} [get_ports clk]
"""

_BOARD = """\
# {board.title}, {board.part}: pins for a design around the engine's AXI shell.
# Sources: {board.sources}.
# Not tested on hardware.
"""


def write_project(config: EngineConfig, folder: Path, verilog: str = f"{TOP}.v",
                  board: str | None = None) -> list[Path]:
    """Write project script, timing and constraints of a known board, the first without a name,
    beside the exported ``verilog``.

    Returns the files: ``ese_engine.tcl``, ``ese_engine.xdc``, the board's ``.xdc``; the same text
    for the same configuration. Raises EseError if ``folder`` cannot be written or no board has
    this name.
    """
    name, platform = known_board(board)
    constraints = f"{name}.xdc"
    texts = {
        f"{TOP}.tcl": _PROJECT.format(
            top=TOP, verilog=verilog, part=platform.part, constraints=constraints,
            lanes=config.lanes, channels=config.channels, multipliers=config.multipliers,
            clock_mhz=config.clock_mhz),
        f"{TOP}.xdc": _TIMING.format(period=1e3 / config.clock_mhz),
        constraints: board_constraints(platform),
    }
    return [_write(folder / file, text) for file, text in texts.items()]


def board_constraints(platform: Board) -> str:
    """XDC of every resource of the platform; ports are named ``resource[_subsignal][bit]``."""
    lines = [_BOARD.format(board=platform).rstrip()]
    for resource in type(platform).resources:
        lines.append("")
        lines += _resource_lines(resource)
    lines.append("")
    lines += [f"set_property {name} {value} [current_design]"
              for name, value in platform.configuration.items()]
    return "\n".join(lines) + "\n"


def _resource_lines(resource: Resource) -> list[str]:
    lines = []
    for name, pins, attributes in _ports(resource, resource.name, {}):
        for bit, pin in enumerate(pins):
            port = f"{{{name}[{bit}]}}" if len(pins) > 1 else name
            properties = {"PACKAGE_PIN": pin, **attributes}
            listed = " ".join(f"{key} {value}" for key, value in properties.items())
            lines.append(f"set_property -dict {{{listed}}} [get_ports {port}]")
    if resource.clock is not None:
        port = f"{resource.name}_p" if isinstance(resource.ios[0], DiffPairs) else resource.name
        lines.append(f"create_clock -name {resource.name} "
                     f"-period {1e9 / resource.clock.frequency:.3f} [get_ports {port}]")
    return lines


def _ports(item: Subsignal, name: str,
           inherited: dict[str, str]) -> list[tuple[str, list[str], dict[str, str]]]:
    attributes = {**inherited, **(item.attrs if isinstance(item.attrs, Attrs) else {})}
    ports = []
    for io in item.ios:
        if isinstance(io, Subsignal):
            ports += _ports(io, f"{name}_{io.name}", attributes)
        elif isinstance(io, DiffPairs):
            ports += [(f"{name}_p", list(io.p.names), attributes),
                      (f"{name}_n", list(io.n.names), attributes)]
        elif isinstance(io, Pins):
            ports.append((f"{name}_n" if io.invert else name, list(io.names), attributes))
    return ports


def _write(path: Path, text: str) -> Path:
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path
