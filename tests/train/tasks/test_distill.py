import json
from pathlib import Path

import numpy as np
import pytest

from ese_lstm.compress.network import Layer, Network
from ese_lstm.compress.reference import run_float
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.train.data.streams import Corpus, corpus_of
from ese_lstm.train.loop.trainer import CHECKPOINT, LOG, MODEL, Trainer
from ese_lstm.train.model import network_of
from ese_lstm.train.options import DistillOptions, PruneOptions, TrainOptions
from ese_lstm.train.pruning import density_of, network_from
from ese_lstm.train.tasks.distill import Distillation
from ese_lstm.train.tasks.student import Student, column_exponents, student_of
from ese_lstm.train.tasks.targets import Head, all_outputs, final_cosines

OPTIONS = TrainOptions(epochs=30, streams=4, steps=8, rate=0.02)
PRUNE = PruneOptions(PRESETS["tiny"], 0.5, schedule="one-shot")


@pytest.fixture
def teacher() -> Network:
    rng = np.random.default_rng(4)
    return Network((Layer(rng.normal(size=(32, 5)), rng.normal(size=(32, 8)), rng.normal(size=32)),
                    Layer(rng.normal(size=(32, 8)), rng.normal(size=(32, 8)),
                          rng.normal(size=32))))


@pytest.fixture
def corpus() -> Corpus:
    rng = np.random.default_rng(9)
    return corpus_of([rng.normal(size=(length, 5)) for length in (12, 20, 7, 15, 30, 9)])


def distiller(teacher: Network, corpus: Corpus, folder: Path, options: TrainOptions = OPTIONS,
              prune: PruneOptions | None = PRUNE, distil: DistillOptions | None = None,
              head: Head | None = None, begin: Network | None = None,
              targets: Path | None = None) -> Trainer:
    return Trainer(Distillation(teacher, corpus, distil, head, begin, targets), folder, options,
                   prune)


def student(trainer: Trainer) -> Network:
    assert isinstance(trainer.model, Student)
    return trainer.model.network()


def outputs_of(network: Network, corpus: Corpus) -> np.ndarray:
    """Outputs of every frame, each utterance from zero state, (total, outputs)."""
    found = np.empty((len(corpus.frames), network.outputs))
    for first, length in zip(corpus.first, corpus.lengths, strict=True):
        where = slice(int(first), int(first + length))
        found[where] = run_float(network, corpus.frames[where]).outputs[:, :, 0]
    return found


def test_a_student_begins_as_its_teacher(teacher: Network, corpus: Corpus) -> None:
    student = student_of(teacher)
    np.testing.assert_allclose(outputs_of(network_from(student.lstm), corpus),
                               outputs_of(teacher, corpus), atol=1e-5)
    np.testing.assert_allclose(final_cosines(teacher, student.network(), corpus), 1, atol=1e-9)


def test_distillation_brings_a_pruned_network_nearer(teacher: Network, corpus: Corpus,
                                                     tmp_path: Path) -> None:
    run = distiller(teacher, corpus, tmp_path)
    before = final_cosines(teacher, student(run), corpus).mean()
    run.run()
    figures = run.evaluate(corpus)
    cosines = final_cosines(teacher, student(run), corpus)
    assert figures == {"held_out_cosine": cosines.mean(), "held_out_smallest": cosines.min()}
    logged = json.loads((tmp_path / LOG).read_text().splitlines()[-1])
    assert logged == {"step": run.steps, **figures}
    after = cosines.mean()
    assert 1 - after < 0.5 * (1 - before)
    assert density_of(run.model.lstm)["all"] == 0.5
    saved = network_of(tmp_path / MODEL)
    np.testing.assert_array_equal(saved.layers[1].w_y,
                                  network_from(run.model.lstm).layers[1].w_y)


def test_resuming_is_exact(teacher: Network, corpus: Corpus, tmp_path: Path) -> None:
    distiller(teacher, corpus, tmp_path / "a").run(until=9)
    distiller(teacher, corpus, tmp_path / "b").run(until=4)
    distiller(teacher, corpus, tmp_path / "b").run(until=9)
    assert ((tmp_path / "a" / CHECKPOINT).read_bytes()
            == (tmp_path / "b" / CHECKPOINT).read_bytes())


def test_frames_of_another_width(teacher: Network, tmp_path: Path) -> None:
    with pytest.raises(EseError, match="frames: must have 5 inputs as network has, got 3"):
        distiller(teacher, corpus_of([np.zeros((4, 3))]), tmp_path)


def test_layers_of_different_kinds(teacher: Network) -> None:
    odd = Layer(np.ones((16, 8)), np.ones((16, 4)))
    with pytest.raises(EseError, match="must have the same cells, projection and peepholes"):
        student_of(Network((*teacher.layers, odd)))


def test_inputs_are_scaled_while_it_learns_only(teacher: Network, corpus: Corpus,
                                                tmp_path: Path) -> None:
    scales = np.array([300.0, 0.8, 0.02, 1e-9, 0.0])
    raw = corpus_of([corpus.frames * scales])
    assert column_exponents(raw.frames) == [-9, 0, 5, 12, 0]
    run = distiller(teacher, raw, tmp_path, prune=None)
    np.testing.assert_array_equal(run.model.input_scale, [2.0 ** -9, 1, 32, 4096, 1])
    run.save()
    np.testing.assert_allclose(network_of(tmp_path / MODEL).layers[0].w_x, teacher.layers[0].w_x,
                               rtol=1e-6)
    np.testing.assert_allclose(student(run).layers[0].w_x, teacher.layers[0].w_x,
                               rtol=1e-6)


def test_windows() -> None:
    values = np.arange(10.0)[:, None]
    corpus = corpus_of([values, values[:3], values[:4]], window=4)
    assert corpus.lengths.tolist() == [4, 4, 4, 4]
    assert corpus.frames[:, 0].reshape(4, 4)[:, 0].tolist() == [0, 4, 6, 0]
    with pytest.raises(EseError, match="at least one utterance of 11 frames, got none"):
        corpus_of([values], window=11)


def test_the_loss_weighs_layers_and_head(teacher: Network, corpus: Corpus, tmp_path: Path) -> None:
    head = Head(np.random.default_rng(1).normal(size=(6, 8)), np.zeros(6))
    losses = {}
    for hints, weight in ((0, 0), (1, 0), (0, 1), (2, 3)):
        run = distiller(teacher, corpus, tmp_path,
                        distil=DistillOptions(hints, weight), head=head)
        total, far, counted = run.one_step()
        losses[hints, weight] = total / counted
        assert 0 < far < counted
    plain = losses[0, 0]
    assert min(losses[1, 0], losses[0, 1]) > plain > 0
    np.testing.assert_allclose(losses[2, 3], plain + 2 * (losses[1, 0] - plain)
                               + 3 * (losses[0, 1] - plain), rtol=1e-5)


def test_targets_are_kept_for_the_next_run(teacher: Network, corpus: Corpus,
                                           tmp_path: Path) -> None:
    for name in ("a", "b"):
        distiller(teacher, corpus, tmp_path / name, targets=tmp_path / "targets").run(until=3)
    distiller(teacher, corpus, tmp_path / "c").run(until=3)
    (kept,) = (tmp_path / "targets").iterdir()
    np.testing.assert_array_equal(np.load(kept), all_outputs(student_of(teacher), corpus))
    texts = {(tmp_path / name / CHECKPOINT).read_bytes() for name in "abc"}
    assert len(texts) == 1
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(EseError, match="targets: .* must be a file that can be written and read"):
        distiller(teacher, corpus, tmp_path / "d", targets=tmp_path / "targets")


def test_going_on_from_another_distillation(teacher: Network, corpus: Corpus,
                                            tmp_path: Path) -> None:
    distiller(teacher, corpus, tmp_path / "half").run(until=5)
    half = network_of(tmp_path / "half" / MODEL)
    quarter = distiller(teacher, corpus, tmp_path / "quarter", OPTIONS,
                        PruneOptions(PRESETS["tiny"], 0.25, schedule="one-shot"), begin=half)
    kept = student(quarter).layers[1].w_y
    assert np.count_nonzero(kept) == kept.size // 4
    np.testing.assert_array_equal(kept[kept != 0], half.layers[1].w_y[kept != 0])


@pytest.mark.parametrize("tensors, sentence", [
    ({}, "head: checkpoint must hold a tensor top.weight, but does not"),
    ({"top.weight": np.ones((3, 7)), "top.bias": np.ones(3)},
     "head: top must be a linear layer of 8 inputs with bias")])
def test_a_head_that_does_not_fit(tensors: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(EseError, match=sentence):
        Head.of(tensors, "top", 8)


def test_bad_weights_of_the_loss() -> None:
    with pytest.raises(EseError, match="hints: must be at least 0 and finite, got -1"):
        DistillOptions(hints=-1)
