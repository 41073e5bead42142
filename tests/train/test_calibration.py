import numpy as np

from ese_lstm.train.calibration import calibration_frames, calibration_streams
from ese_lstm.train.data.dataset import Dataset
from ese_lstm.train.data.streams import Corpus
from ese_lstm.train.model import PhoneNet
from ese_lstm.train.options import Shape


def test_streams_are_beginnings_of_long_utterances(dataset: Dataset) -> None:
    corpus = Corpus.load(dataset, dataset.split("train"))
    model = PhoneNet(Shape(dataset.inputs, 4, 2, phones=dataset.phones))
    model.input_scale.copy_(1.0 + model.input_scale.cumsum(0))
    whole = calibration_frames(corpus, model, len(corpus.lengths))
    assert [len(frames) for frames in whole] == corpus.lengths.tolist()
    frames = calibration_streams(corpus, model, 4)
    assert frames.shape[1:] == (dataset.inputs, 4)
    assert len(frames) >= np.median(corpus.lengths)
    found = [number for stream in range(4) for number, mine in enumerate(whole)
             if np.array_equal(frames[:, :, stream], mine[:len(frames)])]
    assert len(set(found)) == 4
