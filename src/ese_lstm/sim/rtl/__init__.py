"""The exported Verilog in Verilator, under cocotb."""

from .runner import Comparison, RtlFrame, RtlResult, compare, run_image
from .verilator import SimulationError

__all__ = ["Comparison", "RtlFrame", "RtlResult", "SimulationError", "compare", "run_image"]
