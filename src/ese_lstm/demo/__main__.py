"""``python -m ese_lstm.demo``: a real speech LSTM becomes bit-exact hardware, with progress."""

import json
import sys
from pathlib import Path

import click

from ..cli.terminal import Steps, exit_codes
from ..contract.config import PRESETS
from ..contract.files import check_folder, write_contents
from ..sim.rtl.verilator import SimulationError
from .job import Options, Outcome, run_job
from .summary import as_json, as_text


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/demo"),
              metavar="DIRECTORY", help="Where the results go.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("build/data"),
              metavar="DIRECTORY", help="Where downloads are kept.")
@click.option("--frames", default=Options.frames, help="Frames to simulate, at least 20.")
@click.option("--config", default=Options.config, metavar="NAME|FILE",
              help=f"Engine: {', '.join(PRESETS)}, or a JSON file; 4 to 9 channels.")
@click.option("--density", default=Options.density, help="Share of weights that pruning keeps.")
def main(output: Path, cache: Path, frames: int, config: str, density: float) -> None:
    """Prune, quantise, pack, simulate and compare a real speech LSTM on real speech.

    Takes Resemblyzer's three LSTM layers and Asterisk's recorded prompts (fetched by package
    name), and leaves Verilog, image, memory files, a Vivado project and a summary in DIRECTORY.

    Exit codes: 0 every value of the simulated Verilog equals the golden model's; 1 one differs,
    none was compared, or the simulation failed; 2 wrong input or no network.
    """
    with exit_codes(SimulationError):
        check_folder(output)
        outcome = run_job(Options(output, cache, config, frames, density), Steps())
        text = write_summary(outcome)
    click.echo(f"\n{text}\nResults are in {output}/")
    sys.exit(0 if outcome.comparison.equal else 1)


def write_summary(outcome: Outcome) -> str:
    """Write ``summary.json`` and ``summary.txt``; returns the text."""
    text = as_text(outcome)
    values = json.dumps(as_json(outcome), indent=2) + "\n"
    folder = outcome.options.output
    write_contents({folder / "summary.json": values, folder / "summary.txt": text})
    return text


if __name__ == "__main__":
    main()
