"""``ese distill``: retrain a pruned checkpoint to answer as the dense one, without labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError
from ..train.options import DistillOptions, PruneOptions, TrainOptions
from .compress import matrix_values
from .frames import load_streams
from .needs import needs
from .options import KNOBS, chosen_config, config_options
from .outputs import check_files_in
from .settings import chosen, setting_options
from .terminal import console

if TYPE_CHECKING:
    from ..compress.network import Network

HELD_OUT_EVERY = 8
Frames = NDArray[np.float64]


@click.command(context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("frames", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Folder of this training; one that was interrupted goes on in it.")
@click.option("--density", type=float, default=0.5, help="Share of every matrix's weights kept.")
@click.option("--matrix-density", "matrix_densities", multiple=True, metavar="NAME=VALUE",
              help="Density of one matrix, of every layer (Wix … Wym) or of one (l0.Wix); may be "
                   "repeated.")
@setting_options(PruneOptions, "balance", "keep_one", "schedule")
@setting_options(
    TrainOptions, "epochs", "streams", "steps", "rate",
    epochs={"default": 20, "help": "Passes over the frames."}, streams={"default": 16},
    steps={"default": 40}, rate={"default": 1e-3})
@click.option("--window", type=click.IntRange(min=0), default=0, metavar="FRAMES",
              help="Cut utterances into pieces of so many frames, each from zero state, as a host "
                   "does that makes one result of each; 0: leave them whole.")
@setting_options(DistillOptions, "hints")
@click.option("--head", metavar="PREFIX",
              help="Linear layer of CHECKPOINT (PREFIX.weight, PREFIX.bias) that the host applies "
                   "to outputs, followed by ReLU: its direction is learned too, and reported.")
@setting_options(DistillOptions, "head", head={"name": "head_weight"})
@click.option("--from", "begin", type=click.Path(path_type=Path), metavar="FILE",
              help="Begin with these weights, model.safetensors of another folder, say.")
@click.option("--held-out", "held_out", type=click.Path(path_type=Path), multiple=True,
              metavar="PATH", help="Files or folders to report on, instead of every eighth "
                                   "utterance of FRAMES.")
@click.option("--targets", type=click.Path(path_type=Path), metavar="DIR",
              help="Keep the dense network's outputs in a file of DIR for the next run on the same "
                   "frames, instead of in memory.")
@setting_options(TrainOptions, "brief", brief={
    "help": "Products of bfloat16 factors: faster on processors that can."})
@click.option("--threads", type=click.IntRange(min=1), help="Of PyTorch; all processors if not "
                                                            "given.")
@setting_options(TrainOptions, "weight_bits", weight_bits={"name": "train_weight_bits"})
@click.option("--prefix", help="Which LSTM, if the checkpoint holds several.")
@config_options
def distill(checkpoint: Path, frames: tuple[Path, ...], output: Path, density: float,
            matrix_densities: tuple[str, ...], window: int, head: str | None, head_weight: float,
            begin: Path | None, held_out: tuple[Path, ...], targets: Path | None,
            threads: int | None, train_weight_bits: int, prefix: str | None, config: str,
            sets: tuple[str, ...], **values: Any) -> None:
    """Prune a checkpoint and retrain it to answer as before.

    FRAMES … of real input are .npy files, (T, inputs) each, or folders of them.

    \b
    ese distill pretrained.pt mel/ --density 0.5 -o build/half
    ese distill pretrained.pt mel/ --density 0.3 --from build/half/model.safetensors \\
        --schedule one-shot -o build/third
    ese compress build/third/model.safetensors --frames mel/1.npy -o my.ese

    The pruned network learns the dense one's outputs, of every layer. The cosine between both
    networks' last outputs of every held-out utterance (or window) is reported.
    """
    needs("train", "torch")
    import torch

    from ..compress.read.checkpoint import load_network, load_tensors
    from ..train.data.streams import corpus_of
    from ..train.loop.trainer import FILES, Trainer
    from ..train.tasks.distill import Distillation
    from ..train.tasks.targets import Head

    check_files_in(output, *FILES)
    if threads is not None:
        torch.set_num_threads(threads)
    prune = chosen(PruneOptions, values, density=density, config=chosen_config(
        config, sets, **{name: values[name] for name in KNOBS}),
        densities=matrix_values("matrix-density", matrix_densities, float))
    with console.status("Reading") as status:
        teacher = load_network(checkpoint, prefix)
        student = None if begin is None else load_network(begin, "lstm")
        host = None if head is None else Head.of(load_tensors(checkpoint), head, teacher.outputs)
        mine, other = _split(_utterances(frames, teacher), _utterances(held_out, teacher))
        status.update("Running the dense network")
        options = chosen(TrainOptions, values, weight_bits=train_weight_bits)
        task = Distillation(teacher, corpus_of(mine, window),
                            chosen(DistillOptions, values, head=head_weight), host, student,
                            targets)
        trainer = Trainer(task, output, options, prune)
        trainer.run(lambda report: status.update(
            f"step {report.step} of {report.steps}, error {report.loss:.4f}, cosine "
            f"{1 - report.fer / 100:.4f}, density {report.density:.3f}, "
            f"{report.eta:.0f} s left"))
        rest = corpus_of(other, window)
        figures = trainer.evaluate(rest)
    console.print(f"held out: cosine {figures['held_out_cosine']:.4f} mean, "
                  f"{figures['held_out_smallest']:.4f} smallest "
                  f"({len(rest.names)} {'windows' if window else 'utterances'})")
    console.print(f"{output / 'model.safetensors'} after {trainer.step} steps")


def _utterances(paths: Sequence[Path], teacher: "Network") -> list[Frames]:
    """Every utterance of files and folders. Raises EseError naming the rule."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.npy")) if path.is_dir() else [path]
        if path.is_dir() and not any(path.glob("*.npy")):
            raise EseError(f"frames: {path} must hold .npy files, but has none")
    found = load_streams(files)
    widths = {utterance.shape[1] for utterance in found} - {teacher.inputs}
    if widths:
        raise EseError(f"frames: must have {teacher.inputs} inputs as {teacher.source} has, got "
                       f"{sorted(widths)}")
    return found


def _split(frames: list[Frames], held_out: list[Frames]) -> tuple[list[Frames], list[Frames]]:
    """Utterances to learn from, and to report on."""
    if held_out:
        return frames, held_out
    if len(frames) < HELD_OUT_EVERY:
        raise EseError(f"frames: must be at least {HELD_OUT_EVERY} utterances, of which one is "
                       f"held out, got {len(frames)} (or give --held-out)")
    return ([part for number, part in enumerate(frames) if number % HELD_OUT_EVERY],
            frames[::HELD_OUT_EVERY])
