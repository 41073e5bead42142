"""Retraining of a pruned checkpoint without labels: it learns to answer as the dense one does.

The loss of a frame, with y of the pruned and ŷ of the dense network, is

    |y − ŷ|² / E|ŷ|²  +  hints · mean over the layers below of the same
                      +  head · t/T · (1 − cos(e(y), e(ŷ)))       with e(y) = ReLU(W·y + b)

where e is what the host makes of the last output (an embedding, say), and t/T the frame's place
in its utterance: late frames are near to the one that counts. Inputs of the first layer are
scaled by powers of two to the same size, and its columns by the inverse, while training: columns
of raw features may differ by orders of magnitude, and one rate of learning can't serve them all.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...compress.inputs import scale_inputs
from ...compress.network import Network
from ...compress.reference import run_float
from ...contract.errors import EseError
from ...contract.files import write_atomically
from ..data.streams import Corpus, Plan, gather, plan_streams
from ..evaluate import keep_mask, longest_first
from ..loop.trainer import Trainer, TrainOptions
from ..lstmp import Lstmp
from ..model import PhoneNet, Shape
from ..pruning import PruneOptions, load_network_into, network_from

TEACHER_STREAMS = 64
TEACHER_STEPS = 32
LARGEST_EXPONENT = 12


@dataclass(frozen=True)
class Head:
    """What the host makes of an output: ReLU(weight · y + bias), of which the direction counts.

    weight: (features, outputs), bias: (features,).
    """

    weight: NDArray[np.floating]
    bias: NDArray[np.floating]

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[Any]], prefix: str, outputs: int) -> "Head":
        """From ``PREFIX.weight`` and ``PREFIX.bias`` of a checkpoint. Raises EseError."""
        found = []
        for name in (f"{prefix}.weight", f"{prefix}.bias"):
            if name not in tensors:
                raise EseError(f"head: checkpoint must hold a tensor {name}, but does not")
            found.append(np.asarray(tensors[name], np.float64))
        weight, bias = found
        if weight.ndim != 2 or weight.shape[1] != outputs or bias.shape != weight.shape[:1]:
            raise EseError(f"head: {prefix} must be a linear layer of {outputs} inputs with bias, "
                           f"got {weight.shape} and {bias.shape}")
        return cls(weight, bias)


@dataclass(frozen=True)
class DistillOptions:
    """Weights of the loss's parts. hints: of hidden layers' outputs; head: of the cosine between
    the host's results, if there is a head. Raises EseError naming the field."""

    hints: float = 1.0
    head: float = 1.0

    def __post_init__(self) -> None:
        for name in ("hints", "head"):
            if not 0 <= getattr(self, name) < np.inf:
                raise EseError(f"{name}: must be at least 0 and finite, got {getattr(self, name)}")


class Student(PhoneNet):
    """An LSTM that learns from another. Its ``input_scale`` holds powers of two by which inputs
    are multiplied, and the first layer's columns divided, while it learns."""

    def forward(self, frames: Tensor, state: list[tuple[Tensor, Tensor]], keep: Tensor
                ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Outputs of all layers side by side (T, B, layers · outputs), and the state."""
        outputs, after = layer_outputs(self.lstm, self.drop_inputs(frames * self.input_scale),
                                       state, keep)
        return outputs, after

    def plain_tensors(self) -> dict[str, Tensor]:
        """As the base class does, with the scale taken out of the first layer again."""
        found = super().plain_tensors()
        found["lstm.weight_ih_l0"] *= self.input_scale
        found["input_scale"].fill_(1)
        return found

    def network(self) -> Network:
        """The present network for inputs as they come."""
        _, exponents = np.frexp(self.input_scale.numpy())
        return scale_inputs(network_from(self.lstm), [1 - int(e) for e in exponents])


def layer_outputs(lstm: Lstmp, frames: Tensor, state: list[tuple[Tensor, Tensor]], keep: Tensor
                  ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Outputs of every layer side by side, (T, B, layers · outputs), and the state after."""
    found: list[Tensor] = []
    _, after = lstm(frames, state, keep, found)
    return torch.cat(found, dim=2), after


def student_of(network: Network, exponents: Sequence[int] | None = None) -> Student:
    """A module with the network's layers and weights; its output layer is not used.

    exponents: powers of two that scale its inputs, (inputs,). Raises EseError if the layers
    differ in cells, projection or peepholes.
    """
    first = network.layers[0]
    kinds = {(layer.cells, layer.projection, layer.peepholes is None) for layer in network.layers}
    if len(kinds) > 1:
        raise EseError(f"network: layers of {network.source} must have the same cells, projection "
                       f"and peepholes, got {len(kinds)} kinds")
    powers = [0] * network.inputs if exponents is None else [int(e) for e in exponents]
    model = Student(Shape(network.inputs, first.cells, first.projection, len(network.layers),
                          first.peepholes is not None, 0, ("-",)))
    load_network_into(model.lstm, scale_inputs(network, powers))
    model.input_scale.copy_(torch.ldexp(torch.ones(network.inputs), torch.tensor(powers)))
    nn.init.zeros_(model.output.weight)
    nn.init.zeros_(model.output.bias)
    return model


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


class Distiller(Trainer):
    """Trains a student to the dense network's outputs; all of :class:`Trainer` else, resuming
    included. Reports carry 100 · (1 − cosine) of the outputs, or of what the head makes of them,
    where a classifier's carry its frame error rate.

    begin: network to start from, the teacher if not given; its zero weights stay zero where it is
    pruned. head: what the host does with outputs. targets: folder that keeps the teacher's outputs
    for the next distiller with the same teacher and corpus; in memory if not given.
    """

    def __init__(self, teacher: Network, corpus: Corpus, folder: Path, options: TrainOptions,
                 prune: PruneOptions | None = None, distil: DistillOptions | None = None,
                 head: Head | None = None, begin: Network | None = None,
                 targets: Path | None = None) -> None:
        if teacher.inputs != corpus.frames.shape[1]:
            raise EseError(f"frames: must have {teacher.inputs} inputs as {teacher.source} has, "
                           f"got {corpus.frames.shape[1]}")
        self._distil, self._begin = distil or DistillOptions(), begin
        self._head = None if head is None else (torch.from_numpy(head.weight).float(),
                                                torch.from_numpy(head.bias).float())
        self.model: Student = student_of(begin or teacher, column_exponents(corpus.frames))
        self._wanted = (all_outputs(student_of(teacher), corpus) if targets is None
                        else stored_outputs(teacher, corpus, targets))
        self._power = torch.from_numpy(_powers(self._wanted, len(teacher.layers)))
        where = np.arange(len(corpus.frames)) - np.repeat(corpus.first, corpus.lengths)
        self._place_in = ((where + 1) / np.repeat(corpus.lengths, corpus.lengths)).astype(
            np.float32)
        super().__init__(self.model, corpus, folder, options, prune, fresh=False)

    def loss(self, frames: Tensor, targets: Tensor, piece: Plan
             ) -> tuple[Tensor, float, int, list[tuple[Tensor, Tensor]]]:
        """See :meth:`Trainer.loss`; targets are not used."""
        outputs, state = self.model(frames, self.state, keep_mask(piece))
        due = piece.index >= 0
        mine = outputs[torch.from_numpy(due)]
        wanted = torch.from_numpy(self._wanted[piece.index[due]]).float()
        layers = len(self._power)
        error = (mine - wanted).square().unflatten(1, (layers, -1)).mean((0, 2)) / self._power
        loss = error[-1]
        if layers > 1:
            loss = loss + self._distil.hints * error[:-1].mean()
        width = mine.shape[1] // layers
        mine, wanted = mine[:, -width:], wanted[:, -width:]
        if self._head is not None:
            mine, wanted = (torch.relu(nn.functional.linear(values, *self._head))
                            for values in (mine, wanted))
        far = 1 - nn.functional.cosine_similarity(mine, wanted, dim=1)
        if self._head is not None:
            place = torch.from_numpy(self._place_in[piece.index[due]])
            loss = loss + self._distil.head * (far * place).mean()
        return loss, float(far.detach().sum()), len(mine), state

    def _all_settings(self) -> dict[str, Any]:
        begin = "" if self._begin is None else self._begin.sha256
        return {**super()._all_settings(), **asdict(self._distil), "begin": begin,
                "has_head": self._head is not None}


def column_exponents(frames: NDArray[np.floating]) -> list[int]:
    """Powers of two that bring each input column's root mean square into [½, 1), (inputs,), but
    no larger than 2**±12, so that a column without a signal doesn't become one of noise."""
    rms = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=0))
    _, powers = np.frexp(rms)
    return [int(np.clip(-power, -LARGEST_EXPONENT, LARGEST_EXPONENT)) if value else 0
            for power, value in zip(powers, rms, strict=True)]


def all_outputs(model: Student, corpus: Corpus, out: NDArray[np.float16] | None = None
                ) -> NDArray[np.float16]:
    """Outputs of every layer in every frame, each utterance from zero state, (total, layers ·
    outputs), in half precision, which loses less than hardware's 16-bit activations would; into
    ``out`` if given."""
    plan = plan_streams(corpus, min(TEACHER_STREAMS, len(corpus.lengths)), 0,
                        longest_first(corpus))
    shape = (len(corpus.frames), model.shape.layers * model.lstm.outputs)
    found = np.empty(shape, np.float16) if out is None else out
    state = model.lstm.zero_state(plan.index.shape[1])
    model.eval()
    with torch.no_grad():
        for _, piece in plan.pieces(TEACHER_STEPS):
            frames, _ = gather(corpus, piece)
            values, state = model(torch.from_numpy(frames), state, keep_mask(piece))
            due = piece.index >= 0
            found[piece.index[due]] = values.numpy()[due]
    return found


def stored_outputs(teacher: Network, corpus: Corpus, folder: Path) -> NDArray[np.float16]:
    """As :func:`all_outputs`, read from a file of ``folder`` that is written if there is none;
    its name is a digest of network and frames. Raises EseError if it can't be written or read."""
    model = student_of(teacher)
    digest = hashlib.sha256(corpus.frames.tobytes() + corpus.lengths.tobytes())
    for tensor in model.lstm.parameters():
        digest.update(tensor.detach().numpy().tobytes())
    target = folder / f"targets-{digest.hexdigest()[:16]}.npy"
    shape = (len(corpus.frames), model.shape.layers * model.lstm.outputs)

    def write(path: Path) -> None:
        out = np.lib.format.open_memmap(path, "w+", np.float16, shape)
        all_outputs(model, corpus, out)
        out.flush()

    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not target.is_file():
            write_atomically(target, write)
        found = np.load(target, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise EseError(f"targets: {target} must be a file that can be written and read, but "
                       f"{error}") from None
    if found.shape != shape:
        raise EseError(f"targets: {target} must have the shape {shape}, got {found.shape}")
    return np.asarray(found)


def _powers(outputs: NDArray[np.float16], layers: int) -> NDArray[np.float32]:
    """Mean square of every layer's outputs, (layers,)."""
    sums = np.zeros(layers)
    for begin in range(0, len(outputs), 1 << 14):
        part = outputs[begin:begin + (1 << 14)].astype(np.float32)
        sums += np.square(part).reshape(len(part), layers, -1).sum(axis=(0, 2), dtype=np.float64)
    return np.maximum(sums * layers / outputs.size, 1e-30).astype(np.float32)


def outputs_of(network: Network, corpus: Corpus) -> NDArray[np.float64]:
    """Outputs of every frame, each utterance from zero state, (total, outputs)."""
    found = np.empty((len(corpus.frames), network.outputs))
    for first, length in zip(corpus.first, corpus.lengths, strict=True):
        where = slice(int(first), int(first + length))
        found[where] = run_float(network, corpus.frames[where]).outputs[:, :, 0]
    return found


def final_cosines(teacher: Network, student: Network, corpus: Corpus, head: Head | None = None
                  ) -> NDArray[np.float64]:
    """Cosine of both networks' outputs in the last frame of each utterance, or of what the head
    makes of them, (utterances,)."""
    last = corpus.first + corpus.lengths - 1
    wanted, mine = (all_outputs(student_of(network), corpus)[last, -network.outputs:].astype(
        np.float64) for network in (teacher, student))
    if head is not None:
        wanted, mine = (np.maximum(values @ head.weight.T + head.bias, 0)
                        for values in (wanted, mine))
    norms = np.linalg.norm(wanted, axis=1) * np.linalg.norm(mine, axis=1)
    return np.asarray((wanted * mine).sum(axis=1) / np.maximum(norms, 1e-30))
