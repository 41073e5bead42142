"""``ese demo``: a real speech LSTM becomes bit-exact hardware, with progress."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..contract.config import PRESETS
from ..contract.errors import EseError
from ..contract.files import check_folder
from .command_line import command_line
from .needs import needs
from .options import KNOBS, chosen_config, config_options
from .terminal import Steps

CHANNELS = 4
"""Of ``ese demo speech``, if not given."""


@click.group(invoke_without_command=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/demo"),
              metavar="DIRECTORY", help="Where the results go.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("build/data"),
              metavar="DIRECTORY", help="Where downloads are kept.")
@click.option("--frames", default=160, help="Frames to simulate, at least 20.")
@click.option("--config", default="demo-32x4", metavar="NAME|FILE",
              help=f"Engine: {', '.join(PRESETS)}, or a JSON file; 4 to 9 channels.")
@click.option("--density", default=0.1, help="Share of weights that pruning keeps.")
@click.option("--board", metavar="NAME", help="Of the Vivado project: one of `ese board`, whose "
                                              "first it is if not given.")
@click.pass_context
def demo(ctx: click.Context, output: Path, cache: Path, frames: int, config: str, density: float,
         board: str | None) -> None:
    """A real speech LSTM becomes simulated, verified Verilog.

    Prunes, quantises, packs, simulates and compares Resemblyzer's three LSTM layers on Asterisk's
    recorded prompts (both fetched by package name), and leaves Verilog, image, memory files, a
    Vivado project and a summary in DIRECTORY.

    \b
    ese demo
    ese demo speech model.safetensors build/speech

    Exit codes: 0 every value of the simulated Verilog equals the golden model's; 1 one differs,
    none was compared, or the simulation failed; 2 wrong input or no network.
    """
    if ctx.invoked_subcommand is not None:
        given = [option.opts[-1] for option in ctx.command.params
                 if ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE]
        if given:
            raise EseError(f"demo: options of {ctx.invoked_subcommand} must stand after it, but "
                           f"{', '.join(given)} stands before")
        return
    for extra in ("compress", "sim", "demo"):
        needs(extra)
    check_folder(output)
    from ..demo import job, summary

    outcome = job.run_job(job.Options(output, cache, config, frames, density, board=board), Steps())
    click.echo(f"\n{summary.write_summary(outcome)}\nResults are in {output}/")
    ctx.exit(0 if outcome.comparison.equal else 1)


@demo.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/demo-speech"),
              metavar="DIRECTORY", help="Where Verilog, image and summary go.")
@click.option("--utterances", default=8,
              help="Of the held-out split, spread evenly over it; at least one a channel.")
@click.option("--density", default=1.0,
              help="Share of weights to keep; 1 for a model that is pruned already.")
@click.option("--keep-one", is_flag=True, help="Leave no lane without a weight in any column.")
@config_options
@click.pass_context
def speech(ctx: click.Context, /, model: Path, dataset: Path, output: Path, utterances: int,
           density: float, keep_one: bool, config: str, sets: tuple[str, ...], **knobs: Any
           ) -> None:
    """Recognise held-out speech on the exported Verilog.

    MODEL is a phone classifier of ese train, pruned and retrained, DATASET the speech that it was
    trained on. Its LSTM is packed and runs in Verilator on the configuration with 4 channels
    (--channels: more); every hidden value, cell state and output is compared with the golden
    model. The output layer and Viterbi run on the host, in floating point.

    Exit codes: 0 every value is equal; 1 one differs or the simulation failed; 2 wrong input.
    """
    needs("sim")
    needs("train", "torch")
    check_folder(output)
    from ..compress.pipeline import CompressOptions
    from ..demo import recognise, recognise_summary

    knobs["channels"] = knobs["channels"] or CHANNELS
    engine = chosen_config(config, sets, **{name: knobs[name] for name in KNOBS})
    outcome = recognise.run_recogniser(recognise.Options(
        model, dataset, output, engine, utterances, density,
        CompressOptions(keep_one=keep_one, command=command_line(ctx, whole=True))), Steps())
    click.echo(f"\n{recognise_summary.write_summary(outcome)}\nResults are in {output}/")
    ctx.exit(0 if outcome.run.comparison.equal else 1)
