"""Answers of a phone classifier on a corpus: float, or bit-exact through a packed image."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from ..contract.errors import EseError
from ..contract.frames import quantise_frames, real_outputs
from ..contract.image import Image
from ..sim.golden.decode import decode_image
from ..sim.golden.model import GoldenModel, Saturations
from .data.streams import Corpus, Plan, gather, plan_streams
from .model import PhoneNet, scores
from .scoring import Scores, score

STREAMS = 64
STEPS = 25

Progress = Callable[[float], None]


def _silent(fraction: float) -> None:
    """Tells nobody."""


def longest_first(corpus: Corpus) -> NDArray[np.int64]:
    """Order in which streams end nearly together."""
    return np.argsort(-corpus.lengths, kind="stable")


def float_answers(model: PhoneNet, corpus: Corpus, streams: int = STREAMS,
                  progress: Progress = _silent) -> NDArray[np.float32]:
    """Phone scores of every frame of the corpus, (total, phones), in PyTorch."""
    plan = plan_streams(corpus, min(streams, len(corpus.lengths)), model.shape.delay,
                        longest_first(corpus))
    found = np.zeros((len(corpus.frames), len(model.shape.phones)), np.float32)
    state = model.lstm.zero_state(plan.index.shape[1])
    model.eval()
    with torch.no_grad():
        for where, piece in plan.pieces(STEPS):
            progress(where.start / len(plan.index))
            frames, _ = gather(corpus, piece)
            values, state = model(torch.from_numpy(frames), state, keep_mask(piece))
            due = piece.target >= 0
            found[piece.target[due]] = values.numpy()[due]
    return found


def fixed_answers(model: PhoneNet, image: Image, corpus: Corpus, channels: int | None = None,
                  progress: Progress = _silent
                  ) -> tuple[NDArray[np.float64], Saturations, int]:
    """The same through the golden model of a packed image, utterances running on all channels.

    channels: of the simulated engine (the image's without it; results don't depend on them).
    The output layer over phones runs in floating point, as it does outside the engine. Returns
    scores, saturations, and input values that saturated. Raises EseError if image and model
    differ in size.
    """
    layers = image.manifest.layers
    sizes = (layers[0].inputs, layers[-1].projection or layers[-1].cells)
    if sizes != (model.shape.inputs, model.lstm.outputs):
        raise EseError(f"image: must read {model.shape.inputs} inputs and give "
                       f"{model.lstm.outputs} outputs as the model does, got {sizes[0]} and "
                       f"{sizes[1]}")
    count = image.config.channels if channels is None else channels
    golden = GoldenModel(decode_image(image), count)
    plan = plan_streams(corpus, count, model.shape.delay, longest_first(corpus))
    scale = model.input_scale.numpy()
    found = np.zeros((len(corpus.frames), len(model.shape.phones)))
    saturations, clipped = Saturations(), 0
    for where, piece in plan.pieces(STEPS):
        progress(where.start / len(plan.index))
        frames, _ = gather(corpus, piece)
        integers, saturated = quantise_frames((frames * scale).transpose(0, 2, 1), image.manifest)
        clipped += saturated
        for t in range(len(piece.index)):
            result = golden.step(integers[t], piece.index[t] >= 0, piece.start[t])
            saturations += result.saturations
            due = piece.target[t] >= 0
            outputs = real_outputs(result.outputs[:, due].T, image.manifest)
            found[piece.target[t][due]] = scores(model, outputs)
    return found, saturations, clipped


def keep_mask(piece: Plan) -> torch.Tensor:
    """(T, streams, 1): 0 where an utterance starts."""
    return torch.from_numpy(~piece.start).to(torch.float32)[:, :, None]


def score_answers(model: PhoneNet, corpus: Corpus, answers: NDArray[np.floating]) -> Scores:
    """FER, PER and confusion of answers (total, phones)."""
    pairs = []
    for first, length in zip(corpus.first, corpus.lengths, strict=True):
        where = slice(int(first), int(first + length))
        pairs.append((answers[where], corpus.labels[where]))
    return score(pairs, model.priors.numpy(), model.bigram.numpy())


def float_scores(model: PhoneNet, corpus: Corpus, progress: Progress = _silent) -> Scores:
    """FER, PER and confusion of the model in PyTorch."""
    return score_answers(model, corpus, float_answers(model, corpus, progress=progress))
