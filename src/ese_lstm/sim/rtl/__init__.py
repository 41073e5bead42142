"""The exported Verilog in Verilator, under cocotb."""

from .runner import RtlFrame, RtlResult, run_image
from .verilator import SimulationError

__all__ = ["RtlFrame", "RtlResult", "SimulationError", "run_image"]
