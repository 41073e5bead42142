"""``ese distill``: retrain a pruned checkpoint to answer as the dense one, without labels."""

from pathlib import Path
from typing import Any

import click

from ..contract.errors import EseError
from .compress import _densities
from .frames import load_streams
from .options import KNOBS, chosen_config, config_options
from .show import console

HELD_OUT_EVERY = 8


@click.command(context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("frames", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Folder of this training; one that was interrupted goes on in it.")
@click.option("--density", type=float, default=0.5, help="Share of every matrix's weights kept.")
@click.option("--matrix-density", "matrix_densities", multiple=True, metavar="NAME=VALUE",
              help="Density of one matrix (Wix … Wym); may be repeated.")
@click.option("--balance", type=click.Choice(["matrix", "tile", "none"]), default="matrix",
              help="Equal shares per lane and matrix, per lane and tile, or plain magnitude.")
@click.option("--keep-one", is_flag=True, help="Leave no (lane, column) without a weight.")
@click.option("--schedule", type=click.Choice(["one-shot", "gradual"]), default="gradual",
              help="Prune before the first step, or along a cubic.")
@click.option("--epochs", type=int, default=20, help="Passes over the frames.")
@click.option("--streams", type=int, default=16, help="Utterances side by side.")
@click.option("--steps", type=int, default=40, help="Frames of back-propagation through time.")
@click.option("--rate", type=float, default=1e-3, help="Adam's rate, falling along a cosine.")
@click.option("--train-weight-bits", type=int, default=0,
              help="Quantisation-aware: round weights to so many bits in training; 0: don't.")
@click.option("--prefix", help="Which LSTM, if the checkpoint holds several.")
@config_options
def distill(checkpoint: Path, frames: tuple[Path, ...], output: Path, density: float,
            matrix_densities: tuple[str, ...], balance: Any, keep_one: bool, schedule: str,
            epochs: int, streams: int, steps: int, rate: float, train_weight_bits: int,
            prefix: str | None, config: str, sets: tuple[str, ...], **knobs: Any) -> None:
    """Prune CHECKPOINT and retrain it on FRAMES.npy … of real input, (T, inputs) a file.

    \b
    ese distill pretrained.pt mel-*.npy --density 0.5 -o build/distilled
    ese compress build/distilled/model.safetensors --frames mel-1.npy -o my.ese

    Every eighth utterance is kept out of training; the cosine between the last outputs of dense
    and pruned network on those is reported.
    """
    try:
        from ..compress.checkpoint import load_network
        from ..train.distill import Distiller, corpus_of, final_cosines
        from ..train.pruning import PruneOptions
        from ..train.trainer import TrainOptions
    except ImportError as error:
        raise EseError(f"distill: needs {error.name}, which is not installed "
                       f"(pip install 'ese-lstm[train]')") from None
    engine = chosen_config(config, sets, **{name: knobs[name] for name in KNOBS})
    with console.status("Reading") as status:
        teacher = load_network(checkpoint, prefix)
        utterances = load_streams(frames)
        if len(utterances) < HELD_OUT_EVERY:
            raise EseError(f"frames: must be at least {HELD_OUT_EVERY} utterances, of which one "
                           f"is held out, got {len(utterances)}")
        widths = {utterance.shape[1] for utterance in utterances}
        if widths != {teacher.inputs}:
            raise EseError(f"frames: must have {teacher.inputs} inputs as {checkpoint.name} has, "
                           f"got {sorted(widths)}")
        held_out = corpus_of(utterances[::HELD_OUT_EVERY])
        rest = corpus_of([utterance for number, utterance in enumerate(utterances)
                          if number % HELD_OUT_EVERY])
        status.update("Running the dense network")
        distiller = Distiller(
            teacher, rest, output, TrainOptions(epochs, streams, steps, rate,
                                                weight_bits=train_weight_bits),
            PruneOptions(engine, density, _densities(matrix_densities), balance, keep_one,
                         schedule))
        distiller.run(lambda report: status.update(
            f"step {report.step} of {report.steps}, error {report.loss:.4f}, cosine "
            f"{1 - report.fer / 100:.4f}, density {report.density:.3f}, {report.eta:.0f} s left"))
        cosines = final_cosines(teacher, distiller.model, held_out)
    console.print(f"held out: cosine {cosines.mean():.4f} mean, {cosines.min():.4f} smallest "
                  f"({len(cosines)} utterances)")
    console.print(f"{output / 'model.safetensors'} after {distiller.step} steps")
