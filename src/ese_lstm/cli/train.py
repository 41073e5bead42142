"""``ese train``: a peephole LSTMP on a dataset folder; pruning, rounding, resuming."""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contract.errors import EseError
from .compress import matrix_values
from .needs import needs
from .options import KNOBS, chosen_config, config_options
from .outputs import check_files_in
from .terminal import console

if TYPE_CHECKING:
    from ..train.loop.trainer import Report

FIGURES = ("loss", "fer", "rate", "density")


@click.command(context_settings={"show_default": True})
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Folder of this training; one that was interrupted goes on in it.")
@click.option("--from", "start", type=click.Path(path_type=Path), metavar="MODEL",
              help="Start from a model of an earlier training instead of random weights.")
@click.option("--cells", type=int, default=1024, help="LSTM cells of a layer.")
@click.option("--projection", type=int, default=512, help="Width of the projection; 0: none.")
@click.option("--layers", type=int, default=1, help="LSTMP layers.")
@click.option("--peepholes/--no-peepholes", default=True, help="Peephole connections.")
@click.option("--delay", type=int, default=3, help="Frames by which answers come late.")
@click.option("--epochs", type=int, default=10, help="Passes over the training split.")
@click.option("--streams", type=int, default=64, help="Utterances side by side.")
@click.option("--steps", type=int, default=25, help="Frames of back-propagation through time.")
@click.option("--rate", type=float, default=2e-3, help="Adam's rate, falling along a cosine.")
@click.option("--clip", type=float, default=5.0, help="Largest norm of the gradient.")
@click.option("--dropout", type=float, default=0.0, help="Share of the LSTM's outputs dropped.")
@click.option("--input-dropout", type=float, default=0.0, help="Share of inputs dropped.")
@click.option("--augment", is_flag=True,
              help="Vary tempo, vocal tract, missing bands and moments, per utterance and epoch.")
@click.option("--brief", is_flag=True, help="Products of bfloat16 factors: faster, less exact.")
@click.option("--seed", type=int, default=1, help="Of weights and of the order of utterances.")
@click.option("--density", type=float, help="Prune to this share of every matrix's weights.")
@click.option("--matrix-density", "matrix_densities", multiple=True, metavar="NAME=VALUE",
              help="Density of one matrix (Wix … Wym); may be repeated.")
@click.option("--balance", type=click.Choice(["matrix", "tile", "none"]), default="matrix",
              help="Equal shares per lane and matrix, per lane and tile, or plain magnitude.")
@click.option("--keep-one", is_flag=True, help="Leave no (lane, column) without a weight.")
@click.option("--schedule", type=click.Choice(["one-shot", "gradual"]), default="gradual",
              help="Prune before the first step, or along a cubic.")
@click.option("--ramp", type=float, default=0.5, help="Share of training that the cubic takes.")
@click.option("--train-weight-bits", type=int, default=0,
              help="Quantisation-aware: round weights to so many bits in training; 0: don't.")
@click.option("--share-bits", type=int, default=0,
              help="2**BITS values a matrix from the first step on, which then train (Deep "
                   "Compression); of weights that are pruned already. 0: don't.")
@config_options
@click.option("--threads", type=int, default=0, help="Threads of PyTorch; 0: its own choice.")
@click.option("--evaluate/--no-evaluate", default=True, help="Score the held-out split at the end.")
@click.option("--tensorboard", is_flag=True, help="Log for TensorBoard as well, into the folder.")
def train(dataset: Path, output: Path, start: Path | None, density: float | None,
          matrix_densities: tuple[str, ...], balance: Any, keep_one: bool, schedule: str,
          ramp: float, train_weight_bits: int, config: str, sets: tuple[str, ...], threads: int,
          evaluate: bool, tensorboard: bool, **values: Any) -> None:
    """Train a phone classifier, dense or pruned.

    On DATASET, which ese data prepare writes.

    \b
    ese train build/speech -o build/dense --epochs 6
    ese train build/speech -o build/pruned --from build/dense/model.safetensors \\
        --density 0.112 --epochs 8
    ese train build/speech -o build/redense --from build/pruned/model.safetensors
    ese train build/speech -o build/shared --from build/pruned/model.safetensors \\
        --share-bits 5 --rate 0.0001 --epochs 3

    The same command goes on where an interrupted one stopped, bit-exactly. The folder gets
    model.safetensors (for ese compress and ese evaluate), calibration.npy (for ese compress
    --frames), log.jsonl and the checkpoint. The third command is DSD's re-dense phase. What
    the fourth one writes, ese compress --share-bits 5 stores as it is.
    """
    needs("train", "torch")
    import torch

    from ..train.calibration import calibration_streams
    from ..train.data.dataset import Dataset, save_array
    from ..train.data.streams import Corpus
    from ..train.loop.trainer import FILES, Trainer, TrainOptions
    from ..train.model import PhoneNet, Shape, load_model
    from ..train.pruning import PruneOptions

    check_files_in(output, *FILES, "calibration.npy")
    if threads:
        torch.set_num_threads(threads)
    with console.status("Reading the dataset") as status:
        data = Dataset(dataset)
        options = TrainOptions(values["epochs"], values["streams"], values["steps"],
                               values["rate"], values["clip"], values["seed"], train_weight_bits,
                               values["dropout"], values["input_dropout"], values["brief"],
                               values["augment"], values["share_bits"])
        prune = None
        if density is not None or matrix_densities:
            engine = chosen_config(config, sets, **{name: values[name] for name in KNOBS})
            densities = matrix_values("matrix-density", matrix_densities, float)
            prune = PruneOptions(engine, 1.0 if density is None else density, densities,
                                 balance, keep_one, schedule, ramp)
        torch.manual_seed(values["seed"])
        if start is None:
            model = PhoneNet(Shape(data.inputs, values["cells"], values["projection"],
                                   values["layers"], values["peepholes"], values["delay"],
                                   data.phones))
        else:
            model = load_model(start)
            if (model.shape.inputs, model.shape.phones) != (data.inputs, data.phones):
                raise EseError(f"model: {start} must have the {data.inputs} inputs and the phones "
                               f"of {dataset}, got {model.shape.inputs} inputs and "
                               f"{len(model.shape.phones)} phones")
        corpus = Corpus.load(data, data.split("train"))
        status.update("Setting up")
        trainer = Trainer(model, corpus, output, options, prune, fresh=start is None)
        save_array(output / "calibration.npy", calibration_streams(corpus, model))
        writer = _writer(output) if tensorboard else None

        def tell(report: "Report") -> None:
            left = time.strftime("%H:%M:%S", time.gmtime(report.eta))
            status.update(f"step {report.step} of {report.steps}, epoch {report.epoch + 1}, loss "
                          f"{report.loss:.3f}, FER {report.fer:.1f} %, density "
                          f"{report.density:.3f}, {left} left")
            if writer is not None:
                for name in FIGURES:
                    writer.add_scalar(name, getattr(report, name), report.step)

        if trainer.step:
            console.print(f"going on from step {trainer.step}")
        trainer.run(tell)
        if evaluate:
            status.update("Scoring the held-out split")
            scores = trainer.evaluate(Corpus.load(data, data.split("held-out")))
            if writer is not None:
                writer.add_scalar("held_out_fer", scores.fer, trainer.step)
                writer.add_scalar("held_out_per", scores.per, trainer.step)
            console.print(f"held out: FER {scores.fer:.2f} %, PER {scores.per:.2f} % "
                          f"({scores.utterances} utterances)")
    console.print(f"{output / 'model.safetensors'} after {trainer.step} steps")


def _writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise EseError("tensorboard: must be installed for --tensorboard (pip install "
                       "tensorboard)") from None
    if shutil.disk_usage(folder).free < 1 << 20:
        raise EseError(f"output: {folder} must have room, but the disk is full")
    return SummaryWriter(str(folder))
