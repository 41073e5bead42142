from pathlib import Path

import numpy as np
import pytest
from ese_lstm.compress.network import Layer, Network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.train.distill import Distiller, corpus_of, final_cosines, outputs_of, student_of
from ese_lstm.train.model import network_of
from ese_lstm.train.pruning import PruneOptions, density_of, network_from
from ese_lstm.train.streams import Corpus
from ese_lstm.train.trainer import CHECKPOINT, MODEL, TrainOptions

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


def test_a_student_begins_as_its_teacher(teacher: Network, corpus: Corpus) -> None:
    student = student_of(teacher)
    np.testing.assert_allclose(outputs_of(network_from(student.lstm), corpus),
                               outputs_of(teacher, corpus), atol=1e-5)
    np.testing.assert_allclose(final_cosines(teacher, student.network(), corpus), 1, atol=1e-9)


def test_distillation_brings_a_pruned_network_nearer(teacher: Network, corpus: Corpus,
                                                     tmp_path: Path) -> None:
    distiller = Distiller(teacher, corpus, tmp_path, OPTIONS, PRUNE)
    before = final_cosines(teacher, distiller.model.network(), corpus).mean()
    distiller.run()
    after = final_cosines(teacher, distiller.model.network(), corpus).mean()
    assert 1 - after < 0.5 * (1 - before)
    assert density_of(distiller.model.lstm)["all"] == 0.5
    saved = network_of(tmp_path / MODEL)
    np.testing.assert_array_equal(saved.layers[1].w_y,
                                  network_from(distiller.model.lstm).layers[1].w_y)


def test_resuming_is_exact(teacher: Network, corpus: Corpus, tmp_path: Path) -> None:
    Distiller(teacher, corpus, tmp_path / "a", OPTIONS, PRUNE).run(until=9)
    Distiller(teacher, corpus, tmp_path / "b", OPTIONS, PRUNE).run(until=4)
    Distiller(teacher, corpus, tmp_path / "b", OPTIONS, PRUNE).run(until=9)
    assert ((tmp_path / "a" / CHECKPOINT).read_bytes()
            == (tmp_path / "b" / CHECKPOINT).read_bytes())


def test_frames_of_another_width(teacher: Network, tmp_path: Path) -> None:
    with pytest.raises(EseError, match="frames: must have 5 inputs as network has, got 3"):
        Distiller(teacher, corpus_of([np.zeros((4, 3))]), tmp_path, OPTIONS)


def test_layers_of_different_kinds(teacher: Network) -> None:
    odd = Layer(np.ones((16, 8)), np.ones((16, 4)))
    with pytest.raises(EseError, match="must have the same cells, projection and peepholes"):
        student_of(Network((*teacher.layers, odd)))
