"""What a board says of itself besides its pins."""

from typing import ClassVar

from amaranth.vendor import XilinxPlatform


class Board(XilinxPlatform):
    """A card with one FPGA of Xilinx. Members besides those of Amaranth's platforms:

    title: as its maker calls it. pcie_lanes: of its edge connector. sources: where its pins come
    from. status: what is there for it, and what of that ran on hardware. configuration: voltage of
    the configuration bank, as Vivado's properties of a design.
    """

    title: str
    pcie_lanes: int
    sources: str
    status: str
    configuration: ClassVar[dict[str, str]]

    @property
    def part(self) -> str:
        """The part as Vivado names it."""
        return f"{self.device}-{self.package}-{self.speed}"
