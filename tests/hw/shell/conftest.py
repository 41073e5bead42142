"""The AXI4-Lite master, as ``tests/hw/axi`` has it."""

from ..axi.conftest import axi_lite_port, pauses

__all__ = ["axi_lite_port", "pauses"]
