"""``ese bench streaming``: cycles against memory bandwidth."""

from pathlib import Path

import click

from ...report.table import figure_files
from ..command_line import command_line
from ..needs import needs
from ..outputs import check_files
from ..terminal import Progress
from .options import figures_option, tell

BANDWIDTHS = (6.4, 12.8, 19.2)
"""GB/s: 256, 512 and 768 bits a cycle at 200 MHz; one DDR4-1600 channel of 64 bits is 12.8."""
LATENCIES = (40, 120)
"""Cycles: 200 ns and 600 ns at 200 MHz."""


@click.command()
@click.option("--frames", default=3, help="Frames run at each point; the last one is measured.")
@click.option("--bandwidth", "bandwidths", type=float, multiple=True, default=BANDWIDTHS,
              metavar="GB/S", help="Of the memory; may be repeated.")
@click.option("--latency", "latencies", type=int, multiple=True, default=LATENCIES,
              metavar="CYCLES", help="Request to first data; may be repeated.")
@click.option("--model-only", is_flag=True, help="The cycle model alone, without Verilog.")
@click.option("--reduced", is_flag=True, help="A small network on a small engine.")
@figures_option("bench/streaming.json")
@click.pass_context
def streaming(ctx: click.Context, frames: int, bandwidths: tuple[float, ...],
              latencies: tuple[int, ...], model_only: bool, reduced: bool, output: Path) -> None:
    """Streamed weights: cycles against memory bandwidth.

    Three layers of 1,024 cells and 512 projected values, more than the lanes' memories hold, are
    streamed from memories of several bandwidths and latencies. The Verilog of engine and weight
    fetch runs on a modelled memory; every value is compared with the golden model. Weights are
    random, pruned to the paper's densities. The number of channels does not change any cycle.

    Exit codes: 0 everything equal; 1 a value differs or the simulation failed; 2 wrong input.
    """
    if not model_only:
        needs("sim")
    check_files(*figure_files(output))
    from ...bench.streaming import as_dict, chosen, study, table

    done = study(*chosen(reduced), frames, bandwidths, latencies, rtl=not model_only,
                 progress=Progress())
    tell(output, as_dict(done), command_line(ctx, whole=True), [table(done)])
    ctx.exit(0 if done.good else 1)
