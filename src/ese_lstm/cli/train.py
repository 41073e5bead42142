"""``ese train``: a peephole LSTMP on a dataset folder; pruning, rounding, resuming."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contract.errors import EseError
from ..train.options import PruneOptions, Shape, TrainOptions
from .compress import matrix_values
from .needs import needs
from .options import KNOBS, chosen_config, config_options
from .outputs import check_files_in
from .settings import chosen, setting_options
from .terminal import console

if TYPE_CHECKING:
    from ..train.data.dataset import Dataset
    from ..train.loop.trainer import Report
    from ..train.model import PhoneNet

FIGURES = ("loss", "fer", "rate", "density")


@click.command(context_settings={"show_default": True})
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Folder of this training; one that was interrupted goes on in it.")
@click.option("--from", "start", type=click.Path(path_type=Path), metavar="MODEL",
              help="Start from a model of an earlier training instead of random weights.")
@setting_options(Shape)
@setting_options(TrainOptions, weight_bits={"name": "train_weight_bits"})
@click.option("--density", type=float, help="Prune to this share of every matrix's weights.")
@click.option("--matrix-density", "matrix_densities", multiple=True, metavar="NAME=VALUE",
              help="Density of one matrix (Wix … Wym); may be repeated.")
@setting_options(PruneOptions)
@config_options
@click.option("--threads", type=int, default=0, help="Threads of PyTorch; 0: its own choice.")
@click.option("--evaluate/--no-evaluate", default=True, help="Score the held-out split at the end.")
@click.option("--tensorboard", is_flag=True, help="Log for TensorBoard as well, into the folder.")
def train(dataset: Path, output: Path, start: Path | None, density: float | None,
          matrix_densities: tuple[str, ...], config: str, sets: tuple[str, ...], threads: int,
          evaluate: bool, tensorboard: bool, train_weight_bits: int, **values: Any) -> None:
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
    from ..train.loop.trainer import FILES, Trainer
    from ..train.tasks.classify import Classification

    check_files_in(output, *FILES, "calibration.npy")
    if threads:
        torch.set_num_threads(threads)
    with console.status("Reading the dataset") as status:
        data = Dataset(dataset)
        options = chosen(TrainOptions, values, weight_bits=train_weight_bits)
        prune = _pruning(values, density, matrix_densities, config, sets)
        torch.manual_seed(options.seed)
        model = _model(data, start, values)
        corpus = Corpus.load(data, data.split("train"))
        status.update("Setting up")
        trainer = Trainer(Classification(model, corpus, start is None), output, options, prune)
        save_array(output / "calibration.npy", calibration_streams(corpus, model))
        writer = _writer(output) if tensorboard else None
        if trainer.step:
            console.print(f"going on from step {trainer.step}")
        trainer.run(_teller(status.update, writer))
        if evaluate:
            status.update("Scoring the held-out split")
            held_out = Corpus.load(data, data.split("held-out"))
            figures = trainer.evaluate(held_out)
            if writer is not None:
                for name, value in figures.items():
                    writer.add_scalar(name, value, trainer.step)
            console.print(f"held out: FER {figures['held_out_fer']:.2f} %, PER "
                          f"{figures['held_out_per']:.2f} % ({len(held_out.names)} utterances)")
    console.print(f"{output / 'model.safetensors'} after {trainer.step} steps")


def _teller(show: Callable[[str], None], writer: Any) -> Callable[["Report"], None]:
    """What shows a report while training runs, and writes it for TensorBoard."""
    def tell(report: "Report") -> None:
        left = time.strftime("%H:%M:%S", time.gmtime(report.eta))
        show(f"step {report.step} of {report.steps}, epoch {report.epoch + 1}, loss "
             f"{report.loss:.3f}, FER {report.fer:.1f} %, density {report.density:.3f}, "
             f"{left} left")
        if writer is not None:
            for name in FIGURES:
                writer.add_scalar(name, getattr(report, name), report.step)
    return tell


def _pruning(values: dict[str, Any], density: float | None, matrix_densities: tuple[str, ...],
             config: str, sets: tuple[str, ...]) -> PruneOptions | None:
    """None unless a density is given."""
    if density is None and not matrix_densities:
        return None
    engine = chosen_config(config, sets, **{name: values[name] for name in KNOBS})
    return chosen(PruneOptions, values, config=engine, density=1.0 if density is None else density,
                  densities=matrix_values("matrix-density", matrix_densities, float))


def _model(data: "Dataset", start: Path | None, values: dict[str, Any]) -> "PhoneNet":
    """Of random weights, or an earlier training's."""
    from ..train.model import PhoneNet, check_dataset, load_model

    if start is None:
        return PhoneNet(chosen(Shape, values, inputs=data.inputs, phones=data.phones))
    model = load_model(start)
    check_dataset(model, start, data)
    return model


def _writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise EseError("tensorboard: must be installed for --tensorboard (pip install "
                       "tensorboard)") from None
    if shutil.disk_usage(folder).free < 1 << 20:
        raise EseError(f"output: {folder} must have room, but the disk is full")
    return SummaryWriter(str(folder))
