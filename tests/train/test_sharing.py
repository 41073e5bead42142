"""Shared weights train as centroids, resume bit-exactly, and reach the image unchanged."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.share import share_network
from ese_lstm.compress.share_torch import LookUp
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import read_image, write_image
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.train.data.dataset import Dataset
from ese_lstm.train.data.streams import Corpus
from ese_lstm.train.loop.checkpoint import load_checkpoint
from ese_lstm.train.loop.trainer import CHECKPOINT, MODEL, Trainer
from ese_lstm.train.model import PhoneNet, load_model, network_of
from ese_lstm.train.options import PruneOptions, Shape, TrainOptions
from ese_lstm.train.pruning import network_from
from ese_lstm.train.sharing import apply_codes, codes_of, share_weights
from ese_lstm.train.tasks.classify import Classification

BITS = 2
ONE_SHOT = PruneOptions(PRESETS["tiny"], 0.5, schedule="one-shot")


def options(**changes: object) -> TrainOptions:
    return TrainOptions(**{"epochs": 3, "streams": 3, "steps": 7, "rate": 0.005,
                           "share_bits": BITS, **changes})


def trainer(dataset: Dataset, folder: Path, settings: TrainOptions,
            prune: PruneOptions | None = ONE_SHOT, start: Path | None = None) -> Trainer:
    torch.manual_seed(settings.seed)
    model = (PhoneNet(Shape(dataset.inputs, 8, 4, delay=1, phones=dataset.phones))
             if start is None else load_model(start))
    task = Classification(model, Corpus.load(dataset, dataset.split("train")), start is None)
    return Trainer(task, folder, settings, prune)


def matrices(model: PhoneNet) -> list[np.ndarray]:
    return [matrix for _name, matrix in network_from(model.lstm).layers[0].matrices()]


@pytest.mark.parametrize("bits", [0, 6])
def test_resuming_is_the_uninterrupted_training(dataset: Dataset, tmp_path: Path,
                                                bits: int) -> None:
    settings = options(weight_bits=bits, epochs=2)
    trainer(dataset, tmp_path / "whole", settings).run()
    pieces = 0
    while True:
        again = trainer(dataset, tmp_path / "parts", settings)
        if again.step == again.steps:
            break
        again.run(until=again.step + 4)
        pieces += 1
    assert pieces > 1
    for name in (CHECKPOINT, MODEL):
        assert ((tmp_path / "whole" / name).read_bytes()
                == (tmp_path / "parts" / name).read_bytes()), name


def test_codebooks_train_and_zeros_stay(dataset: Dataset, tmp_path: Path) -> None:
    run = trainer(dataset, tmp_path, options())
    before, codes = matrices(run.model), codes_of(run.model.lstm)
    run.run()
    moved = 0
    for old, new in zip(before, matrices(run.model), strict=True):
        assert np.array_equal(old == 0, new == 0) and np.mean(old == 0) == 0.5
        assert 1 < len(np.unique(new[new != 0])) <= 1 << BITS
        moved += int(np.count_nonzero(old != new))
    assert moved > 0.9 * sum(np.count_nonzero(matrix) for matrix in before)
    for name, code in codes_of(run.model.lstm).items():
        assert torch.equal(code, codes[name])
    assert len(codes) == 3


def test_it_learns(dataset: Dataset, tmp_path: Path) -> None:
    """Sharing costs something at once; training the centroids wins it back."""
    dense = trainer(dataset, tmp_path / "dense", options(share_bits=0, epochs=20, rate=0.02), None)
    dense.run()
    start = tmp_path / "dense" / MODEL
    run = trainer(dataset, tmp_path / "shared", options(share_bits=1, epochs=6), None, start)
    corpus = Corpus.load(dataset, dataset.split("train"))
    before = run.evaluate(corpus)
    reports = []
    run.run(reports.append)
    after = run.evaluate(corpus)
    assert after["held_out_fer"] < before["held_out_fer"]
    held_out = run.evaluate(Corpus.load(dataset, dataset.split("held-out")))
    assert held_out["held_out_fer"] < 25


def test_compress_keeps_the_codebook(dataset: Dataset, tmp_path: Path) -> None:
    """No second k-means: the image's weights are the trained values, rounded once."""
    config = PRESETS["tiny"]
    run = trainer(dataset, tmp_path, options())
    run.run()
    network = network_of(tmp_path / MODEL)
    for (name, again), (_, mine) in zip(share_network(network, BITS).layers[0].matrices(),
                                        network.layers[0].matrices(), strict=True):
        assert np.array_equal(again, mine.astype(np.float64)), name
    image, report = compress_network(network, config, options=CompressOptions(
        share_bits=BITS, huffman=True))
    plain, _ = compress_network(network, config)
    write_image(tmp_path / "m.ese", image)
    back = read_image(tmp_path / "m.ese")
    assert np.array_equal(back.sections["entries"], plain.sections["entries"])
    books = image.coded["codebooks"]
    assert len(books) == 9
    assert all(len(np.unique(book[book != 0])) <= 1 << BITS for book in books)
    layer = network.layers[0]
    info = image.manifest.layers[0]
    compared = 0
    for (name, mine), (_, rounded) in zip(layer.matrices(), report.rounded.layers[0].matrices(),
                                          strict=True):
        frac = (info.projection_weight_frac if name == "Wym"
                else info.gate_weight_frac[name.endswith("r")])
        step = 2.0 ** -frac
        expected = np.floor(mine.astype(np.float64) / step + 0.5) * step
        assert np.array_equal(rounded, expected)
        compared += int(np.count_nonzero(expected))
    assert compared == sum(len(tile.weights) for tile in decode_image(back).tiles) > 100


def test_prune_then_share_again_changes_nothing(dataset: Dataset, tmp_path: Path) -> None:
    """A shared model is a start for more training: same values, same zeros."""
    run = trainer(dataset, tmp_path / "one", options())
    run.run(until=6)
    again = trainer(dataset, tmp_path / "two", options(), None, tmp_path / "one" / MODEL)
    for old, new in zip(matrices(run.model), matrices(again.model), strict=True):
        assert np.array_equal(old, new) and old.any()


def test_the_gradient_does_not_depend_on_threads(seed: int) -> None:
    """Equal sums to the bit, which indexing's own gradient does not promise."""
    torch.manual_seed(seed)
    slots, where = torch.randint(0, 8, (60_000,)), torch.randperm(100_000)[:60_000]
    grad = torch.randn(100_000)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            book = torch.randn(2, 4, requires_grad=True)
            LookUp.apply(book, slots, where, torch.Size([100_000])).backward(grad)
            found.append(book.grad)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1]) and torch.equal(found[1], found[2])
    wanted = [grad[where][slots == k].double().sum().item() for k in range(8)]
    np.testing.assert_allclose(found[0].flatten().numpy(), wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("bits, prune, message", [
    (9, None, r"^share_bits: must be 1 to 8, or 0 for none, got 9$"),
    (3, PruneOptions(PRESETS["tiny"], 0.5), "or with schedule one-shot, got 'gradual'")])
def test_refused(dataset: Dataset, tmp_path: Path, bits: int, prune: PruneOptions | None,
                 message: str) -> None:
    with pytest.raises(EseError, match=message):
        trainer(dataset, tmp_path, options(share_bits=bits), prune)
    assert not (tmp_path / CHECKPOINT).exists()


def test_codes_of_another_network_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    trainer(dataset, tmp_path, options()).run(until=1)
    other = PhoneNet(Shape(dataset.inputs, 12, 4, delay=1, phones=dataset.phones))
    with pytest.raises(EseError, match="codes: weight_.h_l0 must be a matrix of this network"):
        load_checkpoint(tmp_path / CHECKPOINT, other, None)
    share_weights(other.lstm, 3)
    codes = codes_of(other.lstm)
    with pytest.raises(EseError, match="with a codebook that holds its codes"):
        apply_codes(PhoneNet(other.shape).lstm, codes,
                    {name: torch.zeros(4, 2) for name in codes})


def test_a_checkpoint_from_before_sharing_goes_on(dataset: Dataset, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that an older checkpoint does not name are those it was trained with."""
    settings = options(share_bits=0)
    run = trainer(dataset, tmp_path, settings, None)
    del run._settings["share_bits"]
    run.run(until=2)
    assert trainer(dataset, tmp_path, settings, None).step == 2
    with pytest.raises(EseError, match="share_bits: must be as in .*, 0, got 2"):
        trainer(dataset, tmp_path, options(), None)
