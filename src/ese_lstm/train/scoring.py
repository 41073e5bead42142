"""Frame and phone error rates: Viterbi with a bigram of frames, edit distance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError

SILENCE = 0
PRIOR_WEIGHT = 0.6
BIGRAM_WEIGHT = 0.75
"""Both chosen on training utterances (docs/training.md), never on held-out ones."""


@dataclass(frozen=True)
class Scores:
    """Errors over a set of utterances. confusion: (phones, phones) frames, truth by answer."""

    utterances: int
    frames: int
    frame_errors: int
    phones: int
    phone_errors: int
    confusion: NDArray[np.int64]

    @property
    def fer(self) -> float:
        """Frame error rate, %: the largest score is another phone."""
        return 100.0 * self.frame_errors / self.frames

    @property
    def per(self) -> float:
        """Phone error rate, %: insertions, deletions, substitutions over reference phones."""
        return 100.0 * self.phone_errors / max(self.phones, 1)


def viterbi(emissions: NDArray[np.floating], transitions: NDArray[np.floating]
            ) -> NDArray[np.int64]:
    """The path of largest Σ emissions + Σ transitions; of equals, the lower state.

    emissions: (T, states); transitions: (states, states), from row to column. Shape (T,).
    """
    values = np.asarray(emissions, np.float64)
    back = np.zeros(values.shape, np.int64)
    best = values[0]
    for t in range(1, len(values)):
        arriving = best[:, None] + transitions
        back[t] = arriving.argmax(axis=0)
        best = arriving.max(axis=0) + values[t]
    path = np.empty(len(values), np.int64)
    path[-1] = best.argmax()
    for t in range(len(values) - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path


def phone_string(frames: NDArray[np.integer]) -> list[int]:
    """Runs of equal labels as one phone each, without silence."""
    changes = np.flatnonzero(np.diff(frames, prepend=-1))
    return [int(frames[k]) for k in changes if frames[k] != SILENCE]


def edit_distance(found: Sequence[int], truth: Sequence[int]) -> int:
    """Fewest insertions, deletions and substitutions from one to the other."""
    target = np.asarray(truth)
    offsets = np.arange(len(truth) + 1)
    row = offsets.copy()
    for phone in found:
        fresh = row + 1
        fresh[1:] = np.minimum(fresh[1:], row[:-1] + (target != phone))
        row = np.minimum.accumulate(fresh - offsets) + offsets
    return int(row[-1])


def log_softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log probabilities over the last axis."""
    shifted = np.asarray(scores, np.float64) - scores.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def label_statistics(labels: Sequence[NDArray[np.int64]], phones: int
                     ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log probability of each phone in a frame, (phones,), and of the next frame's phone given
    this one's, (phones, phones); every count starts at ½."""
    single = np.full(phones, 0.5)
    pairs = np.full((phones, phones), 0.5)
    for frames in labels:
        np.add.at(single, frames, 1)
        np.add.at(pairs, (frames[:-1], frames[1:]), 1)
    return np.log(single / single.sum()), np.log(pairs / pairs.sum(axis=1, keepdims=True))


def recognise(values: NDArray[np.floating], priors: NDArray[np.floating],
              bigram: NDArray[np.floating]) -> NDArray[np.int64]:
    """Phone of each frame, (T,), from scores (T, phones).

    Viterbi sees log posterior − PRIOR_WEIGHT · log prior, and BIGRAM_WEIGHT · log transition.
    """
    return viterbi(log_softmax(values) - PRIOR_WEIGHT * priors, BIGRAM_WEIGHT * bigram)


def score(utterances: Sequence[tuple[NDArray[np.floating], NDArray[np.int64]]],
          priors: NDArray[np.floating], bigram: NDArray[np.floating]) -> Scores:
    """Score (scores (T, phones), labels (T,)) pairs. Raises EseError if there are none."""
    if not utterances:
        raise EseError("evaluate: at least one utterance must be scored, got none")
    count = len(priors)
    confusion = np.zeros((count, count), np.int64)
    phones = errors = 0
    for values, labels in utterances:
        np.add.at(confusion, (labels, values.argmax(axis=1)), 1)
        path = recognise(values, priors, bigram)
        truth = phone_string(labels)
        phones += len(truth)
        errors += edit_distance(phone_string(path), truth)
    frames = int(confusion.sum())
    return Scores(len(utterances), frames, frames - int(np.trace(confusion)), phones, errors,
                  confusion)
