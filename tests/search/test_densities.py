import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.search import densities as densities_of
from ese_lstm.search.densities import Point, choose, read_points, scan
from ese_lstm.train.data.dataset import Dataset
from ese_lstm.train.data.streams import Corpus
from ese_lstm.train.model import PhoneNet
from ese_lstm.train.options import Shape
from ese_lstm.train.pruning import network_from

DENSITIES = [0.5, 0.25]


def test_scan_covers_all_and_goes_on(dataset: Dataset, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = PhoneNet(Shape(dataset.inputs, 8, 4, phones=dataset.phones))
    corpus = Corpus.load(dataset, dataset.split("held-out"))
    path = tmp_path / "points.jsonl"
    pruned: list[list[float]] = []
    real = densities_of.float_answers

    def seen(model: PhoneNet, corpus: Corpus) -> np.ndarray:
        layer, = network_from(model.lstm).layers
        pruned.append([np.count_nonzero(m) / m.size for _name, m in layer.matrices()])
        if len(pruned) == 6:
            raise KeyboardInterrupt
        return real(model, corpus)

    monkeypatch.setattr(densities_of, "float_answers", seen)
    before = network_from(model.lstm).layers[0].w_x.copy()
    with pytest.raises(KeyboardInterrupt):
        scan(model, corpus, PRESETS["tiny"], DENSITIES, path)
    np.testing.assert_array_equal(network_from(model.lstm).layers[0].w_x, before)
    with path.open("a") as file:
        file.write('{"matrix": "W')
    points = scan(model, corpus, PRESETS["tiny"], DENSITIES, path)
    assert len(points) == 1 + 2 * 10 and len(pruned) == len(points) + 1
    assert read_points(path) == points
    assert pruned[:3] == [[1.0] * 9, [0.5] * 9, [0.25] * 9]
    assert pruned[3] == [0.5] + [1.0] * 8  # Wix alone
    np.testing.assert_array_equal(network_from(model.lstm).layers[0].w_x, before)
    assert json.loads(path.read_text().splitlines()[0])["matrix"] == "dense"


def test_choose() -> None:
    points = [Point("dense", 1, 30, 40), Point("all", 0.1, 50, 60), Point("Wix", 0.5, 30, 40.1),
              Point("Wix", 0.2, 30, 40.4), Point("Wix", 0.1, 30, 41), Point("Wym", 0.5, 30, 42)]
    assert choose(points, 0.5) == {"Wix": 0.2, "Wym": 1.0}


def test_wrong_densities(dataset: Dataset, tmp_path: Path) -> None:
    model = PhoneNet(Shape(dataset.inputs, 8, 4, phones=dataset.phones))
    corpus = Corpus.load(dataset, dataset.split("held-out"))
    with pytest.raises(EseError, match="densities: must be over 0 and under 1, got 1.5"):
        scan(model, corpus, PRESETS["tiny"], [0.5, 1.5], tmp_path / "p.jsonl")
