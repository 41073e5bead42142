"""``ese board``: the boards that are known."""

import click

from ..report.table import Table
from .terminal import show


@click.command()
def board() -> None:
    """List the known boards and what was tested of them.

    `ese demo --board NAME` writes one's pins, constraints and Vivado project beside the Verilog.
    """
    from ..boards.known import BOARDS

    show(Table("Boards", ("name", "board", "part", "PCIe lanes", "status"),
               [(name, found.title, found().part, found.pcie_lanes, found.status)
                for name, found in BOARDS.items()], left=(0, 1, 2, 4)))
