"""Frames that stand for the training set when formats are chosen."""

import numpy as np
from numpy.typing import NDArray

from .data.streams import Corpus
from .model import PhoneNet

UTTERANCES = 32


def calibration_frames(corpus: Corpus, model: PhoneNet,
                       utterances: int = UTTERANCES) -> list[NDArray[np.float32]]:
    """Scaled frames, (T, inputs) each, of utterances spread evenly over a corpus."""
    count = min(utterances, len(corpus.lengths))
    scale = model.input_scale.numpy()
    return [corpus.frames[corpus.first[k]:corpus.first[k] + corpus.lengths[k]].astype(np.float32)
            * scale for k in np.linspace(0, len(corpus.lengths) - 1, count).astype(int)]


def calibration_streams(corpus: Corpus, model: PhoneNet, streams: int = UTTERANCES
                        ) -> NDArray[np.float32]:
    """The same as one array, (T, inputs, streams): beginnings of utterances that are at least as
    long as half of all, T frames each."""
    long = np.flatnonzero(corpus.lengths >= np.median(corpus.lengths))
    chosen = long[np.linspace(0, len(long) - 1, min(streams, len(long))).astype(int)]
    length = int(corpus.lengths[chosen].min())
    index = corpus.first[chosen][:, None] + np.arange(length)
    frames = corpus.frames[index].astype(np.float32) * model.input_scale.numpy()
    return np.ascontiguousarray(frames.transpose(1, 2, 0))
