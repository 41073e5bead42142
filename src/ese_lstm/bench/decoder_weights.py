"""``python -m ese_lstm.bench.decoder_weights``: PER over a grid of the decoder's two weights.

For choosing PRIOR_WEIGHT and BIGRAM_WEIGHT of ``train.scoring``. It reads utterances of the
training split alone, so that nothing is chosen on what is held out; nothing is trained.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from ..cli.terminal import Progress, exit_codes
from ..contract.errors import EseError
from ..train.dataset import Dataset
from ..train.evaluate import float_answers
from ..train.model import PhoneNet, load_model
from ..train.scoring import BIGRAM_WEIGHT, PRIOR_WEIGHT, score
from ..train.streams import Corpus
from .tables import Text, show

PRIORS = "0,0.2,0.4,0.6,0.8"
BIGRAMS = "0.25,0.5,0.75,1,1.5,2"

Grid = dict[tuple[float, float], float]


def per_grid(model: PhoneNet, corpus: Corpus, priors: Sequence[float], bigrams: Sequence[float],
             tell: Progress | None = None) -> Grid:
    """PER (%) by (prior weight, bigram weight), of the float model's answers."""
    answers = float_answers(model, corpus)
    pairs = [(answers[first:first + length], corpus.labels[first:first + length])
             for first, length in zip(corpus.first, corpus.lengths, strict=True)]
    grid: Grid = {}
    wanted = [(prior, bigram) for prior in priors for bigram in bigrams]
    for number, key in enumerate(wanted):
        if tell is not None:
            tell("Viterbi", number / len(wanted))
        grid[key] = score(pairs, model.priors.numpy(), model.bigram.numpy(), *key).per
    return grid


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--utterances", type=click.IntRange(min=1), default=400,
              help="Of the training split, spread evenly over it.")
@click.option("--priors", default=PRIORS, metavar="LIST", help="Weights of the log prior.")
@click.option("--bigrams", default=BIGRAMS, metavar="LIST", help="Weights of the log bigram.")
def main(model: Path, dataset: Path, utterances: int, priors: str, bigrams: str) -> None:
    """Print PER of MODEL on training utterances of DATASET for every pair of decoder weights.

    Exit codes: 0; 2 wrong input.
    """
    with exit_codes():
        weights = [_numbers(name, text) for name, text in (("priors", priors),
                                                           ("bigrams", bigrams))]
        net, data = load_model(model), Dataset(dataset)
        if (net.shape.inputs, net.shape.phones) != (data.inputs, data.phones):
            raise EseError(f"model: {model} must have the {data.inputs} inputs and the phones of "
                           f"{dataset}")
        train = data.split("train")
        places = np.unique(np.linspace(0, len(train) - 1, utterances).round().astype(int))
        corpus = Corpus.load(data, [train[place] for place in places])
        grid = per_grid(net, corpus, weights[0], weights[1], Progress())
    show([Text(f"PER %, {len(places)} training utterances",
               ("prior \\ bigram", *(f"{bigram:g}" for bigram in weights[1])),
               tuple((f"{prior:g}", *(f"{grid[prior, bigram]:.2f}" for bigram in weights[1]))
                     for prior in weights[0]))])
    best = min(grid, key=lambda key: grid[key])
    click.echo(f"best: PRIOR_WEIGHT = {best[0]:g}, BIGRAM_WEIGHT = {best[1]:g} "
               f"({grid[best]:.2f} %); at present {PRIOR_WEIGHT:g} and {BIGRAM_WEIGHT:g}")


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise EseError(f"{name}: must be numbers separated by commas, got {text!r}") from None


if __name__ == "__main__":
    main()
