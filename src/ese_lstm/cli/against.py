"""An image against the checkpoint that it was made from."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ..compress.decompile import decompile
from ..compress.inputs import scale_inputs
from ..compress.network import Layer, Network
from ..compress.pipeline import CompressOptions, compress_network
from ..compress.read.checkpoint import load_stacks
from ..contract.errors import EseError
from ..contract.image import Image
from ..sim.golden.decode import decode_image
from ..sim.golden.noise import real_model
from .knobs import Setting, measure_outputs
from .loss import Loss, decibels, measure_loss

LIKE = 0.5
"""Cosine between the weights of an image and those that it was made from is above, in every
matrix; between other matrices it is near 0."""


def original_of(image: Image, checkpoint: Path, prefix: str | None,
                gate_order: str | None, key_map: Mapping[str, str]) -> Network:
    """The network that an image was made from; of a bidirectional LSTM the one whose weights the
    image has.

    prefix, gate_order, key_map: as they were given to compress. Raises EseError if the checkpoint
    is another file, or holds no LSTM with this image's weights.
    """
    stacks = load_stacks(checkpoint, prefix, gate_order, key_map)
    mine, its = image.manifest.source_sha256, stacks[0].network.sha256
    if mine != its:
        raise EseError(f"against: must be the checkpoint that the image was made from, with "
                       f"SHA-256 {mine or 'unknown'}, but {checkpoint.name} has {its}")
    rounded = image_network(image)
    exponents = np.asarray(image.manifest.input_exponents)
    found = {_likeness(scale_inputs(stack.network, exponents), rounded): stack.network
             for stack in stacks if _shape(stack.network) == _shape(rounded)}
    if max(found, default=0.0) <= LIKE:
        raise EseError(f"against: {checkpoint.name} must hold an LSTM with this image's weights, "
                       f"but none of its {len(stacks)} has them; give --prefix, --gate-order and "
                       f"--key-map as to ese compress ({image.manifest.command or 'not recorded'})")
    return found[max(found)]


def loss_against(image: Image, original: Network,
                 streams: Sequence[NDArray[np.floating]]) -> Loss:
    """The loss at the image's outputs on streams, (T, inputs) each, as the engine reads them.

    Weights count as pruned where the image has none although rounding alone would have left one;
    where rounding would have made a zero, it is the rounding's.
    """
    rounded = image_network(image)
    return measure_loss(original, pruned_network(image, original, rounded), rounded, image,
                        streams)


def advice_against(image: Image, original: Network, streams: Sequence[NDArray[np.floating]],
                   progress: Callable[[str], None]) -> str:
    """What to tell of an image with poor outputs: the network is compressed anew by the command
    that the image records, but calibrated on these streams, and options are tried on it."""
    made = _recorded(image.manifest.command)
    if made is None:
        return ("The image doesn't record an ese compress command; that command tries which "
                "options help on the frames that it is given (--frames).")
    setting = Setting(original, image.config, made[0], streams, made[1])
    remade, report = compress_network(original, image.config, made[0], streams, made[1])
    loss, advice = measure_outputs(setting, remade, report, progress)
    if advice is None:
        level = "no error" if loss.total.snr_db is None else f"{decibels(loss.total.snr_db)} dB"
        return (f"Compressed anew with the same options, but calibrated on these frames, they "
                f"would have {level}.")
    return f"Compressed anew, and calibrated on these frames: {advice.text}"


def _recorded(command: str) -> tuple[float, CompressOptions] | None:
    """Density and options of a recorded ``ese compress`` command; None if it is none."""
    from .compress import chosen_options, compress

    words = shlex.split(command)
    if words[:2] != ["ese", "compress"]:
        return None
    try:
        given = compress.make_context("compress", [*words[2:], "-o", "image.ese"]).params
    except click.ClickException:
        return None
    return given["density"], chosen_options(command, **given)


def image_network(image: Image) -> Network:
    """The image's weights, biases and peepholes as real numbers, for scaled inputs."""
    decoded = real_model(image, decode_image(image))
    return decompile(image, decoded.program.epilogues, decoded.tiles, decoded.bias,
                     decoded.peephole)


def pruned_network(image: Image, original: Network, rounded: Network) -> Network:
    """The original without the weights that the image lacks for another reason than rounding."""
    scaled = scale_inputs(original, np.asarray(image.manifest.input_exponents))
    layers = []
    for info, layer, there, left in zip(image.manifest.layers, original.layers, scaled.layers,
                                        rounded.layers, strict=True):
        fracs = {"w_x": info.gate_weight_frac[0], "w_y": info.gate_weight_frac[1],
                 "w_m": info.projection_weight_frac}
        kept = {}
        for name, frac in fracs.items():
            weights = vars(layer)[name]
            if weights is not None:
                small = np.floor(np.ldexp(vars(there)[name].astype(np.float64), frac) + 0.5) == 0
                kept[name] = np.where((vars(left)[name] != 0) | small, weights, 0)
        layers.append(replace(layer, **kept))
    return original.with_layers(tuple(layers))


def _shape(network: Network) -> list[tuple[int, int, int, bool, bool]]:
    return [(layer.inputs, layer.cells, layer.projection, layer.bias is None,
             layer.peepholes is None) for layer in network.layers]


def _likeness(original: Network, rounded: Network) -> float:
    """Smallest cosine of a matrix's kept weights with the original's; 1 if there are none."""
    return min((_cosine(before[after != 0].astype(np.float64), after[after != 0])
                for layers in zip(original.layers, rounded.layers, strict=True)
                for (_, before), (_, after) in zip(*(_matrices(layer) for layer in layers),
                                                   strict=True) if after.any()), default=1.0)


def _matrices(layer: Layer) -> list[tuple[str, NDArray[np.float64]]]:
    return list(layer.matrices())


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norms if norms else 0.0
