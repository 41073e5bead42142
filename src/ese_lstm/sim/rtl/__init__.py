"""The exported Verilog in Verilator, under cocotb.

| module | what |
|---|---|
| ``verilator``, ``cache``, ``libpython`` | simulators built once and run |
| ``runner``, ``shell_runner`` | an image on the engine, and on the shell |
| ``device``, ``remote_file`` | the shell as the files of a device |
| ``lockstep`` | a unit in two simulators |
| ``streamed_top`` | engine and weight fetch in one module |
| ``engine_bench``, ``device_bench`` | what runs in the simulator |
| ``lockstep_bench``, ``shell_speed_bench`` | for a unit alone; for the shell at full speed |
| ``bench``, ``axi``, ``axi_memory``, ``memory_model``, ``host`` | of which these are made |
| ``load``, ``packets``, ``words`` | what goes in and comes out |
"""

from .runner import RtlFrame, RtlResult, run_image
from .verilator import SimulationError

__all__ = ["RtlFrame", "RtlResult", "SimulationError", "run_image"]
