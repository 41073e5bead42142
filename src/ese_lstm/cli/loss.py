"""What compression costs at the outputs: the error against the original float network.

    SNR = 10 · log10( Σ original² / Σ (outputs − original)² )      dB, after each step

| step | outputs of |
|---|---|
| pruning | the pruned network, in floating point |
| weights | the weights that the image stores (shared and rounded), in floating point |
| activations | the image in the golden model: rounded inputs, accumulators, tables, cell states |

Steps add up: each one's outputs have the errors of those before. Every stream starts from zero
state in all runs.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compress.inputs import scale_inputs, stack
from ..compress.network import Network
from ..compress.reference import run_float
from ..contract.errors import EseError
from ..contract.frames import quantise_frames, real_outputs
from ..contract.image import Image
from ..sim.golden.decode import decode_image
from ..sim.golden.model import GoldenModel

POOR_DB = 20.0
"""Outputs whose SNR is below are called poor: the error is over a tenth of the signal's RMS."""
PIECES = 8
LEAST_FRAMES, MOST_FRAMES = 40, 200
WORK = 50_000_000
"""Weights × frames of a piece, between the least and the most frames."""
STEPS = ("pruning", "weights", "activations")
COSTS = {"pruning": "pruning costs most", "weights": "sharing or rounding of weights costs most",
         "activations": "fixed-point activations cost most"}

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """State after a step. error_rms: of outputs − original. snr_db: None if there is no error,
    or no signal."""

    name: str
    snr_db: float | None
    error_rms: float


@dataclass(frozen=True)
class Loss:
    """Error of the outputs after each of STEPS, over ``frames`` frames of ``streams`` streams.

    signal_rms: of the original network's outputs; 0: no ratio can be given.
    """

    frames: int
    streams: int
    signal_rms: float
    steps: tuple[Step, ...]

    @property
    def total(self) -> Step:
        """After the last step."""
        return self.steps[-1]

    @property
    def dominating(self) -> str:
        """The step that adds most to the mean squared error."""
        powers = [0.0, *(step.error_rms ** 2 for step in self.steps)]
        return max(zip(np.diff(powers), STEPS, strict=True), key=lambda pair: pair[0])[1]

    @property
    def poor(self) -> bool:
        """The outputs have an error, and a signal less than POOR_DB above it."""
        return self.total.snr_db is not None and self.total.snr_db < POOR_DB

    @property
    def sentence(self) -> str:
        """What is wrong with outputs that are poor."""
        assert self.total.snr_db is not None
        return (f"The outputs are {decibels(self.total.snr_db)} dB from the original float "
                f"network, under {POOR_DB:g} dB: {COSTS[self.dominating]}.")

    def to_dict(self) -> dict[str, Any]:
        """For JSON: finite numbers, text and None."""
        return {**asdict(self), "poor": self.poor,
                "dominating": self.dominating if self.poor else None}


def measure_loss(original: Network, pruned: Network, rounded: Network, image: Image,
                 streams: Sequence[NDArray[np.floating]]) -> Loss:
    """Run every stream, (T, inputs) real frames, through all four.

    original, pruned: networks that read the frames themselves; rounded: the image's weights, for
    inputs scaled by the manifest's exponents (``CompressReport.rounded``). Raises EseError for
    frames of another shape.
    """
    if not streams:
        raise EseError("frames: must be at least one, got none")
    exponents = np.asarray(image.manifest.input_exponents)
    truth = run_real(original, streams)
    networks = (pruned, scale_inputs(rounded, -exponents))
    outputs = [truth if same_weights(original, network) else run_real(network, streams)
               for network in networks]
    steps = [Step(name, *compare(truth, got, streams))
             for name, got in zip(STEPS, [*outputs, run_fixed(image, streams)], strict=True)]
    return Loss(sum(map(len, streams)), len(streams),
                compare(truth, np.zeros_like(truth), streams)[1], tuple(steps))


def decibels(value: float) -> str:
    """To one decimal; never −0."""
    return f"{round(value, 1) + 0.0:.1f}"


def compare(truth: Reals, outputs: Reals, streams: Sequence[NDArray[np.floating]]
            ) -> tuple[float | None, float]:
    """SNR of outputs (T, outputs, streams) in dB, None without error or signal, and the error's
    RMS; of the streams' frames alone."""
    counted = np.arange(len(truth))[:, None] < np.array([len(stream) for stream in streams])
    signal, noise = (float(np.sqrt(np.mean(np.square(values.transpose(0, 2, 1)[counted]))))
                     for values in (truth, outputs - truth))
    return 20 * float(np.log10(signal / noise)) if signal and noise else None, noise


def run_real(network: Network, streams: Sequence[NDArray[np.floating]]) -> Reals:
    """Outputs of a network in floating point, (T of the longest, outputs, streams)."""
    return run_float(network, stack([np.asarray(s, np.float64) for s in streams])[0]).outputs


def run_fixed(image: Image, streams: Sequence[NDArray[np.floating]]) -> Reals:
    """The golden model's outputs as real numbers, (T of the longest, outputs, streams)."""
    inputs = [quantise_frames(stream, image.manifest)[0] for stream in streams]
    lengths = [len(stream) for stream in inputs]
    frames = np.zeros((max(lengths), image.manifest.layers[0].inputs, len(inputs)), np.int64)
    for number, stream in enumerate(inputs):
        frames[:len(stream), :, number] = stream
    active = np.arange(len(frames))[:, None] < np.asarray(lengths)
    model = GoldenModel(decode_image(image), len(inputs))
    return real_outputs(model.run(frames, active).outputs, image.manifest)


def same_weights(one: Network, other: Network) -> bool:
    """Every tensor has the same values."""
    return all(np.array_equal(vars(mine)[name], vars(its)[name])
               for mine, its in zip(one.layers, other.layers, strict=True) for name in vars(mine))


def some_frames(streams: Sequence[NDArray[np.floating]], weights: int
                ) -> list[NDArray[np.floating]]:
    """Pieces to measure on: at most PIECES, spread evenly over the streams, of at most as many
    frames as WORK allows a network of so many weights."""
    length = min(max(WORK // max(weights, 1), LEAST_FRAMES), MOST_FRAMES)
    pieces = [stream[first:first + length] for stream in streams
              for first in range(0, len(stream), length)]
    full = [piece for piece in pieces if len(piece) == length] or pieces
    chosen = np.linspace(0, len(full) - 1, min(PIECES, len(full))).round().astype(int)
    return [full[number] for number in chosen]
