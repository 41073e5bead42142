from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from ese_lstm.bench import decoder_weights as tune
from ese_lstm.train.dataset import Dataset
from ese_lstm.train.evaluate import float_answers, score_answers
from ese_lstm.train.model import PhoneNet, Shape, save_model
from ese_lstm.train.scoring import BIGRAM_WEIGHT, PRIOR_WEIGHT
from ese_lstm.train.streams import Corpus

torch = pytest.importorskip("torch")


@pytest.fixture
def dataset(tmp_path: Path, make_dataset: Callable[[Path], Dataset]) -> Dataset:
    return make_dataset(tmp_path / "data")


def net(dataset: Dataset) -> PhoneNet:
    torch.manual_seed(0)
    return PhoneNet(Shape(dataset.inputs, 8, 4, phones=dataset.phones))


def test_grid_is_what_evaluation_says(dataset: Dataset) -> None:
    model, corpus = net(dataset), Corpus.load(dataset, dataset.split("train"))
    grid = tune.per_grid(model, corpus, [0.0, PRIOR_WEIGHT], [BIGRAM_WEIGHT, 2.0])
    assert len(grid) == 4
    expected = score_answers(model, corpus, float_answers(model, corpus)).per
    assert grid[PRIOR_WEIGHT, BIGRAM_WEIGHT] == expected > 0


def test_only_training_utterances_are_read(dataset: Dataset, tmp_path: Path) -> None:
    save_model(tmp_path / "m", net(dataset))
    for utterance in dataset.split("held-out"):
        (dataset.folder / "features" / f"{utterance.name}.npy").unlink()
    done = CliRunner().invoke(tune.main, [str(tmp_path / "m"), str(dataset.folder), "--priors",
                                          "0,1", "--bigrams", "0.5", "--utterances", "5"])
    assert done.exit_code == 0, done.output
    assert "│ 1 " in done.output
    assert "best: PRIOR_WEIGHT = " in done.output


@pytest.mark.parametrize(("words", "message"), [
    (["--priors", "x"], "priors: must be numbers separated by commas, got 'x'"),
    ([], "model: must be a file, got 'none'")])
def test_mistakes(dataset: Dataset, words: list[str], message: str) -> None:
    done = CliRunner().invoke(tune.main, ["none", str(dataset.folder), *words])
    assert done.exit_code == 2 and done.output == f"error: {message}\n"
