"""Phones of frames, learned from labels."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from ...contract.errors import EseError
from ..data.streams import IGNORED, Corpus, Plan
from ..evaluate import float_scores, keep_mask
from ..lstmp import State
from ..model import PhoneNet
from ..scoring import label_statistics
from .task import Loss, Task


class Classification(Task):
    """Cross entropy of phones. Errors are wrong frames.

    fresh: set the model's buffers from the corpus. Raises EseError if an input is always 0.
    """

    def __init__(self, model: PhoneNet, corpus: Corpus, fresh: bool = True) -> None:
        self.model, self.corpus = model, corpus
        if fresh:
            _measure(model, corpus)

    def loss(self, frames: Tensor, targets: Tensor, piece: Plan, state: State) -> Loss:
        """See :meth:`Task.loss`."""
        logits, after = self.model(frames, state, keep_mask(piece))
        logits = logits.flatten(0, 1)
        due = targets != IGNORED
        loss = nn.functional.cross_entropy(logits, targets, ignore_index=IGNORED)
        wrong = int(((logits.detach().argmax(1) != targets) & due).sum())
        return Loss(loss, wrong, int(due.sum()), after)

    def evaluate(self, corpus: Corpus) -> Mapping[str, float]:
        """Error rates (%) ``held_out_fer`` and ``held_out_per``."""
        scores = float_scores(self.model, corpus)
        return {"held_out_fer": scores.fer, "held_out_per": scores.per}


def _measure(model: PhoneNet, corpus: Corpus) -> None:
    """Input scale and label statistics of the training corpus."""
    frames = corpus.frames
    sums = np.zeros(frames.shape[1])
    for begin in range(0, len(frames), 1 << 16):
        sums += np.square(frames[begin:begin + (1 << 16)].astype(np.float64)).sum(axis=0)
    deviation = np.sqrt(sums / len(frames))
    if not (deviation > 0).all():
        raise EseError(f"features: no input may be 0 in every frame, but input "
                       f"{int(np.argmin(deviation))} is in all {len(frames)}")
    labels = [corpus.labels[first:first + length]
              for first, length in zip(corpus.first, corpus.lengths, strict=True)]
    priors, bigram = label_statistics(labels, len(model.shape.phones))
    for name, values in (("input_scale", 1 / deviation), ("priors", priors), ("bigram", bigram)):
        getattr(model, name).copy_(Tensor(values))
