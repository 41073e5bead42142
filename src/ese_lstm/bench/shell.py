"""``python -m ese_lstm.bench.shell``: what the AXI shell costs the full engine.

The paper's network runs in the shell, with narrow and with wide streams; counters are read through
the AXI4-Lite registers. Beside it stands the bare engine by the cycle model, which
``python -m ese_lstm.bench`` holds against the bare engine's Verilog.
"""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..cli.outputs import check_files
from ..cli.terminal import Progress, exit_codes
from ..contract.config import PRESETS, load_config
from ..contract.packets import row_beats
from ..contract.shell import SHELL_PRESETS
from ..sim.golden.cycles import simulate_model
from ..sim.golden.model import GoldenModel
from ..sim.rtl.shell_runner import SpeedResult, run_at_full_speed
from ..sim.rtl.verilator import SimulationError
from .__main__ import FULL
from .measure import AROUND, STALLS, versions
from .tables import Text, figure_files, show, write_figures
from .workload import REDUCED_CONFIG, Workload, paper_workload, reduced_workload

WIDTHS = (64, 512)
ALLOWED_LOSS = 0.01
"""Share of the bare engine's utilisation that the shell may cost."""


@dataclass(frozen=True)
class Outcome:
    """One width. bare_cycles, bare_utilisation: of the engine alone."""

    stream_bits: int
    result: SpeedResult
    compared: int
    mismatches: int
    bare_cycles: float
    bare_utilisation: float
    beats: tuple[int, int]
    """Of an input and an output packet."""

    @property
    def loss(self) -> float:
        """Share of the bare engine's utilisation that the shell costs."""
        return 1 - self.result.utilisation / self.bare_utilisation

    @property
    def good(self) -> bool:
        """Something was compared, nothing differs, and the loss is allowed."""
        return self.compared > 0 and not self.mismatches and self.loss <= ALLOWED_LOSS


def measure_shell(workload: Workload, frames: int, stream_bits: int) -> Outcome:
    """Simulate ``frames`` frames in the steady state, and ``AROUND`` more, on all channels.

    Raises EseError if network or frames don't fit, SimulationError if the simulation fails.
    """
    image = workload.image
    values = workload.frames(frames + AROUND)
    shell = SHELL_PRESETS["xcku060"].replace(stream_bits=stream_bits)
    result = run_at_full_speed(image, shell, values, progress=Progress())
    expected = GoldenModel(workload.decoded).run(values).outputs
    model = simulate_model(workload.decoded, frames + AROUND)
    row = row_beats(image.config, shell)
    return Outcome(stream_bits, result, expected.size,
                   int(np.count_nonzero(expected != result.outputs)), model.cycles_per_frame,
                   model.utilisation, ((1 + values.shape[1]) * row, expected.shape[1] * row))


def table(outcomes: list[Outcome]) -> Text:
    """Cycles and utilisation by width, the bare engine first."""
    first = outcomes[0]
    rows = [("engine alone", "", "", f"{first.bare_cycles:,.0f}",
             f"{100 * first.bare_utilisation:.2f}", "", "")]
    rows += [(f"in the shell, {each.stream_bits}-bit streams", f"{each.beats[0]:,}",
              f"{each.beats[1]:,}", f"{each.result.cycles_per_frame:,.0f}",
              f"{100 * each.result.utilisation:.2f}", f"{100 * each.loss:.2f}",
              f"{each.result.load_cycles:,}") for each in outcomes]
    return Text("Paper's network, every frame of all channels in and out",
                ("", "beats in", "beats out", "cycles a frame", "utilisation %", "lost %",
                 "cycles of loading"), tuple(rows))


def as_dict(workload: Workload, outcomes: list[Outcome], command: str) -> dict[str, Any]:
    """Everything, for the JSON."""
    return {
        "command": command, "config": workload.config.model_dump(),
        "config_digest": workload.config.digest, "versions": versions(),
        "bare": {"cycles_per_frame": outcomes[0].bare_cycles,
                 "utilisation": outcomes[0].bare_utilisation},
        "shells": [{
            "stream_bits": each.stream_bits, "frames_measured": each.result.steady_frames,
            "values_compared": each.compared, "mismatches": each.mismatches,
            "cycles_per_frame": each.result.cycles_per_frame,
            "utilisation": each.result.utilisation, "loss": each.loss,
            "load_cycles": each.result.load_cycles,
            "beats_in": each.beats[0], "beats_out": each.beats[1],
            "stalls_per_frame": {name: each.result.count(name) / each.result.steady_frames
                                 for name in STALLS},
        } for each in outcomes]}


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("--config", default=FULL, metavar="NAME|FILE",
              help=f"Engine: {', '.join(PRESETS)}, or a JSON file.")
@click.option("--frames", default=4, help="Frames measured, after one that warms up.")
@click.option("--stream-bits", "widths", multiple=True, type=int, default=WIDTHS,
              help="Width of the streams; may be repeated.")
@click.option("--reduced", is_flag=True, help="A small engine and network.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("build/bench/shell.json"),
              help="Where all figures go; the table beside it, as .md.")
def main(config: str, frames: int, widths: tuple[int, ...], reduced: bool, output: Path) -> None:
    """Run the Google LSTMP in the AXI shell and tell what its streams cost.

    Every output of every channel is compared with the golden model; cycles and multiplications
    are counted by the hardware and read through its registers.

    Exit codes: 0 all equal and at most 1 % of the utilisation lost; 1 otherwise, or the simulation
    failed; 2 wrong input.
    """
    command = shlex.join(["python", "-m", "ese_lstm.bench.shell", *sys.argv[1:]])
    with exit_codes(SimulationError):
        check_files(*figure_files(output))
        workload = (reduced_workload(REDUCED_CONFIG) if reduced
                    else paper_workload(load_config(config)))
        outcomes = [measure_shell(workload, frames, width) for width in widths]
        write_figures(output, as_dict(workload, outcomes, command), command, [table(outcomes)])
    show([table(outcomes)])
    click.echo(f"Figures are in {output}")
    sys.exit(0 if all(each.good for each in outcomes) else 1)


if __name__ == "__main__":
    main()
