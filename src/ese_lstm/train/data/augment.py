"""Variation of training utterances: tempo, vocal tract, and missing bands and moments.

Vocal tract length perturbation: N. Jaitly and G. Hinton, ICML 2013 workshop on deep learning for
audio. Missing bands and moments: D. Park et al., "SpecAugment", Interspeech 2019. All is drawn anew
per utterance and epoch from the seed alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...contract.errors import EseError
from .features import INPUTS, MELS
from .streams import Corpus, Plan

BLOCKS = 3
"""Statics, first and second differences, each the energy and then MELS bands."""
TEMPO = 0.12
TRACT = 0.1
"""Largest share by which tempo and band number are stretched or squeezed."""
MISSING_BANDS = 8
MISSING_FRAMES = 4
MASKS = 2
"""Runs of missing bands an utterance; the same chance of a run of missing frames a piece."""


@dataclass(frozen=True)
class Augmenter:
    """Varies the frames of ``ese data prepare`` (153 inputs). Raises EseError for others."""

    seed: int
    corpus: Corpus

    def __post_init__(self) -> None:
        if self.corpus.frames.shape[1] != INPUTS:
            raise EseError(f"augment: must have the {INPUTS} inputs of ese data prepare, got "
                           f"{self.corpus.frames.shape[1]}")

    def tempos(self, epoch: int) -> NDArray[np.float64]:
        """Of each utterance: corpus frames a frame in this epoch."""
        return 1.0 + self._rng(epoch, 0).uniform(-TEMPO, TEMPO, len(self.corpus.lengths))

    def __call__(self, frames: NDArray[np.float32], piece: Plan, epoch: int, step: int
                 ) -> NDArray[np.float32]:
        """Frames (T, streams, inputs) of a piece, varied; step: the piece's number."""
        varied = frames.copy()
        blocks = varied.reshape(*frames.shape[:2], BLOCKS, MELS + 1)
        bands = blocks[..., 1:]
        owner = np.maximum(piece.utterance, 0)
        rng = self._rng(epoch, 1)
        stretch = rng.uniform(1 - TRACT, 1 + TRACT, len(self.corpus.lengths))[owner]
        source = np.minimum(np.arange(MELS) * stretch[..., None], MELS - 1)
        low = np.minimum(source.astype(np.int64), MELS - 2)
        share = (source - low).astype(np.float32)[:, :, None]
        low = np.broadcast_to(low[:, :, None], (*owner.shape, BLOCKS, MELS))
        bands[:] = (np.take_along_axis(bands, low, 3) * (1 - share)
                    + np.take_along_axis(bands, low + 1, 3) * share)
        for _ in range(MASKS):
            width = rng.integers(0, MISSING_BANDS + 1, len(self.corpus.lengths))[owner]
            first = rng.integers(0, MELS - MISSING_BANDS, len(self.corpus.lengths))[owner]
            place = np.arange(MELS) - first[..., None]
            missing = (place >= 0) & (place < width[..., None])
            bands *= ~missing[:, :, None]
        rng = self._rng(epoch, 2, step)
        for _ in range(MASKS):
            runs = rng.integers(0, MISSING_FRAMES + 1, frames.shape[1])
            begins = rng.integers(0, max(1, len(frames) - MISSING_FRAMES), frames.shape[1])
            moment = np.arange(len(frames))[:, None] - begins
            blocks *= ~((moment >= 0) & (moment < runs))[:, :, None, None]
        return varied

    def _rng(self, *place: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *place])
