"""Options of the external memory, and the cycle model's estimate at its bandwidth."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..contract.image import Image
from ..contract.memory import MemoryTiming, bits_per_cycle

Function = TypeVar("Function", bound=Callable[..., Any])

BANDWIDTH = 12.8
LATENCY = 40


def memory_options(function: Function) -> Function:
    """Add --bandwidth and --latency."""
    for option in reversed((
        click.option("--bandwidth", type=float, metavar="GB/S",
                     help=f"Of the external memory that weights are streamed from; {BANDWIDTH} "
                          f"if they are and nothing is said."),
        click.option("--latency", type=int, metavar="CYCLES",
                     help=f"Of that memory, request to first data; {LATENCY} if nothing is said."),
    )):
        function = option(function)
    return function


def memory_timing(image: Image, bandwidth: float | None, latency: int | None) -> MemoryTiming:
    """The memory that these options describe. Raises EseError."""
    return MemoryTiming(
        bits_per_cycle(BANDWIDTH if bandwidth is None else bandwidth, image.config.clock_mhz),
        LATENCY if latency is None else latency)


def estimate(image: Image, bandwidth: float | None, latency: int | None) -> dict[str, Any]:
    """Cycles of a steady frame and utilisation by the cycle model, with the default memory port
    if weights are streamed."""
    from ..contract.shell import ShellConfig
    from ..sim.golden.cycles import CycleReport, simulate_model
    from ..sim.golden.decode import decode_image
    from ..sim.golden.streaming import simulate_streamed

    decoded = decode_image(image)
    values: dict[str, Any] = {}
    report: CycleReport
    if decoded.rows is None:
        report = simulate_model(decoded)
    else:
        memory = memory_timing(image, bandwidth, latency)
        report = simulate_streamed(decoded, ShellConfig(), memory, 3)
        values = {"memory_bits_per_cycle": memory.bits_per_cycle,
                  "memory_latency": memory.latency,
                  "memory_bits_per_frame": report.memory_bits}
    return {**values, "cycles_per_frame": report.cycles_per_frame,
            "multiplier_utilisation": f"{100 * report.utilisation:.1f} %",
            "frame_us": f"{report.cycles_per_frame / image.config.clock_mhz:.1f}"}
