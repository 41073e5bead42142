import json
from pathlib import Path

import pytest
import torch

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.train.data.dataset import Dataset
from ese_lstm.train.data.streams import IGNORED, Corpus, gather
from ese_lstm.train.evaluate import float_scores, keep_mask
from ese_lstm.train.loop.trainer import CHECKPOINT, LOG, MODEL, Trainer
from ese_lstm.train.model import PhoneNet, load_model, network_of
from ese_lstm.train.options import PruneOptions, Shape, TrainOptions
from ese_lstm.train.pruning import density_of
from ese_lstm.train.tasks.classify import Classification

OPTIONS = TrainOptions(epochs=4, streams=3, steps=7, rate=0.02)
PRUNE = PruneOptions(PRESETS["tiny"], 0.25, every=2, ramp=0.6)


def trainer(dataset: Dataset, folder: Path, options: TrainOptions = OPTIONS,
            prune: PruneOptions | None = None) -> Trainer:
    torch.manual_seed(options.seed)
    model = PhoneNet(Shape(dataset.inputs, 8, 4, delay=1, phones=dataset.phones))
    task = Classification(model, Corpus.load(dataset, dataset.split("train")))
    return Trainer(task, folder, options, prune)


@pytest.mark.parametrize("prune, more", [
    (None, {}), (PRUNE, {}), (PRUNE, {"weight_bits": 6}),
    (PRUNE, {"dropout": 0.2, "input_dropout": 0.1, "brief": True})])
def test_resuming_is_the_uninterrupted_training(dataset: Dataset, tmp_path: Path,
                                                prune: PruneOptions | None, more: dict) -> None:
    options = TrainOptions(epochs=4, streams=3, steps=7, rate=0.02, **more)
    trainer(dataset, tmp_path / "whole", options, prune).run()
    pieces = 0
    while True:
        again = trainer(dataset, tmp_path / "parts", options, prune)
        if again.step == again.steps:
            break
        again.run(until=again.step + 5)
        pieces += 1
    assert pieces > 3
    for name in (CHECKPOINT, MODEL):
        assert ((tmp_path / "whole" / name).read_bytes()
                == (tmp_path / "parts" / name).read_bytes()), name


def test_it_learns_and_its_file_says_the_same(dataset: Dataset, tmp_path: Path) -> None:
    run = trainer(dataset, tmp_path, TrainOptions(epochs=25, streams=3, steps=7, rate=0.02))
    held_out = Corpus.load(dataset, dataset.split("held-out"))
    before = run.evaluate(held_out)["held_out_fer"]
    reports = []
    run.run(reports.append)
    scores = run.evaluate(held_out)
    assert scores["held_out_fer"] < 15 < before and scores["held_out_per"] < 15
    assert reports[-1].step == run.steps
    assert load_model(tmp_path / MODEL).state_dict().keys() == run.model.state_dict().keys()
    logged = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert logged[-1]["held_out_per"] == scores["held_out_per"]


def test_every_counted_frame_weighs_the_same(dataset: Dataset, tmp_path: Path) -> None:
    run = trainer(dataset, tmp_path, TrainOptions(epochs=1, streams=3, steps=7))
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.utils, "clip_grad_norm_", lambda parameters, limit: found.append(
            run.model.output.weight.grad.clone()))
        run.run(until=1)
    piece = run.timetable.piece(0, 0)
    frames, labels = gather(run.task.corpus, piece)
    fresh = trainer(dataset, tmp_path / "other")
    logits, _ = fresh.model(torch.from_numpy(frames), fresh.state, keep_mask(piece))
    sums = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), torch.from_numpy(labels).flatten(), ignore_index=IGNORED,
        reduction="sum") / labels.size
    sums.backward()
    assert torch.allclose(found[0], fresh.model.output.weight.grad, rtol=0, atol=1e-6)


def test_dropout_ends_with_training(dataset: Dataset, tmp_path: Path) -> None:
    run = trainer(dataset, tmp_path, TrainOptions(epochs=1, streams=3, steps=7, dropout=0.5,
                                                  input_dropout=0.5, brief=True))
    run.run()
    held_out = Corpus.load(dataset, dataset.split("held-out"))
    assert run.evaluate(held_out) == run.evaluate(held_out)
    assert run.evaluate(held_out)["held_out_fer"] == float_scores(
        load_model(tmp_path / MODEL), held_out).fer


def test_the_model_file_is_what_compress_reads(dataset: Dataset, tmp_path: Path) -> None:
    run = trainer(dataset, tmp_path, prune=PRUNE)
    run.run()
    network = network_of(tmp_path / MODEL)
    layer, = network.layers
    assert (layer.inputs, layer.cells, layer.projection) == (6, 8, 4)
    assert layer.peepholes is not None and layer.bias is not None
    kept = sum(int((matrix != 0).sum()) for _name, matrix in layer.matrices())
    assert kept / layer.weights == density_of(run.model.lstm)["all"] == 0.25


def test_a_loss_that_is_not_finite_keeps_the_checkpoint(dataset: Dataset, tmp_path: Path) -> None:
    run = trainer(dataset, tmp_path)
    run.run(until=2)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with torch.no_grad():
        run.model.output.bias[0] = float("nan")
    with pytest.raises(EseError, match="the loss must be finite, but is nan in step 2; the last "
                                       "checkpoint is kept in .*, a lower rate"):
        run.run()
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_a_first_step_that_is_not_finite_promises_no_checkpoint(dataset: Dataset,
                                                                tmp_path: Path) -> None:
    run = trainer(dataset, tmp_path)
    with torch.no_grad():
        run.model.output.bias[0] = float("inf")
    with pytest.raises(EseError, match="in step 0; there is no checkpoint yet, a lower rate"):
        run.run()


def test_an_input_without_a_signal(dataset: Dataset, tmp_path: Path) -> None:
    corpus = Corpus.load(dataset, dataset.split("train"))
    corpus.frames[:, 2] = 0
    with pytest.raises(EseError, match="features: no input may be 0 in every frame, but input 2 "
                                       f"is in all {len(corpus.frames)}"):
        Classification(PhoneNet(Shape(dataset.inputs, 8, phones=dataset.phones)), corpus)


def test_other_settings_need_another_folder(dataset: Dataset, tmp_path: Path) -> None:
    trainer(dataset, tmp_path).run(until=1)
    with pytest.raises(EseError, match="rate: must be as in .*, 0.02, got 0.01"):
        trainer(dataset, tmp_path, TrainOptions(epochs=4, streams=3, steps=7, rate=0.01))


def test_a_cut_off_checkpoint_is_named(dataset: Dataset, tmp_path: Path) -> None:
    trainer(dataset, tmp_path).run(until=1)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(EseError, match="must be a complete safetensors file"):
        trainer(dataset, tmp_path)


@pytest.mark.parametrize("values, message", [
    ({"epochs": 0}, "epochs: must be at least 1, got 0"),
    ({"rate": float("nan")}, "rate: must be over 0 and finite, got nan"),
    ({"dropout": 1.0}, "^dropout: must be at least 0 and under 1, got 1.0$")])
def test_wrong_options(values: dict, message: str) -> None:
    with pytest.raises(EseError, match=message):
        TrainOptions(**values)
