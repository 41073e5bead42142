"""The whole way from a network to an image: a weight passes each step once.

    prune → scale inputs → share → narrow → calibrate, choose formats → quantise → compile → pack
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.image import Image, LayerInfo, MatrixInfo
from .calibrate import Ranges, calibrate, choose_formats
from .compile import Compiled, compile_network
from .figures import matrix_reports, report_on
from .inputs import InputScaling, no_frames, read_inputs, scale_inputs
from .network import Network
from .pack import Provenance, pack_image
from .prune import Balance, prune_network
from .quantise import Quantised, quantise_network
from .report import CompressReport
from .resident import assign_resident
from .share import share_network
from .storage import huffman_coded
from .widths import check_widths, narrow_network


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


def compress_network(network: Network, config: EngineConfig, density: float = 1.0,
                     frames: Sequence[NDArray[np.floating]] = (),
                     options: CompressOptions | None = None,
                     ranges: Ranges | None = None) -> tuple[Image, CompressReport]:
    """Prune, calibrate on ``frames`` (utterances of shape (T, inputs)), quantise and pack.

    ranges: of a report with the same pruned network, frames and options; then nothing is
    calibrated anew and no saturations are counted, which saves two runs over the frames.
    Raises EseError for a density out of range, frames of another width, a network that doesn't
    fit the configuration, or formats that can't be made safe from overflow.
    """
    options = options or CompressOptions()
    check_widths(options.weight_bits, len(network.layers), config.weight_bits)
    if options.huffman and config.fetch_depth:
        raise EseError(f"huffman: must not be given for an engine that streams weights, which "
                       f"reads its rows from memory uncoded, got fetch_depth {config.fetch_depth}")
    pruned = prune_network(network, config, density, options.balance, options.keep_one,
                           options.densities)
    inputs = (read_inputs(frames, network.inputs, options.input_scaling, options.input_limit)
              if ranges is None else no_frames(ranges.exponents))
    scaled = scale_inputs(pruned, inputs.exponents)
    ready = narrow_network(_shared(pruned, scaled, options), options.weight_bits)
    ranges = calibrate(ready, inputs) if ranges is None else ranges
    quantised = quantise_network(ready, config, *choose_formats(ranges, ready, config))
    compiled = assign_resident(compile_network(quantised.network, config, quantised.shifts),
                               config, options.resident)
    matrices = matrix_reports(scaled, quantised, config, options.weight_bits)
    image = pack_image(
        compiled, config, _layers(quantised, compiled),
        [MatrixInfo(name=m.name, rows=m.rows, columns=m.columns, entries=m.entries,
                    weight_bits=m.weight_bits) for m in matrices],
        Provenance(network.source, network.sha256, options.command),
        ranges.exponents)
    shared = options.share_bits is not None
    if options.huffman:
        image = huffman_coded(image, shared)
    return image, report_on(image, pruned, quantised, ranges, matrices, inputs, shared)


def _shared(pruned: Network, scaled: Network, options: CompressOptions) -> Network:
    """Weights shared as they are stored. Raises EseError if they were, and scaling of the inputs
    has moved them apart."""
    bits = options.share_bits
    if bits is None:
        return scaled
    for (name, before), (_, after) in zip(pruned.layers[0].matrices(),
                                          scaled.layers[0].matrices(), strict=True):
        if scaled is not pruned and _values(before) <= 1 << bits < _values(after):
            raise EseError(f"input_scaling: must be 'none' for weights that share 2**{bits} values "
                           f"already, because a scale per column moves the values of l0.{name} "
                           f"apart, got {options.input_scaling!r}")
    return share_network(scaled, bits)


def _values(matrix: NDArray[np.floating]) -> int:
    return len(np.unique(matrix[matrix != 0]))


def _layers(quantised: Quantised, compiled: Compiled) -> list[LayerInfo]:
    return [
        LayerInfo(inputs=layer.inputs, cells=layer.cells, projection=layer.projection,
                  peepholes=layer.peepholes is not None, bias=layer.bias is not None,
                  input_frac=formats.input_frac, output_frac=formats.output_frac,
                  gate_weight_frac=formats.gate_weight_frac,
                  projection_weight_frac=formats.projection_weight_frac, cell_base=cell_base)
        for layer, formats, cell_base in zip(quantised.network.layers, quantised.formats,
                                             compiled.cell_bases, strict=True)]
