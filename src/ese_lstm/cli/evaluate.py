"""``ese evaluate``: frame and phone error rates, float or bit-exact fixed point."""

import json
import time
from pathlib import Path
from typing import Any

import click

from ..contract.files import write_atomically
from ..contract.image import read_image
from .needs import needs
from .outputs import check_files
from .show import simulate_table
from .terminal import console

CONFUSIONS = 8


@click.command(context_settings={"show_default": True})
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--image", type=click.Path(path_type=Path), metavar="FILE.ese",
              help="Run the LSTM as this packed image in the golden model, bit-exactly, instead "
                   "of in floating point.")
@click.option("--channels", type=click.IntRange(1, 128),
              help="Channels of the golden model instead of the image's; results don't depend "
                   "on them, speed does.")
@click.option("--split", type=click.Choice(["train", "held-out"]), default="held-out")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first utterances.")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE.json",
              help="Write figures and the confusion matrix as JSON.")
def evaluate(model: Path, dataset: Path, image: Path | None, channels: int | None, split: str,
             limit: int | None, report: Path | None) -> None:
    """Score a model on a dataset.

    \b
    ese evaluate build/dense/model.safetensors build/speech
    ese compress build/pruned/model.safetensors --frames build/pruned/calibration.npy -o p.ese
    ese evaluate build/pruned/model.safetensors build/speech --image p.ese --channels 64
    """
    needs("train", "torch")
    from ..train.data.dataset import Dataset
    from ..train.data.streams import Corpus
    from ..train.evaluate import fixed_answers, float_answers, score_answers
    from ..train.model import check_dataset, load_model

    check_files(report)
    with console.status("Reading") as status:
        net, data = load_model(model), Dataset(dataset)
        check_dataset(net, model, data)
        corpus = Corpus.load(data, data.split(split)[:limit])
        begin = time.monotonic()

        def show(done: float) -> None:
            status.update(f"Running, {100 * done:.0f} %")

        figures: dict[str, Any] = {}
        if image is None:
            answers: Any = float_answers(net, corpus, progress=show)
        else:
            answers, saturations, clipped = fixed_answers(net, read_image(image), corpus,
                                                          channels, show)
            figures["saturated_input"] = clipped
            figures |= {f"saturated_{name}": count for name, count in vars(saturations).items()}
        ran = time.monotonic() - begin
        status.update("Viterbi")
        scores = score_answers(net, corpus, answers)
    phones = data.phones
    wrong = scores.confusion.copy()
    for number in range(len(phones)):
        wrong[number, number] = 0
    worst = []
    for place in wrong.ravel().argsort()[::-1][:CONFUSIONS]:
        truth, found = divmod(int(place), len(phones))
        if wrong[truth, found]:
            worst.append(f"{phones[truth]}→{phones[found]} {wrong[truth, found]}")
    figures = {"arithmetic": "float" if image is None else "fixed point, bit-exact",
               "utterances": scores.utterances, "frames": scores.frames,
               "FER": f"{scores.fer:.2f} %", "PER": f"{scores.per:.2f} %",
               "phones": scores.phones, "phone errors": scores.phone_errors,
               "most confused frames": ", ".join(worst), **figures, "seconds": round(ran, 1)}
    if report is not None:
        text = json.dumps({**figures, "fer": scores.fer, "per": scores.per,
                           "phone_names": list(phones),
                           "confusion": scores.confusion.tolist()}, indent=2) + "\n"
        write_atomically(report, lambda path: path.write_text(text, encoding="utf-8"))
    simulate_table(figures)
