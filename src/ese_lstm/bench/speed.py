"""``python -m ese_lstm.bench.speed``: how long the full simulator takes to build, and how fast it
runs. Nothing is taken from the cache of built simulators."""

import json
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from ..cli.outputs import check_files
from ..cli.terminal import Progress, exit_codes
from ..contract.config import PRESETS, load_config
from ..contract.files import write_contents
from ..hw.verilog.export import TOP, design
from ..sim.rtl.runner import run_image
from ..sim.rtl.verilator import BUILD_JOBS, SimulationError, build
from .__main__ import FULL
from .measure import simulation_speed, versions
from .tables import Text, show
from .workload import REDUCED_CONFIG, Workload, paper_workload, reduced_workload


def measure_speed(workload: Workload, frames: int) -> dict[str, Any]:
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
            build(verilog, TOP, progress=Progress())
            values |= {"build_s": round(time.monotonic() - begin, 1),
                       "build_cpu_s": round(_children() - used, 1),
                       "load_average_after": round(os.getloadavg()[0], 2)}
            result = run_image(workload.image, workload.frames(frames), progress=Progress())
        finally:
            if previous is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = previous
    return values | simulation_speed(result) | {"versions": versions()}


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("--config", default=FULL, metavar="NAME|FILE",
              help=f"Engine: {', '.join(PRESETS)}, or a JSON file.")
@click.option("--frames", default=6, help="Frames to simulate.")
@click.option("--reduced", is_flag=True, help="A small engine and network.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("build/bench/speed.json"), help="Where the figures go.")
def main(config: str, frames: int, reduced: bool, output: Path) -> None:
    """Measure building and running of the full engine's simulator."""
    with exit_codes(SimulationError):
        check_files(output)
        workload = (reduced_workload(REDUCED_CONFIG) if reduced
                    else paper_workload(load_config(config)))
        values = measure_speed(workload, frames)
        write_contents({output: json.dumps(values, indent=2) + "\n"})
    show([Text("Speed of the simulation", ("figure", "value"), tuple(
        (name.replace("_", " "), f"{value:,}" if isinstance(value, int | float) else value)
        for name, value in values.items() if name != "versions"))])
    click.echo(f"Figures are in {output}")


if __name__ == "__main__":
    main()
