"""The whole way from a network to an image, with a report of what each step did."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.formats import FixedFormat, gate_format
from ..contract.frames import quantise_frames
from ..contract.image import Image, LayerInfo, MatrixInfo
from ..contract.published import COMPRESSION
from .calibrate import (
    Calibration,
    InputScaling,
    calibrate,
    column_exponents,
    for_engine,
    scale_inputs,
    stack,
)
from .compile import Compiled, compile_network
from .figures import CHECKSUM, figures_checksum
from .network import Network
from .pack import Provenance, pack_image
from .prune import Balance, prune_network
from .quantise import Quantised, quantise_network
from .reference import run_float
from .resident import assign_resident
from .share import share_network
from .storage import Stage, huffman_coded, stages
from .widths import check_widths, narrow_network, width_of

FLOAT_BITS = 32


@dataclass(frozen=True)
class CompressOptions:
    """Choices beside configuration and density; see the modules that read them.

    densities, weight_bits: of single matrices by name, instead of the common density and of the
    engine's width (at most that; see :mod:`compress.widths`). command: what the manifest
    records as the command that made the image. share_bits: of a codebook per matrix; None: no
    weight sharing. huffman: store the entries Huffman-coded. resident: which weights stay in the
    lanes' memories, see :func:`resident.assign_resident`.
    """

    balance: Balance = "matrix"
    keep_one: bool = False
    input_scaling: InputScaling = "none"
    input_limit: float | None = None
    command: str = ""
    densities: Mapping[str, float] = field(default_factory=dict)
    share_bits: int | None = None
    huffman: bool = False
    weight_bits: Mapping[str, int] = field(default_factory=dict)
    resident: str = "auto"


@dataclass(frozen=True)
class MatrixReport:
    """One matrix of the paper: size, weights left, and the signal-to-noise ratio of sharing and
    quantisation.

    kept: non-zero weights after pruning; entries: after quantisation as well. sqnr_db: of the
    kept weights; None if no weight or no error is left.
    """

    name: str
    rows: int
    columns: int
    kept: int
    entries: int
    weight_frac: int
    """Of the entries."""
    weight_bits: int
    """Of the grid that the weights were rounded to: the engine's, or fewer."""
    sqnr_db: float | None

    @property
    def density(self) -> float:
        """Share of weights that have an entry."""
        return self.entries / (self.rows * self.columns)


@dataclass(frozen=True)
class LayerReport:
    """Formats of a layer and what limited them."""

    name: str
    input_frac: int
    output_frac: int
    gate_acc_frac: int
    gate_limit: str
    linear_acc_frac: int
    linear_limit: str
    y_max: float
    c_max: float
    c_saturates: bool
    """The float network's cell state leaves the cell format on the calibration frames."""
    y_saturated: int
    """Projected y values of the calibration frames, run with the rounded weights, that leave
    their format."""


@dataclass(frozen=True)
class CompressReport:
    """What compress did; sizes in bits."""

    calibrated: bool
    calibration_frames: int
    input_saturated: int
    """Input values of the calibration frames that saturated."""
    matrices: tuple[MatrixReport, ...]
    layers: tuple[LayerReport, ...]
    entries: int
    null_entries: int
    filler_entries: int
    lane_lengths: tuple[int, ...]
    dense_bits: int
    """All weights, biases and peepholes in 32-bit floating point."""
    stored_bits: int
    published_bits: int
    """The same entries with the paper's 4-bit relative index and 16-bit pointers."""
    stages: tuple[Stage, ...]
    """Bits of the weights after each step."""
    notes: tuple[str, ...]
    """What the reader of the checkpoint says of the rest of the file."""
    ranges: Calibration = field(repr=False)
    pruned: Network = field(repr=False)
    """The original's weights that pruning left, before sharing and rounding; inputs unscaled."""
    rounded: Network = field(repr=False)
    """The pruned network with its rounded weights as real numbers (inputs scaled by the
    manifest's exponents)."""

    @property
    def compression_ratio(self) -> float:
        """Dense 32-bit bits over stored bits."""
        return self.dense_bits / self.stored_bits

    def to_json(self, image: bytes | None = None, **more: Any) -> str:
        """Every figure, without the weights, and a checksum of them; image: the file that they
        belong to, whose SHA-256 is noted; more: what else was measured, by name."""
        values: dict[str, Any] = {key: value for key, value in vars(self).items()
                                  if key not in ("ranges", "pruned", "rounded", "matrices",
                                                 "layers", "stages")}
        values["matrices"] = [{**asdict(m), "density": m.density} for m in self.matrices]
        values["layers"] = [asdict(layer) for layer in self.layers]
        values["stages"] = [{**asdict(stage), "ratio": stage.ratio} for stage in self.stages]
        values["paper_ratio"] = COMPRESSION
        values["compression_ratio"] = self.compression_ratio
        if image is not None:
            values["image_sha256"] = hashlib.sha256(image).hexdigest()
        values |= more
        values[CHECKSUM] = figures_checksum(values)
        return json.dumps(values, indent=2, sort_keys=True) + "\n"


def compress_network(network: Network, config: EngineConfig, density: float = 1.0,
                     frames: Sequence[NDArray[np.floating]] = (),
                     options: CompressOptions | None = None,
                     ranges: Calibration | None = None) -> tuple[Image, CompressReport]:
    """Prune, calibrate on ``frames`` (utterances of shape (T, inputs)), quantise and pack.

    ranges: of a report with the same pruned network, frames and options; then nothing is
    calibrated anew and no saturations are counted, which saves two runs over the frames.
    Raises EseError for a density out of range, frames of another width, a network that doesn't
    fit the configuration, or formats that can't be made safe from overflow.
    """
    options = options or CompressOptions()
    check_widths(options.weight_bits, len(network.layers), config.weight_bits)
    pruned = prune_network(network, config, density, options.balance, options.keep_one,
                           options.densities)
    shared = _narrowed(_shared(pruned, frames, options), frames, options)
    if options.huffman and config.fetch_depth:
        raise EseError(f"huffman: must not be given for an engine that streams weights, which "
                       f"reads its rows from memory uncoded, got fetch_depth {config.fetch_depth}")
    counted = frames if ranges is None else ()
    ranges = (calibrate(shared, config, frames, options.input_scaling, options.input_limit)
              if ranges is None else for_engine(ranges, shared, config))
    scaled = scale_inputs(shared, ranges.exponents)
    quantised = quantise_network(scaled, config, ranges.input_frac, list(ranges.output_fracs))
    compiled = assign_resident(compile_network(quantised.network, config, quantised.shifts),
                               config, options.resident)
    matrices = _matrices(scale_inputs(pruned, ranges.exponents), quantised, config,
                         options.weight_bits)
    image = pack_image(
        compiled, config, _layers(quantised, compiled, config),
        [MatrixInfo(name=m.name, rows=m.rows, columns=m.columns, entries=m.entries,
                    weight_bits=m.weight_bits) for m in matrices],
        Provenance(network.source, network.sha256, options.command),
        ranges.exponents)
    if options.huffman:
        image = huffman_coded(image, shared=options.share_bits is not None)
    return image, _report(image, pruned, quantised, ranges, matrices, counted,
                          options.share_bits is not None)


def _shared(pruned: Network, frames: Sequence[NDArray[np.floating]],
            options: CompressOptions) -> Network:
    """Weights shared as they are stored, in the space of the scaled inputs; then scaled back."""
    bits = options.share_bits
    if bits is None:
        return pruned
    exponents = column_exponents(pruned, frames, options.input_scaling, options.input_limit)
    if not exponents.any():
        return share_network(pruned, bits)
    scaled = scale_inputs(pruned, exponents)
    for (name, before), (_, after) in zip(pruned.layers[0].matrices(),
                                          scaled.layers[0].matrices(), strict=True):
        if len(np.unique(before[before != 0])) <= 1 << bits < len(np.unique(after[after != 0])):
            raise EseError(f"input_scaling: must be 'none' for weights that share 2**{bits} values "
                           f"already, because a scale per column moves the values of l0.{name} "
                           f"apart, got {options.input_scaling!r}")
    return scale_inputs(share_network(scaled, bits), -exponents)


def _narrowed(network: Network, frames: Sequence[NDArray[np.floating]],
              options: CompressOptions) -> Network:
    """Matrices with a width of their own rounded to it, in the space of the scaled inputs."""
    if not options.weight_bits:
        return network
    exponents = column_exponents(network, frames, options.input_scaling, options.input_limit)
    return scale_inputs(narrow_network(scale_inputs(network, exponents), options.weight_bits),
                        -exponents)


def _layers(quantised: Quantised, compiled: Compiled, config: EngineConfig) -> list[LayerInfo]:
    return [
        LayerInfo(inputs=layer.inputs, cells=layer.cells, projection=layer.projection,
                  peepholes=layer.peepholes is not None, bias=layer.bias is not None,
                  input_frac=formats.input_frac, output_frac=formats.output_frac,
                  gate_weight_frac=formats.gate_weight_frac,
                  projection_weight_frac=(formats.linear_acc_frac - gate_format(config).frac
                                          if layer.projection else 0),
                  cell_base=cell_base)
        for layer, formats, cell_base in zip(quantised.network.layers, quantised.formats,
                                             compiled.cell_bases, strict=True)]


def _matrices(pruned: Network, quantised: Quantised, config: EngineConfig,
              widths: Mapping[str, int]) -> tuple[MatrixReport, ...]:
    reports = []
    for number, (before, after, formats) in enumerate(zip(
            pruned.layers, quantised.rounded.layers, quantised.formats, strict=True)):
        fracs = {"x": formats.gate_weight_frac[0], "r": formats.gate_weight_frac[1],
                 "m": formats.linear_acc_frac - gate_format(config).frac}
        for (name, matrix), (_, rounded) in zip(before.matrices(), after.matrices(), strict=True):
            noise = float(np.sum((matrix - rounded) ** 2))
            signal = float(np.sum(np.square(matrix, dtype=np.float64)))
            reports.append(MatrixReport(
                name=f"l{number}.{name}", rows=matrix.shape[0], columns=matrix.shape[1],
                kept=int(np.count_nonzero(matrix)), entries=int(np.count_nonzero(rounded)),
                weight_frac=fracs[name[-1]],
                weight_bits=width_of(f"l{number}.{name}", widths, config.weight_bits),
                sqnr_db=10 * float(np.log10(signal / noise)) if signal and noise else None))
    return tuple(reports)


def _report(image: Image, pruned: Network, quantised: Quantised, ranges: Calibration,
            matrices: tuple[MatrixReport, ...],
            frames: Sequence[NDArray[np.floating]], shared: bool) -> CompressReport:
    config, manifest = image.config, image.manifest
    network = quantised.network
    y_saturated = [0] * len(network.layers)
    input_saturated = 0
    if len(frames):
        values, lengths = stack([np.asarray(f, np.float64) for f in frames])
        input_saturated = quantise_frames(values, manifest)[1]
        y_saturated = _saturated_outputs(quantised, ranges, values, lengths, config)
    params = sum((0 if layer.bias is None else layer.bias.size)
                 + (0 if layer.peepholes is None else layer.peepholes.size)
                 for layer in network.layers)
    cell_limit = 2.0 ** (config.cell_bits - 1 - config.cell_frac)
    layers = tuple(
        LayerReport(f"l{number}", f.input_frac, f.output_frac, f.gate_acc_frac, f.gate_limit,
                    f.linear_acc_frac, f.linear_limit, ranges.y_max[number],
                    ranges.c_max[number], ranges.c_max[number] >= cell_limit,
                    y_saturated[number])
        for number, f in enumerate(quantised.formats))
    return CompressReport(
        calibrated=ranges.calibrated, calibration_frames=ranges.frames,
        input_saturated=input_saturated, matrices=matrices, layers=layers,
        entries=manifest.entries, null_entries=manifest.null_entries,
        filler_entries=manifest.filler_entries,
        lane_lengths=tuple(int(n) for n in image.sections["lane_lengths"]),
        dense_bits=FLOAT_BITS * (manifest.dense_weights + params),
        stored_bits=image.stored_bits, published_bits=image.published_bits,
        stages=stages(image, sum(m.kept for m in matrices), shared),
        notes=network.notes, ranges=ranges, pruned=pruned, rounded=quantised.rounded)


def _saturated_outputs(quantised: Quantised, ranges: Calibration, values: NDArray[np.float64],
                       lengths: list[int], config: EngineConfig) -> list[int]:
    counts = []
    scaled = np.ldexp(values, np.asarray(ranges.exponents).reshape(-1, 1))
    inputs = FixedFormat(config.act_bits, ranges.input_frac)
    scaled = inputs.real(inputs.quantise(scaled)[0])
    for layer, formats in zip(quantised.rounded.layers, quantised.formats, strict=True):
        scaled = run_float(Network((layer,)), scaled).outputs
        fmt = FixedFormat(config.act_bits, formats.output_frac)
        counts.append(sum(fmt.quantise(scaled[:length, :, stream])[1]
                          for stream, length in enumerate(lengths)) if layer.projection else 0)
    return counts
