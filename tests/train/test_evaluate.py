
import numpy as np
import pytest
import torch

from ese_lstm.compress.pipeline import compress_network
from ese_lstm.compress.reference import run_float
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.frames import quantise_frames, real_outputs
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel
from ese_lstm.train.data.dataset import Dataset
from ese_lstm.train.data.streams import IGNORED, Corpus, gather, plan_streams
from ese_lstm.train.evaluate import fixed_answers, float_answers, score_answers
from ese_lstm.train.model import PhoneNet, scores
from ese_lstm.train.options import Shape
from ese_lstm.train.pruning import network_from

DELAY = 2


@pytest.fixture
def corpus(dataset: Dataset) -> Corpus:
    return Corpus.load(dataset, dataset.utterances)


@pytest.fixture
def model(dataset: Dataset) -> PhoneNet:
    torch.manual_seed(2)
    return PhoneNet(Shape(dataset.inputs, 8, 4, delay=DELAY, phones=dataset.phones))


def utterance(corpus: Corpus, number: int) -> np.ndarray:
    """Frames of one utterance with its last frame repeated, (T + delay, inputs)."""
    first, length = corpus.first[number], corpus.lengths[number]
    frames = corpus.frames[first:first + length].astype(np.float32)
    return np.concatenate([frames, np.repeat(frames[-1:], DELAY, axis=0)])


@pytest.mark.parametrize("streams", [1, 3, 64])
def test_every_frame_is_answered_once(corpus: Corpus, streams: int) -> None:
    plan = plan_streams(corpus, streams, DELAY)
    due = plan.target[plan.target >= 0]
    assert sorted(due) == list(range(len(corpus.frames)))
    assert int(plan.start.sum()) == len(corpus.lengths)
    _, labels = gather(corpus, plan)
    np.testing.assert_array_equal(labels[plan.target >= 0], corpus.labels[due])
    assert (labels[plan.target < 0] == IGNORED).all()


def test_float_answers_are_each_utterances_own(corpus: Corpus, model: PhoneNet) -> None:
    answers = float_answers(model, corpus, streams=3)
    network = network_from(model.lstm)
    compared = 0
    for number, (first, length) in enumerate(zip(corpus.first, corpus.lengths, strict=True)):
        outputs = run_float(network, utterance(corpus, number)).outputs[DELAY:, :, 0]
        np.testing.assert_allclose(answers[first:first + length], scores(model, outputs),
                                   atol=1e-5)
        compared += int(length)
    assert compared == len(answers) > 0


def test_fixed_answers_are_the_golden_models(corpus: Corpus, model: PhoneNet) -> None:
    model.input_scale.copy_(torch.linspace(0.5, 2, 6))
    frames = [corpus.frames.astype(np.float32) * model.input_scale.numpy()]
    image, _ = compress_network(network_from(model.lstm), PRESETS["tiny"], 0.5, frames)
    answers, _, clipped = fixed_answers(model, image, corpus, channels=3)
    assert clipped == 0
    compared = 0
    for number, (first, length) in enumerate(zip(corpus.first, corpus.lengths, strict=True)):
        integers, _ = quantise_frames(utterance(corpus, number) * model.input_scale.numpy(),
                                      image.manifest)
        run = GoldenModel(decode_image(image), 1).run(integers[:, :, None])
        expected = scores(model, real_outputs(run.outputs[DELAY:, :, 0], image.manifest))
        np.testing.assert_array_equal(answers[first:first + length], expected)
        compared += expected.size
    assert compared > 0
    assert score_answers(model, corpus, answers).frames == len(corpus.frames)


def test_an_image_of_another_size_is_refused(corpus: Corpus, model: PhoneNet,
                                             dataset: Dataset) -> None:
    image, _ = compress_network(network_from(model.lstm), PRESETS["tiny"])
    other = PhoneNet(Shape(dataset.inputs, 8, 2, phones=dataset.phones))
    with pytest.raises(EseError, match="image: must read 6 inputs and give 2 outputs"):
        fixed_answers(other, image, corpus)
