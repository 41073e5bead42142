"""Retraining of a pruned checkpoint without labels: it learns to answer as the dense one does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..compress.network import Network
from ..compress.reference import run_float
from ..contract.errors import EseError
from .evaluate import keep_mask
from .model import PhoneNet, Shape
from .pruning import PruneOptions, load_network_into, network_from
from .streams import Corpus, Plan
from .trainer import Trainer, TrainOptions


def student_of(network: Network) -> PhoneNet:
    """A module with the network's layers and weights; its output layer is not used.

    Raises EseError if the layers differ in cells, projection or peepholes.
    """
    first = network.layers[0]
    kinds = {(layer.cells, layer.projection, layer.peepholes is None) for layer in network.layers}
    if len(kinds) > 1:
        raise EseError(f"network: layers of {network.source} must have the same cells, projection "
                       f"and peepholes, got {len(kinds)} kinds")
    model = PhoneNet(Shape(network.inputs, first.cells, first.projection, len(network.layers),
                           first.peepholes is not None, 0, ("-",)))
    load_network_into(model.lstm, network)
    nn.init.zeros_(model.output.weight)
    nn.init.zeros_(model.output.bias)
    return model


def corpus_of(utterances: Sequence[NDArray[np.floating]]) -> Corpus:
    """Frames (T, inputs) of several utterances without labels. Raises EseError if empty."""
    if not utterances:
        raise EseError("frames: must hold at least one utterance, got none")
    lengths = np.array([len(utterance) for utterance in utterances])
    frames = np.concatenate(list(utterances)).astype(np.float32)
    return Corpus(frames, np.zeros(len(frames), np.int64), np.cumsum(lengths) - lengths, lengths,
                  tuple(str(number) for number in range(len(lengths))))


class Distiller(Trainer):
    """Trains a student to the dense network's outputs; all of :class:`Trainer` else, resuming
    included. The loss is the squared error over the outputs' mean square; reports carry
    100 · (1 − cosine) where a classifier's carry its frame error rate."""

    def __init__(self, teacher: Network, corpus: Corpus, folder: Path, options: TrainOptions,
                 prune: PruneOptions | None = None) -> None:
        if teacher.inputs != corpus.frames.shape[1]:
            raise EseError(f"frames: must have {teacher.inputs} inputs as {teacher.source} has, "
                           f"got {corpus.frames.shape[1]}")
        self._wanted = outputs_of(teacher, corpus).astype(np.float32)
        self._power = max(float(np.mean(self._wanted ** 2)), 1e-30)
        super().__init__(student_of(teacher), corpus, folder, options, prune, fresh=False)

    def loss(self, frames: Tensor, targets: Tensor, piece: Plan
             ) -> tuple[Tensor, float, int, list[tuple[Tensor, Tensor]]]:
        """See :meth:`Trainer.loss`; targets are not used."""
        outputs, state = self.model.lstm(frames, self.state, keep_mask(piece))
        due = piece.index >= 0
        mine = outputs[torch.from_numpy(due)]
        wanted = torch.from_numpy(self._wanted[piece.index[due]])
        loss = nn.functional.mse_loss(mine, wanted) / self._power
        far = 1 - nn.functional.cosine_similarity(mine.detach(), wanted, dim=1)
        return loss, float(far.sum()), len(mine), state


def outputs_of(network: Network, corpus: Corpus) -> NDArray[np.float64]:
    """Outputs of every frame, each utterance from zero state, (total, outputs)."""
    found = np.empty((len(corpus.frames), network.outputs))
    for first, length in zip(corpus.first, corpus.lengths, strict=True):
        where = slice(int(first), int(first + length))
        found[where] = run_float(network, corpus.frames[where]).outputs[:, :, 0]
    return found


def final_cosines(teacher: Network, student: PhoneNet, corpus: Corpus) -> NDArray[np.float64]:
    """Cosine of both networks' outputs in the last frame of each utterance, (utterances,)."""
    last = corpus.first + corpus.lengths - 1
    wanted = outputs_of(teacher, corpus)[last]
    mine = outputs_of(network_from(student.lstm), corpus)[last]
    norms = np.linalg.norm(wanted, axis=1) * np.linalg.norm(mine, axis=1)
    return np.asarray((wanted * mine).sum(axis=1) / np.maximum(norms, 1e-30))
