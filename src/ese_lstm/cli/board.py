"""``ese board``: the boards that are known."""

import click

from ..report.table import Table
from .terminal import show


@click.command()
def board() -> None:
    """List the known boards and what was tested of them.

    `ese demo` writes pins, constraints and a Vivado project of the first one beside the Verilog.
    """
    from ..boards.known import BOARDS

    show(Table("Boards", ("board", "part", "PCIe lanes", "status"),
               [(found.title, found().part, found.pcie_lanes, found.status)
                for found in BOARDS.values()], left=(0, 1, 3)))
