"""The exported Verilog in Verilator, under cocotb.

verilator, cache, libpython: simulators built once and run. runner, shell_runner: an image on the
engine, and on the shell; device, remote_file: the shell as the files of a device. lockstep: a unit
in two simulators. streamed_top: engine and weight fetch in one module.

Modules that end in _bench run in the simulator, and of these they are made: bench, axi, axi_memory,
memory_model, host. load, packets, words: what goes in and comes out.
"""

from .runner import RtlFrame, RtlResult, run_image
from .verilator import SimulationError

__all__ = ["RtlFrame", "RtlResult", "SimulationError", "run_image"]
