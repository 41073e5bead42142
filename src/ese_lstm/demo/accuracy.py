"""How far the fixed-point network is from floating point, and what pruning cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..compress.network import Network
from ..compress.pipeline import CompressOptions, compress_network
from ..compress.prune import prune_network
from ..compress.reference import run_float
from ..compress.report import CompressReport
from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.frames import quantise_frames, real_outputs
from ..contract.image import Image
from ..sim.golden.decode import decode_image
from ..sim.golden.model import GoldenModel
from .speech import PARTIAL_FRAMES, Schedule

Reals = NDArray[np.float64]
INPUT_LIMITS = (1.0, 2.0, 4.0, 8.0, 64.0)
"""Powers of two, as a limit between them gives the formats of the next one; the last holds every
peak of the prompts."""
CALIBRATION_FRAMES = 400


@dataclass(frozen=True)
class Head:
    """What Resemblyzer makes of the last hidden state: linear, ReLU, unit length."""

    weight: Reals
    bias: Reals

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[np.floating]]) -> "Head":
        """From the checkpoint's ``linear.weight`` and ``linear.bias``."""
        try:
            return cls(tensors["linear.weight"].astype(np.float64),
                       tensors["linear.bias"].astype(np.float64))
        except KeyError as error:
            raise EseError(f"checkpoint: must hold tensor {error}, but does not") from None

    def embed(self, outputs: Reals) -> Reals:
        """Embeddings (256, streams) of hidden states (frames, 256, streams)."""
        raised = np.maximum(self.weight @ outputs[-1] + self.bias[:, None], 0.0)
        return raised / np.maximum(np.linalg.norm(raised, axis=0), np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Difference:
    """One network's outputs against another's.

    rms, maximum: of the difference of hidden values. reference_rms: of the reference itself.
    cosine_mean, cosine_min: of the streams' embeddings; None if not computed.
    """

    values: int
    rms: float
    maximum: float
    reference_rms: float
    cosine_mean: float | None = None
    cosine_min: float | None = None


def difference(outputs: Reals, reference: Reals, head: Head | None = None) -> Difference:
    """Compare outputs (frames, width, streams) with a reference of the same shape."""
    error = outputs - reference
    found = Difference(error.size, _rms(error), float(np.abs(error).max()), _rms(reference))
    if head is None:
        return found
    cosines = np.sum(head.embed(outputs) * head.embed(reference), axis=0)
    return replace(found, cosine_mean=float(cosines.mean()), cosine_min=float(cosines.min()))


def windows(utterances: Sequence[NDArray[np.float32]]) -> Reals:
    """The first window of each utterance over which Resemblyzer computes an embedding:
    (160, 40, utterances)."""
    return np.stack([u[:PARTIAL_FRAMES] for u in utterances], axis=-1).astype(np.float64)


def run_fixed(image: Image, frames: Reals) -> tuple[Reals, int]:
    """Outputs of the golden model as real numbers, and how many input values saturated."""
    integers, saturated = quantise_frames(frames, image.manifest)
    model = GoldenModel(decode_image(image), channels=frames.shape[2])
    return real_outputs(model.run(integers).outputs, image.manifest), saturated


@dataclass(frozen=True)
class Calibrated:
    """The chosen image. input_limit: larger inputs saturate; tried: RMS error by limit."""

    image: Image
    report: CompressReport
    pruned: Network
    input_limit: float
    tried: dict[float, float]


def compress_calibrated(network: Network, config: EngineConfig, density: float,
                        utterances: Sequence[NDArray[np.float32]], options: CompressOptions,
                        progress: Callable[[float], None] = lambda fraction: None) -> Calibrated:
    """Compress with the input range that gives the smallest error on calibration utterances.

    Mel powers span five decades with rare peaks, and one accumulator is shared by input and
    recurrent weights: a range that holds every peak leaves the recurrent weights of the first
    layer few bits. So powers of two are tried as input limit, and that one is taken whose
    fixed-point outputs, with the limit's saturation, are nearest to the pruned float network.
    """
    pruned = prune_network(network, config, density, options.balance, options.keep_one)
    frames = windows(utterances)
    reference = run_float(pruned, frames).outputs
    clips = [utterance[:CALIBRATION_FRAMES] for utterance in utterances]
    best: tuple[float, Image, CompressReport] | None = None
    tried: dict[float, float] = {}
    for number, limit in enumerate(INPUT_LIMITS):
        progress(number / len(INPUT_LIMITS))
        image, report = compress_network(network, config, density,
                                         [np.minimum(clip, limit) for clip in clips], options)
        tried[limit] = difference(run_fixed(image, frames)[0], reference).rms
        if best is None or tried[limit] < tried[best[0]]:
            best = limit, image, report
    assert best is not None
    return Calibrated(best[1], best[2], pruned, best[0], tried)


def float_outputs(network: Network, plan: Schedule) -> Reals:
    """A float network's outputs on a schedule, each utterance from zero state: (frames, width,
    channels), zero where a channel idles."""
    outputs = np.zeros((len(plan.frames), network.outputs, plan.frames.shape[2]))
    for span in plan.spans:
        part = plan.frames[span.first:span.end, :, span.channel]
        outputs[span.first:span.end, :, span.channel] = run_float(network, part).outputs[:, :, 0]
    return outputs


def _rms(values: Reals) -> float:
    return float(np.sqrt(np.mean(values ** 2)))
