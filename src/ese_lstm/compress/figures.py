"""What compress measures of an image: errors of the weights, saturations, sizes."""

from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from ..contract.config import EngineConfig
from ..contract.formats import FixedFormat
from ..contract.frames import quantise_frames
from ..contract.image import Image
from .calibrate import Ranges
from .inputs import Inputs
from .matrices import value_of
from .network import Network
from .quantise import Fractions, Quantised
from .reference import run_float
from .report import CompressReport, LayerReport, MatrixReport
from .storage import FLOAT_BITS, stages


def matrix_reports(scaled: Network, quantised: Quantised, config: EngineConfig,
                   widths: Mapping[str, int]) -> tuple[MatrixReport, ...]:
    """Of every matrix. scaled: the pruned network, for the engine's inputs; widths: bits of
    matrices that have a width of their own."""
    reports = []
    for number, (before, after, formats) in enumerate(zip(
            scaled.layers, quantised.rounded.layers, quantised.formats, strict=True)):
        fracs = {"x": formats.gate_weight_frac[0], "r": formats.gate_weight_frac[1],
                 "m": formats.projection_weight_frac}
        for (kind, matrix), (_, rounded) in zip(before.matrices(), after.matrices(), strict=True):
            name = f"l{number}.{kind}"
            noise = float(np.sum((matrix - rounded) ** 2))
            signal = float(np.sum(np.square(matrix, dtype=np.float64)))
            reports.append(MatrixReport(
                name=name, rows=matrix.shape[0], columns=matrix.shape[1],
                kept=int(np.count_nonzero(matrix)), entries=int(np.count_nonzero(rounded)),
                weight_frac=fracs[kind[-1]],
                weight_bits=value_of(name, widths, config.weight_bits),
                sqnr_db=10 * float(np.log10(signal / noise)) if signal and noise else None))
    return tuple(reports)


def saturations(quantised: Quantised, image: Image, inputs: Inputs) -> tuple[int, list[int]]:
    """Values of the frames, run with the rounded weights, that leave their formats: of the
    inputs, and of each layer's projected y."""
    counts = [0] * len(quantised.formats)
    if not inputs.lengths:
        return 0, counts
    integers, saturated = quantise_frames(inputs.frames, image.manifest)
    values = FixedFormat(image.config.act_bits, quantised.formats[0].input_frac).real(integers)
    layers = quantised.rounded.layers
    end = max((number + 1 for number, layer in enumerate(layers) if layer.projection), default=0)
    for number, layer in enumerate(layers[:end]):
        values = run_float(Network((layer,)), values).outputs
        if layer.projection:
            fmt = FixedFormat(image.config.act_bits, quantised.formats[number].output_frac)
            counts[number] = sum(fmt.quantise(values[:length, :, stream])[1]
                                 for stream, length in enumerate(inputs.lengths))
    return saturated, counts


def layer_reports(quantised: Quantised, ranges: Ranges, config: EngineConfig,
                  y_saturated: list[int]) -> tuple[LayerReport, ...]:
    """Of every layer."""
    cell_limit = 2.0 ** (config.cell_bits - 1 - config.cell_frac)
    return tuple(
        LayerReport(**{item.name: getattr(formats, item.name) for item in fields(Fractions)},
                    name=f"l{number}", y_max=y_max, c_max=c_max, c_saturates=c_max >= cell_limit,
                    y_saturated=saturated)
        for number, (formats, y_max, c_max, saturated) in enumerate(zip(
            quantised.formats, ranges.y_max, ranges.c_max, y_saturated, strict=True)))


def report_on(image: Image, pruned: Network, quantised: Quantised, ranges: Ranges,
              matrices: tuple[MatrixReport, ...], inputs: Inputs, shared: bool
              ) -> CompressReport:
    """The report of an image. pruned: the network, inputs unscaled; inputs: frames on which
    saturations are counted; shared: whether its weights are."""
    config, manifest = image.config, image.manifest
    input_saturated, y_saturated = saturations(quantised, image, inputs)
    params = sum((0 if layer.bias is None else layer.bias.size)
                 + (0 if layer.peepholes is None else layer.peepholes.size)
                 for layer in pruned.layers)
    return CompressReport(
        calibrated=ranges.calibrated, calibration_frames=ranges.frames,
        input_saturated=input_saturated, matrices=matrices,
        layers=layer_reports(quantised, ranges, config, y_saturated),
        entries=manifest.entries, null_entries=manifest.null_entries,
        filler_entries=manifest.filler_entries,
        lane_lengths=tuple(int(n) for n in image.sections["lane_lengths"]),
        dense_bits=FLOAT_BITS * (manifest.dense_weights + params),
        stored_bits=image.stored_bits, published_bits=image.published_bits,
        stages=stages(image, sum(m.kept for m in matrices), shared),
        notes=pruned.notes, ranges=ranges, pruned=pruned, rounded=quantised.rounded)
