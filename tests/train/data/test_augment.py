import numpy as np
import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.train.data.augment import MASKS, MISSING_BANDS, TEMPO, Augmenter
from ese_lstm.train.data.features import INPUTS, MELS
from ese_lstm.train.data.streams import Corpus, gather, plan_streams


def corpus_of(lengths: list[int], inputs: int = INPUTS) -> Corpus:
    count = np.array(lengths)
    total = int(count.sum())
    # Every band holds its own number, so that a stretched axis shows in the values.
    block = np.concatenate([[500.0], 1.0 + np.arange(MELS)])
    frames = np.tile(np.resize(block, inputs), (total, 1)).astype(np.float16)
    return Corpus(frames, np.arange(total), np.cumsum(count) - count, count,
                  tuple(f"u{k}" for k in range(len(count))))


def test_frames_vary_by_utterance_and_epoch_and_repeat_exactly(seed: int) -> None:
    corpus = corpus_of([40, 50, 60])
    augment = Augmenter(seed, corpus)
    piece = plan_streams(corpus, 3, 2).piece(slice(0, 25))
    frames, _ = gather(corpus, piece)
    before = frames.copy()
    first = augment(frames, piece, 0, 0)
    np.testing.assert_array_equal(first, augment(frames, piece, 0, 0))
    np.testing.assert_array_equal(frames, before)
    assert first.dtype == np.float32 and first.shape == frames.shape
    assert (augment(frames, piece, 1, 0) != first).any()
    assert (Augmenter(seed + 1, corpus)(frames, piece, 0, 0) != first).any()
    assert (first[:, 0] != first[:, 1]).any()


def test_bands_stretch_by_one_factor_and_few_are_missing(seed: int) -> None:
    corpus = corpus_of([30] * 8)
    piece = plan_streams(corpus, 8, 0).piece(slice(0, 30))
    frames, _ = gather(corpus, piece)
    varied = Augmenter(seed, corpus)(frames, piece, 0, 0).reshape(30, 8, 3, MELS + 1)
    checked = 0
    for stream in range(8):
        whole = [row for row in varied[:, stream, 0] if row[0]]
        assert whole and all(row[0] == 500.0 for row in whole)
        bands = whole[0][1:]
        assert np.count_nonzero(bands == 0) <= MASKS * MISSING_BANDS
        inside = np.flatnonzero((bands != 0) & (bands < MELS))
        inside = inside[inside > 0]
        stretches = (bands[inside] - 1.0) / inside
        assert stretches.min() >= 0.9 and stretches.max() <= 1.1
        np.testing.assert_allclose(stretches, stretches[0], atol=2e-6)
        checked += len(stretches)
    assert checked > 100


def test_tempo_moves_labels_with_their_frames(seed: int) -> None:
    corpus = corpus_of([40, 70, 55])
    tempos = Augmenter(seed, corpus).tempos(3)
    assert (abs(tempos - 1.0) <= TEMPO).all() and len(set(tempos)) == 3
    delay = 3
    plan = plan_streams(corpus, 1, delay, None, tempos)
    for number in range(3):
        mine = plan.utterance[:, 0] == number
        index, target = plan.index[mine, 0], plan.target[mine, 0]
        length = int(np.ceil(corpus.lengths[number] / tempos[number]))
        assert len(index) == length + delay
        np.testing.assert_array_equal(target[delay:], index[:length])
        assert (target[:delay] == -1).all() and (np.diff(index) >= 0).all()
        assert index.max() < corpus.first[number] + corpus.lengths[number]


def test_other_features_are_refused() -> None:
    with pytest.raises(EseError, match="augment: must have the 153 inputs .* got 6"):
        Augmenter(1, corpus_of([5], 6))
