"""What fixed point costs, tensor by tensor: the image in integers beside the same weights in real
numbers.

    SQNR = 10 · log10( Σ real² / Σ (integer · 2**−frac − real)² )      dB

Both runs keep states of their own, so that noise which feeds back through y and c is in the
figures; what rounding of the weights costs is not (``compress`` reports that per matrix).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...contract.cells import LINEAR
from ...contract.config import EngineConfig
from ...contract.errors import EseError
from ...contract.formats import FixedFormat, cell_format, gate_format
from ...contract.frames import input_format, quantise_frames
from ...contract.image import Image, LayerInfo
from ...contract.program import Epilogue, Program, TileWeights
from .arithmetic import Values
from .decode import DecodedModel, decode_image
from .model import GoldenModel

Key = tuple[int, str]
TENSORS = ("x", "i", "f", "g", "o", "c", "tanh_c", "m", "y")


@dataclass(frozen=True)
class TensorNoise:
    """One tensor over all frames of the streams.

    layer: its number; x is the first layer's. name: of TENSORS; y only of a projection (m is y
    without one). bits, frac: its format. largest: |real value|. saturated: values limited to
    their format; for a gate pre-activations beyond ±8 and for tanh_c cell states beyond ±8, where
    σ and tanh are flat. sqnr_db: None if there is no signal or no noise.
    """

    layer: int
    name: str
    bits: int
    frac: int
    values: int
    largest: float
    saturated: int
    sqnr_db: float | None


def measure_noise(image: Image, streams: Sequence[NDArray[np.floating]],
                  cut: int | None = None) -> tuple[TensorNoise, ...]:
    """SQNR and saturations of every tensor on real frames, each stream (T, inputs) from zero state.

    cut: pieces of at most so many frames run side by side, each from zero state, instead of whole
    streams; faster for few long ones. Raises EseError for frames of another shape.
    """
    if cut is not None and cut < 1:
        raise EseError(f"cut: must be at least 1 frame, got {cut}")
    pieces = [stream[first:first + (cut or len(stream))] for stream in map(np.asarray, streams)
              for first in range(0, len(stream), cut or max(len(stream), 1))]
    if not pieces:
        raise EseError("frames: must be at least one, got none")
    pieces.sort(key=len, reverse=True)
    inputs = [quantise_frames(piece, image.manifest) for piece in pieces]
    scale = np.ldexp(1.0, np.asarray(image.manifest.input_exponents))
    reals = [piece * scale for piece in pieces]
    decoded = decode_image(image)
    tally = _Tally(image, decoded.program)
    models = (GoldenModel(decoded, len(pieces)),
              GoldenModel(real_model(image, decoded), len(pieces)))
    seen: tuple[_Seen, _Seen] = (_Seen(tally.layers), _Seen(tally.layers))
    for model, found in zip(models, seen, strict=True):
        model.observe = found
    tally.saturated[0, "x"] = sum(count for _, count in inputs)
    lengths = np.array([len(piece) for piece in pieces])
    for t in range(int(lengths[0])):
        active = lengths > t
        running = int(active.sum())
        frames = [np.zeros((decoded.program.input_width, len(pieces)), dtype)
                  for dtype in (np.int64, np.float64)]
        for number in range(running):
            frames[0][:, number] = inputs[number][0][t]
            frames[1][:, number] = reals[number][t]
        tally.add((0, "x"), frames[0][:, :running], frames[1][:, :running])
        for model, frame, found in zip(models, frames, seen, strict=True):
            found.clear()
            model.step(frame, active)
        for (key, integers, saturated), (_, real, _) in zip(*seen, strict=True):
            tally.add(key, integers, real, saturated)
    return tally.result()


def real_model(image: Image, decoded: DecodedModel) -> DecodedModel:
    """The image's weights, biases and peepholes as real numbers, for quantisers off."""
    config = image.config
    bias, peephole = (part.astype(np.float64) for part in (decoded.bias, decoded.peephole))
    tiles = []
    for (segments, epilogue), weights, number in zip(
            decoded.program.tiles(), decoded.tiles, decoded.program.layers, strict=True):
        layer = image.manifest.layers[number]
        params = slice(epilogue.param_base, epilogue.param_base + epilogue.rows)
        fracs = np.repeat([layer.projection_weight_frac if epilogue.cell is LINEAR else
                           layer.gate_weight_frac[segment.recurrent] for segment in segments],
                          [segment.length for segment in segments])
        acc_frac = _acc_frac(layer, epilogue, config)
        bias[params] = np.ldexp(bias[params], -acc_frac)
        peephole[params] = np.ldexp(peephole[params], config.cell_frac - acc_frac)
        tiles.append(TileWeights(weights.rows, weights.columns, np.ldexp(
            weights.weights.astype(np.float64), -fracs[weights.columns])))
    return DecodedModel(config, decoded.program, tuple(tiles), bias, peephole)


def _acc_frac(layer: LayerInfo, epilogue: Epilogue, config: EngineConfig) -> int:
    if epilogue.cell is LINEAR:
        return layer.projection_weight_frac + gate_format(config).frac
    return layer.gate_weight_frac[0] + layer.input_frac


class _Seen(list[tuple[Key, Values, int]]):
    """An Observer that keeps what it is told, tensors by layer."""

    def __init__(self, layers: Sequence[int]) -> None:
        super().__init__()
        self._layers = layers

    def __call__(self, tile: int, name: str, values: Values, saturated: int) -> None:
        self.append(((self._layers[tile], name), values, saturated))


class _Tally:
    """Sums of signal and noise by (layer, tensor)."""

    def __init__(self, image: Image, program: Program) -> None:
        self._image = image
        self.layers = program.layers
        self.saturated: dict[Key, int] = {}
        self._sums: dict[Key, NDArray[np.float64]] = {}

    def add(self, key: Key, integers: Values, real: Values, saturated: int = 0) -> None:
        """Values of one tensor, of the same shape in integers and in real numbers."""
        error = self._format(key).real(integers) - real
        sums = self._sums.setdefault(key, np.zeros(4))
        sums[:3] += integers.size, np.sum(real * real), np.sum(error * error)
        sums[3] = max(sums[3], float(np.max(np.abs(real), initial=0.0)))
        self.saturated[key] = self.saturated.get(key, 0) + saturated

    def result(self) -> tuple[TensorNoise, ...]:
        """Layer by layer, in the order of TENSORS."""
        found = []
        for key in sorted(self._sums, key=lambda key: (key[0], TENSORS.index(key[1]))):
            count, signal, noise, largest = (float(part) for part in self._sums[key])
            fmt = self._format(key)
            found.append(TensorNoise(
                *key, fmt.bits, fmt.frac, int(count), largest, self.saturated[key],
                float(10 * np.log10(signal / noise)) if signal and noise else None))
        return tuple(found)

    def _format(self, key: Key) -> FixedFormat:
        layer, name = key
        if name == "x":
            return input_format(self._image.manifest)
        if name == "y":
            return FixedFormat(self._image.config.act_bits,
                               self._image.manifest.layers[layer].output_frac)
        return (cell_format if name == "c" else gate_format)(self._image.config)
