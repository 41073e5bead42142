"""How long the full simulator takes to build, and how fast it runs.

Nothing is taken from the cache of built simulators.
"""

import os
import resource
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from ..hw.verilog.export import TOP, design
from ..report.table import Table, pairs
from ..report.versions import versions
from ..sim.rtl.runner import run_image
from ..sim.rtl.verilator import BUILD_JOBS, Progress, build
from .measure import PACKAGES, simulation_speed
from .workload import Workload


def measure_speed(workload: Workload, frames: int, progress: Progress | None = None
                  ) -> dict[str, Any]:
    """Build the simulator into an empty cache and run ``frames`` frames on it.

    Seconds by the clock and of processor time, sources and compiler included; cycles a second of
    processor time of the simulator, testbench included.
    """
    begin, used = time.monotonic(), time.process_time()
    verilog = design(workload.config).verilog
    values: dict[str, Any] = {
        "config_digest": workload.config.digest, "multipliers": workload.config.multipliers,
        "processors": os.cpu_count(), "build_jobs": BUILD_JOBS,
        "load_average_before": round(os.getloadavg()[0], 2),
        "verilog_bytes": len(verilog), "verilog_s": round(time.monotonic() - begin, 1),
        "verilog_cpu_s": round(time.process_time() - used, 1)}
    with tempfile.TemporaryDirectory(prefix="ese-speed-") as folder:
        previous = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            begin, used = time.monotonic(), _children()
            build(verilog, TOP, progress=progress)
            values |= {"build_s": round(time.monotonic() - begin, 1),
                       "build_cpu_s": round(_children() - used, 1),
                       "load_average_after": round(os.getloadavg()[0], 2)}
            result = run_image(workload.image, workload.frames(frames), progress=progress)
        finally:
            if previous is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = previous
    return values | simulation_speed(result) | {"versions": versions(PACKAGES)}


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(values: Mapping[str, Any]) -> Table:
    """All figures but versions."""
    return pairs("Speed of the simulation", {
        name.replace("_", " "): value for name, value in values.items() if name != "versions"})
