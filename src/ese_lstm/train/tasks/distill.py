"""Retraining of a pruned checkpoint without labels: it learns to answer as the dense one does.

The loss of a frame, with y of the pruned and ŷ of the dense network, is

    |y − ŷ|² / E|ŷ|²  +  hints · mean over the layers below of the same
                      +  head · t/T · (1 − cos(e(y), e(ŷ)))       with e(y) = ReLU(W·y + b)

where e is what the host makes of the last output (an embedding, say), and t/T the frame's place
in its utterance: late frames are near to the one that counts. Inputs of the first layer are
scaled by powers of two to the same size, and its columns by the inverse, while training: columns
of raw features may differ by orders of magnitude, and one rate of learning can't serve them all.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...compress.network import Network
from ...contract.errors import EseError
from ..data.streams import Corpus, Plan
from ..evaluate import keep_mask
from ..lstmp import State
from ..options import DistillOptions
from .student import Student, column_exponents, student_of
from .targets import Head, all_outputs, final_cosines, stored_outputs
from .task import Loss, Task


class Distillation(Task):
    """The outputs of a dense network. Errors are 1 − cosine of the outputs, or of what the head
    makes of them.

    begin: network to start from, the teacher if not given; its zero weights stay zero where it is
    pruned. head: what the host does with outputs. targets: folder that keeps the teacher's outputs
    for the next distillation with the same teacher and corpus; in memory if not given. Raises
    EseError if the corpus has other inputs.
    """

    model: Student

    def __init__(self, teacher: Network, corpus: Corpus, options: DistillOptions | None = None,
                 head: Head | None = None, begin: Network | None = None,
                 targets: Path | None = None) -> None:
        if teacher.inputs != corpus.frames.shape[1]:
            raise EseError(f"frames: must have {teacher.inputs} inputs as {teacher.source} has, "
                           f"got {corpus.frames.shape[1]}")
        self.corpus, self._teacher, self._begin = corpus, teacher, begin
        self._options, self._host = options or DistillOptions(), head
        self._head = None if head is None else (torch.from_numpy(head.weight).float(),
                                                torch.from_numpy(head.bias).float())
        self.model = student_of(begin or teacher, column_exponents(corpus.frames))
        self._wanted = (all_outputs(student_of(teacher), corpus) if targets is None
                        else stored_outputs(teacher, corpus, targets))
        self._power = torch.from_numpy(_powers(self._wanted, len(teacher.layers)))
        where = np.arange(len(corpus.frames)) - np.repeat(corpus.first, corpus.lengths)
        self._place_in = ((where + 1) / np.repeat(corpus.lengths, corpus.lengths)).astype(
            np.float32)

    def loss(self, frames: Tensor, targets: Tensor, piece: Plan, state: State) -> Loss:
        """See :meth:`Task.loss`; targets are not used."""
        outputs, after = self.model(frames, state, keep_mask(piece))
        due = piece.index >= 0
        mine = outputs[torch.from_numpy(due)]
        wanted = torch.from_numpy(self._wanted[piece.index[due]]).float()
        layers = len(self._power)
        error = (mine - wanted).square().unflatten(1, (layers, -1)).mean((0, 2)) / self._power
        loss = error[-1]
        if layers > 1:
            loss = loss + self._options.hints * error[:-1].mean()
        width = mine.shape[1] // layers
        mine, wanted = mine[:, -width:], wanted[:, -width:]
        if self._head is not None:
            mine, wanted = (torch.relu(nn.functional.linear(values, *self._head))
                            for values in (mine, wanted))
        far = 1 - nn.functional.cosine_similarity(mine, wanted, dim=1)
        if self._head is not None:
            place = torch.from_numpy(self._place_in[piece.index[due]])
            loss = loss + self._options.head * (far * place).mean()
        return Loss(loss, float(far.detach().sum()), len(mine), after)

    def evaluate(self, corpus: Corpus) -> Mapping[str, float]:
        """Cosine to the dense network in the last frame of each utterance, as
        :func:`final_cosines`: ``held_out_cosine``, its mean, and ``held_out_smallest``."""
        cosines = final_cosines(self._teacher, self.model.network(), corpus, self._host)
        return {"held_out_cosine": float(cosines.mean()),
                "held_out_smallest": float(cosines.min())}

    def settings(self) -> dict[str, Any]:
        """Weights of the loss, the first network, and whether there is a head."""
        begin = "" if self._begin is None else self._begin.sha256
        return {**asdict(self._options), "begin": begin, "has_head": self._head is not None}


def _powers(outputs: NDArray[np.float16], layers: int) -> NDArray[np.float32]:
    """Mean square of every layer's outputs, (layers,)."""
    sums = np.zeros(layers)
    for begin in range(0, len(outputs), 1 << 14):
        part = outputs[begin:begin + (1 << 14)].astype(np.float32)
        sums += np.square(part).reshape(len(part), layers, -1).sum(axis=(0, 2), dtype=np.float64)
    return np.maximum(sums * layers / outputs.size, 1e-30).astype(np.float32)
