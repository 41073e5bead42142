"""``python -m ese_lstm.bench.streaming``: cycles against memory bandwidth, streamed weights."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from ..cli.outputs import check_files
from ..cli.terminal import Progress, exit_codes
from ..compress.synthetic import GOOGLE_LSTMP, LayerShape
from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.memory import MemoryTiming, bits_per_cycle
from ..contract.published import REFRESH_EVERY_NS, REFRESH_NS
from ..contract.shell import ShellConfig
from ..sim.compare import Comparison, compare
from ..sim.golden.model import GoldenModel
from ..sim.golden.streaming import StreamedReport, simulate_streamed
from ..sim.rtl.runner import RtlResult, run_memories
from ..sim.rtl.verilator import SimulationError
from .tables import Text, figure_files, show, write_figures
from .workload import REDUCED_CONFIG, Workload

BANDWIDTHS = (6.4, 12.8, 19.2)
"""GB/s: 256, 512 and 768 bits a cycle at 200 MHz; one DDR4-1600 channel of 64 bits is 12.8."""

LATENCIES = (40, 120)
"""Cycles: 200 ns and 600 ns at 200 MHz."""

CONFIG = EngineConfig(
    lanes=32, channels=4, activation_depth=8192, cell_depth=4096, param_depth=16384,
    segment_depth=256, fetch_depth=512)
SHELL = ShellConfig(memory_bits=1024, burst_beats=32, outstanding=16)
REDUCED_SHELL = ShellConfig(stream_bits=64, memory_bits=128, burst_beats=16, outstanding=8)
LAYERS = 3


@dataclass(frozen=True)
class Point:
    """One memory: what the Verilog's counters say of the last frame, and the cycle model."""

    gigabytes_per_second: float
    memory: MemoryTiming
    measured: RtlResult | None
    model: StreamedReport

    @property
    def cycles(self) -> int | None:
        """From the last output of the frame before to that of the last frame, in the Verilog."""
        if self.measured is None:
            return None
        before, last = (frame.counters["cycles"] for frame in self.measured.frames[-2:])
        return last - before

    @property
    def bound(self) -> float:
        """Cycles that the frame's bits alone take, refresh left out."""
        return self.model.memory_bits / self.memory.bits_per_cycle


@dataclass(frozen=True)
class Study:
    """All points of a network, and what of it is streamed."""

    workload: Workload
    shell: ShellConfig
    points: tuple[Point, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def good(self) -> bool:
        """Every value equal."""
        return all(comparison.equal for comparison in self.comparisons)


def study(workload: Workload, shell: ShellConfig, frames: int, *, rtl: bool = True,
          bandwidths: Sequence[float] = BANDWIDTHS, latencies: Sequence[int] = LATENCIES,
          progress: Progress | None = None) -> Study:
    """Run ``frames`` frames at every bandwidth and latency. Raises EseError if everything is
    resident."""
    if not workload.image.rows:
        raise EseError("network: must be larger than the lanes' memories, but all its weights are "
                       "resident")
    clock = workload.config.clock_mhz
    memories = [(bandwidth, MemoryTiming(
        bits_per_cycle(bandwidth, clock), latency, round(REFRESH_EVERY_NS * clock / 1000),
        round(REFRESH_NS * clock / 1000)))
        for bandwidth in bandwidths for latency in latencies]
    values = workload.frames(frames)
    results: list[RtlResult | None] = [None] * len(memories)
    comparisons: list[Comparison] = []
    if rtl:
        measured = run_memories(workload.image, values, [memory for _, memory in memories], shell,
                                progress=progress)
        golden = list(GoldenModel(workload.decoded).steps(values))
        comparisons = [compare(result.frames, golden) for result in measured]
        results = [*measured]
    points = []
    for number, ((bandwidth, memory), result) in enumerate(zip(memories, results, strict=True)):
        if progress:
            progress("cycle model", number / len(memories))
        lead = 0 if result is None else result.frames[0].counters["stall_input"]
        points.append(Point(bandwidth, memory, result, simulate_streamed(
            workload.decoded, shell, memory, frames, lead=lead)))
    return Study(workload, shell, tuple(points), tuple(comparisons))


def table(done: Study) -> Text:
    """Cycles and utilisation by bandwidth and latency."""
    rows = []
    image, lanes = done.workload.image, done.workload.config.lanes
    for point in done.points:
        model, cycles = point.model, point.cycles
        rows.append((
            f"{point.gigabytes_per_second:g}", str(point.memory.latency),
            "-" if cycles is None else f"{cycles:,}", f"{model.cycles_per_frame:,}",
            "-" if cycles is None else f"{100 * model.weights / (lanes * cycles):.1f}",
            f"{100 * model.utilisation:.1f}", f"{point.bound:,.0f}",
            f"{100 * model.starved_rows / (lanes * model.cycles_per_frame):.1f}"))
    streamed = image.manifest.streamed_entries
    total = image.manifest.entries + image.manifest.null_entries + image.manifest.filler_entries
    return Text(
        f"{len(done.workload.shapes)} layers on {lanes} lanes × {done.workload.config.channels} "
        f"channels at {done.workload.config.clock_mhz:g} MHz: {total:,} entries, {streamed:,} of "
        f"them streamed in {image.rows:,} rows; ideal {done.points[0].model.ideal_cycles:,} "
        f"cycles; memory with refresh", (
            "GB/s", "latency, cycles", "cycles of a frame: Verilog", "cycle model",
            "utilisation %: Verilog", "cycle model", "cycles for the bits alone",
            "lane cycles without an entry %"), tuple(rows))


def as_dict(done: Study, command: str) -> dict[str, Any]:
    """Every figure."""
    manifest = done.workload.image.manifest
    return {
        "command": command, "configuration": done.workload.config.model_dump(),
        "shell": done.shell.model_dump(), "entries": manifest.entries,
        "null_entries": manifest.null_entries, "streamed_entries": manifest.streamed_entries,
        "rows": done.workload.image.rows,
        "values_compared": sum(c.values_compared for c in done.comparisons),
        "mismatches": sum(sum(c.mismatches.values()) for c in done.comparisons),
        "points": [{
            "gigabytes_per_second": point.gigabytes_per_second, **asdict(point.memory),
            "cycles": point.cycles, "counters": None if point.measured is None else
            point.measured.frames[-1].counters,
            "model_cycles": point.model.cycles_per_frame,
            "model_stalls": asdict(point.model.stalls), "model_starved_rows":
            point.model.starved_rows, "memory_bits": point.model.memory_bits,
        } for point in done.points]}


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("--frames", default=3, help="Frames run at each point; the last one is measured.")
@click.option("--bandwidth", "bandwidths", type=float, multiple=True, default=BANDWIDTHS,
              metavar="GB/S", help="Of the memory; may be repeated.")
@click.option("--latency", "latencies", type=int, multiple=True, default=LATENCIES,
              metavar="CYCLES", help="Request to first data; may be repeated.")
@click.option("--model-only", is_flag=True, help="The cycle model alone, without Verilog.")
@click.option("--reduced", is_flag=True, help="A small network on a small engine.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("build/bench/streaming.json"),
              help="Where all figures go; the table beside it, as .md.")
def main(frames: int, bandwidths: tuple[float, ...], latencies: tuple[int, ...],
         model_only: bool, reduced: bool, output: Path) -> None:
    """Three layers of 1,024 cells and 512 projected values, more than the lanes' memories hold,
    streamed from memories of several bandwidths and latencies.

    The Verilog of engine and weight fetch runs on a modelled memory; every value is compared with
    the golden model. Weights are random, pruned to the paper's densities. The number of channels
    does not change any cycle.

    Exit codes: 0 everything equal; 1 a value differs or the simulation failed; 2 wrong input.
    """
    command = shlex.join(["python", "-m", "ese_lstm.bench.streaming", *sys.argv[1:]])
    with exit_codes(SimulationError):
        check_files(*figure_files(output))
        if frames < 2:
            raise EseError(f"frames: must be at least 2, got {frames}")
        done = study(*chosen(reduced), frames, rtl=not model_only, bandwidths=bandwidths,
                     latencies=latencies, progress=Progress())
        write_figures(output, as_dict(done, command), command, [table(done)])
    show([table(done)])
    click.echo(f"Figures are in {output}")
    sys.exit(0 if done.good else 1)


def chosen(reduced: bool) -> tuple[Workload, ShellConfig]:
    """The network, its engine and its memory port."""
    if reduced:
        config = REDUCED_CONFIG.replace(stream_depth=256, fetch_depth=64, cell_depth=256,
                                        param_depth=2048, segment_depth=128)
        return Workload(config, 40, (LayerShape(64, 64, peepholes=True),) * 2), REDUCED_SHELL
    return Workload(CONFIG, shapes=(GOOGLE_LSTMP,) * LAYERS), SHELL


if __name__ == "__main__":
    main()
