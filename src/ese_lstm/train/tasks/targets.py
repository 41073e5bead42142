"""What a dense network answers, and how near another comes to it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...compress.network import Network
from ...contract.errors import EseError
from ...contract.files import write_atomically
from ..data.streams import Corpus, gather, plan_streams
from ..evaluate import keep_mask, longest_first
from .student import Student, student_of

STREAMS = 64
STEPS = 32


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


def all_outputs(model: Student, corpus: Corpus, out: NDArray[np.float16] | None = None
                ) -> NDArray[np.float16]:
    """Outputs of every layer in every frame, each utterance from zero state, (total, layers ·
    outputs), in half precision, which loses less than hardware's 16-bit activations would; into
    ``out`` if given."""
    plan = plan_streams(corpus, min(STREAMS, len(corpus.lengths)), 0,
                        longest_first(corpus))
    shape = (len(corpus.frames), model.shape.layers * model.lstm.outputs)
    found = np.empty(shape, np.float16) if out is None else out
    state = model.lstm.zero_state(plan.index.shape[1])
    model.eval()
    with torch.no_grad():
        for _, piece in plan.pieces(STEPS):
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
