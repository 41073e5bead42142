from pathlib import Path

import numpy as np
import pytest
import torch

from ese_lstm.compress.matrices import MATRICES
from ese_lstm.compress.widths import narrow_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.search import widths
from ese_lstm.search.widths import Choice, WidthPoint, WidthScan, greedy, read_width_points
from ese_lstm.train.calibration import calibration_frames
from ese_lstm.train.data.dataset import Dataset
from ese_lstm.train.data.streams import Corpus
from ese_lstm.train.evaluate import float_answers, score_answers
from ese_lstm.train.model import PhoneNet, Shape
from ese_lstm.train.pruning import load_network_into, network_from

BITS = [3, 8, 12]


@pytest.fixture
def scan(dataset: Dataset, tmp_path: Path) -> WidthScan:
    torch.manual_seed(0)
    model = PhoneNet(Shape(dataset.inputs, 8, 4, phones=dataset.phones))
    corpus = Corpus.load(dataset, dataset.split("held-out"))
    few = Corpus.load(dataset, dataset.split("held-out")[:2])
    frames = calibration_frames(Corpus.load(dataset, dataset.split("train")), model)
    return WidthScan(model, corpus, few, PRESETS["tiny"], frames, tmp_path / "points.jsonl")


def again(scan: WidthScan) -> WidthScan:
    return WidthScan(scan.model, scan.corpus, scan.few, scan.config, scan.frames, scan.path)


def test_every_tensor_at_every_width(scan: WidthScan, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = []
    real = widths.fixed_answers

    def seen(model: PhoneNet, image: object, *rest: object) -> object:
        engines.append(image.config)  # type: ignore[attr-defined]
        return real(model, image, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(widths, "fixed_answers", seen)
    before = network_from(scan.model.lstm)
    points = scan.scan(BITS)
    assert [(p.tensor, p.bits) for p in points] == [
        ("float", 0), *((name, bits) for name in ("all", *MATRICES) for bits in (12, 8, 3)),
        ("float", 0), ("activations", 12), ("activations", 8)]
    assert [(e.act_bits, e.weight_bits) for e in engines] == [(12, 18), (8, 18)]
    assert {p.utterances for p in points if p.tensor == "activations"} == {2}
    np.testing.assert_array_equal(network_from(scan.model.lstm).layers[0].w_x,
                                  before.layers[0].w_x)
    load_network_into(scan.model.lstm, narrow_network(before, {"Wcx": 3}))
    expected = score_answers(scan.model, scan.corpus, float_answers(scan.model, scan.corpus))
    load_network_into(scan.model.lstm, before)
    found = next(p for p in points if (p.tensor, p.bits) == ("Wcx", 3))
    assert (found.fer, found.per) == (expected.fer, expected.per)
    assert read_width_points(scan.path) == points

    monkeypatch.setattr(widths, "fixed_answers", None)
    monkeypatch.setattr(widths, "float_answers", None)
    with scan.path.open("a") as file:
        file.write('{"tensor": "W')
    assert again(scan).scan(BITS) == points, "nothing is computed twice"


def test_chosen_widths_keep_the_target_together(scan: WidthScan) -> None:
    choice = scan.choose(BITS, 5.0)
    assert set(choice.weights) == set(MATRICES)
    assert choice.weight_rise <= 5.0 or set(choice.weights.values()) == {12}
    assert choice.activations in (8, 12)
    assert again(scan).choose(BITS, 5.0) == choice
    for word in ("--weight-bits", "--act-bits"):
        assert word in choice.options


def test_steps_are_taken_back_until_the_target_holds(scan: WidthScan,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """Together, narrow matrices cost more than the sum of what each costs alone."""
    def point(tensor: str, bits: int, per: float) -> WidthPoint:
        return WidthPoint(tensor, bits, 3, 30.0, per)

    points = [point("float", 0, 40.0), *(point(name, bits, 40.0) for name in MATRICES
                                         for bits in (12, 8, 3)), point("activations", 12, 40.05),
              point("activations", 8, 41.0)]
    monkeypatch.setattr(scan, "scan", lambda bits: points)
    monkeypatch.setattr(scan, "reference", lambda: points[0])
    monkeypatch.setattr(scan, "fixed", lambda *rest, **more: point("", 12, 40.15))
    monkeypatch.setattr(scan, "floating", lambda chosen, *rest: point(
        "", 0, 40 + 0.1 * sum(bits == 3 for bits in chosen.values())))
    choice = scan.choose(BITS, 0.25)
    assert sorted(choice.weights.values()).count(3) == 2
    assert choice.weight_rise == pytest.approx(0.2)
    assert choice.activations == 12 and choice.rise == pytest.approx(0.15)


def test_greedy_saves_most_bits_first() -> None:
    points = [WidthPoint("float", 0, 1, 0, 40.0)]
    for name, rises in (("Wix", (0.0, 0.05, 0.2)), ("Wym", (-0.1, 0.0, 0.0))):
        points += [WidthPoint(name, bits, 1, 0, 40 + rise)
                   for bits, rise in zip((12, 8, 4), rises, strict=True)]
    steps = greedy(points, 0.1, {"Wix": 1000, "Wym": 10})
    assert steps[0] == {"Wix": 12, "Wym": 12}
    assert steps[-1] == {"Wix": 8, "Wym": 4}, "the last step of Wix would cost 0.2"
    assert len(steps) == 4
    assert greedy(points, 0.0, {"Wix": 1000, "Wym": 10})[-1] == {"Wix": 12, "Wym": 4}


def test_options() -> None:
    choice = Choice({"Wix": 8, "Wfx": 12, "Wym": 12}, 14, 0.0, 0.0)
    assert choice.options == "--weight-bits 12 --act-bits 14 --weight-bits-of Wix=8"


@pytest.mark.parametrize(("bits", "message"), [
    ([4, 6], "bits: must hold one of at least 8 for activations, got 4, 6"),
    ([20, 8], "must be 2 to weight_bits=18, got 20"),
    ([], "bits: must be given")])
def test_wrong_bits(scan: WidthScan, bits: list[int], message: str) -> None:
    with pytest.raises(EseError, match=message):
        scan.scan(bits)
