"""Utterances side by side on parallel streams, one after the other on each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...contract.errors import EseError
from .dataset import Dataset, Utterance

IGNORED = -100
"""Target of a frame that does not count."""


@dataclass(frozen=True)
class Corpus:
    """Utterances in memory, end to end. frames: (total, inputs), float16 if loaded; labels:
    (total,); first: (utterances,) index of each one's first frame; lengths: (utterances,)."""

    frames: NDArray[np.floating]
    labels: NDArray[np.int64]
    first: NDArray[np.int64]
    lengths: NDArray[np.int64]
    names: tuple[str, ...]

    @classmethod
    def load(cls, dataset: Dataset, utterances: Sequence[Utterance]) -> "Corpus":
        """Read every array. Raises EseError naming the first file that is wrong."""
        lengths = np.array([utterance.frames for utterance in utterances], np.int64)
        first = np.cumsum(lengths) - lengths
        frames = np.empty((int(lengths.sum()), dataset.inputs), np.float16)
        labels = np.empty(len(frames), np.int64)
        for begin, utterance in zip(first, utterances, strict=True):
            where = slice(int(begin), int(begin) + utterance.frames)
            frames[where] = dataset.features(utterance)
            labels[where] = dataset.labels(utterance)
        return cls(frames, labels, first, lengths, tuple(u.name for u in utterances))


@dataclass(frozen=True)
class Plan:
    """Which frame each stream reads when. index: (T, streams), frame of the corpus, −1 idle;
    target: (T, streams), frame whose label is due, −1 none; start: (T, streams) bool;
    utterance: (T, streams), −1 idle."""

    index: NDArray[np.int64]
    target: NDArray[np.int64]
    start: NDArray[np.bool_]
    utterance: NDArray[np.int64]

    def pieces(self, steps: int) -> Iterator[tuple[slice, "Plan"]]:
        """Consecutive pieces of ``steps`` frames; the last may be shorter."""
        for begin in range(0, len(self.index), steps):
            where = slice(begin, begin + steps)
            yield where, self.piece(where)

    def piece(self, where: slice) -> "Plan":
        """Some frames of the plan."""
        return Plan(self.index[where], self.target[where], self.start[where],
                    self.utterance[where])


def plan_streams(corpus: Corpus, streams: int, delay: int,
                 order: Sequence[int] | NDArray[np.int64] | None = None,
                 tempos: NDArray[np.float64] | None = None) -> Plan:
    """Every utterance on the stream that is free first, in ``order``.

    tempos: frames of the corpus that one frame moves on, of each utterance; 1 without it. After
    an utterance its last frame repeats ``delay`` times, so that its last labels, which are due
    ``delay`` frames late, are answered too.
    """
    order = np.arange(len(corpus.lengths)) if order is None else np.asarray(order)
    lengths = (corpus.lengths if tempos is None
               else np.maximum(1, np.ceil(corpus.lengths / tempos).astype(np.int64)))
    ends = np.zeros(streams, np.int64)
    places = []
    for number in order:
        stream = int(ends.argmin())
        places.append((int(number), stream, int(ends[stream])))
        ends[stream] += lengths[number] + delay
    shape = (int(ends.max()), streams)
    index, target, owner = (np.full(shape, -1, np.int64) for _ in range(3))
    start = np.zeros(shape, bool)
    for number, stream, begin in places:
        length, first = int(lengths[number]), int(corpus.first[number])
        where = slice(begin, begin + length + delay)
        moments = np.arange(length + delay)
        tempo = 1.0 if tempos is None else float(tempos[number])
        read = first + np.minimum((np.arange(length) * tempo).astype(np.int64),
                                  corpus.lengths[number] - 1)
        index[where, stream] = read[np.minimum(moments, length - 1)]
        target[where, stream] = np.where(moments >= delay, read[np.maximum(moments - delay, 0)],
                                         -1)
        owner[where, stream] = number
        start[begin, stream] = True
    return Plan(index, target, start, owner)


def gather(corpus: Corpus, piece: Plan) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Frames (T, streams, inputs), zero where idle, and labels due (T, streams)."""
    frames = corpus.frames[np.maximum(piece.index, 0)].astype(np.float32)
    frames[piece.index < 0] = 0.0
    labels = np.where(piece.target >= 0, corpus.labels[np.maximum(piece.target, 0)], IGNORED)
    return frames, labels


def corpus_of(utterances: Sequence[NDArray[np.floating]], window: int = 0) -> Corpus:
    """Frames (T, inputs) of several utterances without labels.

    window: cut utterances into pieces of so many frames, each from zero state, the last one
    overlapping the one before; shorter utterances are left out. 0: leave them whole. Raises
    EseError if nothing is left.
    """
    if window:
        utterances = [utterance[begin:begin + window] for utterance in utterances
                      for begin in _begins(len(utterance), window)]
    if not utterances:
        raise EseError(f"frames: must hold at least one utterance"
                       f"{f' of {window} frames' if window else ''}, got none")
    lengths = np.array([len(utterance) for utterance in utterances])
    frames = np.concatenate([np.asarray(part, np.float32) for part in utterances])
    return Corpus(frames, np.zeros(len(frames), np.int64), np.cumsum(lengths) - lengths, lengths,
                  tuple(str(number) for number in range(len(lengths))))


def _begins(length: int, window: int) -> list[int]:
    if length < window:
        return []
    begins = list(range(0, length - window + 1, window))
    return begins if length % window == 0 else [*begins, length - window]
