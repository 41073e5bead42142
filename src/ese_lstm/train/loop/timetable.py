"""Which frames a step of a training reads."""

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..data.streams import Corpus, Plan, plan_streams
from ..options import TrainOptions

Tempos = Callable[[int], NDArray[np.float64]]


class Timetable:
    """Pieces of all epochs, one a step. The order of utterances is drawn per epoch from the seed.

    delay: of the answers, frames. tempos: of every utterance in an epoch, as
    :func:`plan_streams` takes them; 1 without it.
    """

    def __init__(self, corpus: Corpus, options: TrainOptions, delay: int,
                 tempos: Tempos | None = None) -> None:
        self._corpus, self._options = corpus, options
        self._delay, self._tempos = delay, tempos
        self._latest: tuple[int, Plan] | None = None
        self._lengths: dict[int, int] = {}

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return sum(self._steps_of(epoch) for epoch in range(self._options.epochs))

    def place(self, step: int) -> tuple[int, int]:
        """Epoch, and step within it."""
        for epoch in itertools.count():
            if step < self._steps_of(epoch):
                break
            step -= self._steps_of(epoch)
        return epoch, step

    def piece(self, epoch: int, position: int) -> Plan:
        """What a step of an epoch reads."""
        steps = self._options.steps
        return self._plan(epoch).piece(slice(position * steps, (position + 1) * steps))

    def _plan(self, epoch: int) -> Plan:
        if self._latest is None or self._latest[0] != epoch:
            order = np.random.default_rng([self._options.seed, epoch]).permutation(
                len(self._corpus.lengths))
            self._latest = epoch, plan_streams(
                self._corpus, self._options.streams, self._delay, order,
                None if self._tempos is None else self._tempos(epoch))
        return self._latest[1]

    def _steps_of(self, epoch: int) -> int:
        if epoch not in self._lengths:
            self._lengths[epoch] = -(-len(self._plan(epoch).index) // self._options.steps)
        return self._lengths[epoch]
