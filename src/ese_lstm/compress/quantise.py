"""Weights to integers: one accumulator fraction per tile, proved not to overflow.

A gate tile adds products of x and of y into one accumulator, so their fractions must agree:

    acc_frac = weight_frac_x + input_frac = weight_frac_y + output_frac

Bias and peepholes are in accumulator units too (a peephole multiplies a cell state, so its
fraction is ``acc_frac − cell_frac``). The finest ``acc_frac`` is taken at which every weight fits
``weight_bits``, every peephole ``peephole_bits``, the shift to the gate input (or to y) lies in
0 … 63, and no row can overflow whatever the activations:

    Σ |weight| · 2**(act_bits−1) + |bias| < 2**(acc_bits−1)        (integers, per row)

Weights that round to 0 get no entry.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.config import SHIFT_BITS, EngineConfig
from ..contract.errors import EseError
from ..contract.formats import FixedFormat, gate_format, gate_input_format
from .network import Layer, Network

MAX_SHIFT = (1 << SHIFT_BITS) - 1

Integers = tuple[list[NDArray[np.int64]], NDArray[np.int64] | None]
"""Matrices that one accumulator sums, and its bias."""


@dataclass(frozen=True)
class Fractions:
    """Fraction bits that quantisation chose for one layer, and what stopped a finer choice."""

    input_frac: int
    output_frac: int
    gate_acc_frac: int
    gate_limit: str
    linear_acc_frac: int
    linear_limit: str


@dataclass(frozen=True)
class LayerFormats(Fractions):
    """The same with what follows for an engine: right shifts of gate and linear tiles, and
    fraction bits of W_ym (0 without projection)."""

    gate_shift: int
    linear_shift: int
    projection_weight_frac: int

    @property
    def gate_weight_frac(self) -> tuple[int, int]:
        """Fraction bits of W_x and W_y."""
        return self.gate_acc_frac - self.input_frac, self.gate_acc_frac - self.output_frac


@dataclass(frozen=True)
class Quantised:
    """A network of integers, its formats per layer, and the same network's rounded real values."""

    network: Network
    formats: tuple[LayerFormats, ...]
    rounded: Network

    @property
    def shifts(self) -> list[tuple[int, int]]:
        """Right shifts of gate and linear tiles, as :func:`compile.compile_network` takes them."""
        return [(f.gate_shift, f.linear_shift) for f in self.formats]


def quantise_network(network: Network, config: EngineConfig, input_frac: int,
                     output_fracs: list[int]) -> Quantised:
    """Integers of ``weight_bits`` and formats for every layer.

    input_frac: fraction bits of the network's input; output_fracs: of each layer's y (that of an
    unprojected layer must be ``act_bits − 1``). Raises EseError naming layer, row and bound if no
    format passes the overflow proof.
    """
    integers, rounded, formats = [], [], []
    for number, (layer, output_frac) in enumerate(zip(network.layers, output_fracs, strict=True)):
        exact, real, chosen = _quantise_layer(layer, f"layer {number}", config, input_frac,
                                              output_frac)
        integers.append(exact)
        rounded.append(real)
        formats.append(chosen)
        input_frac = output_frac
    return Quantised(network.with_layers(tuple(integers)), tuple(formats),
                     network.with_layers(tuple(rounded)))


def _quantise_layer(layer: Layer, name: str, config: EngineConfig, input_frac: int,
                    output_frac: int) -> tuple[Layer, Layer, LayerFormats]:
    gate_frac = gate_format(config).frac
    if not layer.projection and output_frac != gate_frac:
        raise EseError(f"{name} output_frac: must be {gate_frac} without projection, "
                       f"got {output_frac}")
    gate_target = gate_input_format(config).frac
    limits = [
        _limit("W_x", layer.w_x, config.weight_bits, input_frac),
        _limit("W_y", layer.w_y, config.weight_bits, output_frac),
        _limit("peepholes", layer.peepholes, config.peephole_bits, config.cell_frac),
    ]

    def gates(acc_frac: int) -> Integers:
        return ([to_integers(layer.w_x, acc_frac - input_frac),
                 to_integers(layer.w_y, acc_frac - output_frac)],
                None if layer.bias is None else to_integers(layer.bias, acc_frac))

    gate_acc, gate_limit, ((w_x, w_y), bias) = _finest(limits, gate_target, gates,
                                                       f"{name} gates", config)
    peepholes = None if layer.peepholes is None else to_integers(
        layer.peepholes, gate_acc - config.cell_frac)
    w_m, linear_acc, linear_limit, frac_m = None, output_frac, "no projection", 0
    real_m = layer.w_m
    if real_m is not None:
        linear_acc, linear_limit, ((w_m,), _) = _finest(
            [_limit("W_ym", real_m, config.weight_bits, gate_frac)], output_frac,
            lambda acc_frac: ([to_integers(real_m, acc_frac - gate_frac)], None),
            f"{name} projection", config)
        frac_m = linear_acc - gate_frac
    formats = LayerFormats(input_frac, output_frac, gate_acc, gate_limit, linear_acc,
                           linear_limit, gate_acc - gate_target, linear_acc - output_frac, frac_m)
    exact = Layer(w_x, w_y, bias, peepholes, w_m)
    return exact, _real(exact, formats, config), formats


def to_integers(values: NDArray[Any], frac: int) -> NDArray[np.int64]:
    """``floor(values · 2**frac + ½)`` of any shape; the caller has chosen ``frac`` to fit."""
    scaled = np.floor(np.ldexp(np.asarray(values, np.float64), frac) + 0.5)
    return np.asarray(np.clip(scaled, -2.0 ** 62, 2.0 ** 62), dtype=np.int64)


def _limit(name: str, matrix: NDArray[Any] | None, bits: int, act_frac: int) -> tuple[int, str]:
    """Finest accumulator fraction at which a matrix fits ``bits``, and its reason."""
    largest = 0.0 if matrix is None or not matrix.size else float(np.max(np.abs(matrix)))
    if largest == 0.0:
        return 1 << 30, f"{name} is zero"
    return FixedFormat.fitting(bits, largest).frac + act_frac, f"{name} in {bits} bits"


def _finest(limits: list[tuple[int, str]], target: int,
            integers: Callable[[int], Integers], name: str, config: EngineConfig
            ) -> tuple[int, str, Integers]:
    """Accumulator fraction, what stopped a finer one, and the integers of it; at most
    MAX_SHIFT + 1 rounds."""
    acc_frac, reason = min([*limits, (target + MAX_SHIFT, f"shift of at most {MAX_SHIFT}")])
    bound = 1 << (config.acc_bits - 1)
    while acc_frac >= target:
        found = integers(acc_frac)
        worst = row_bounds(*found, config.act_bits)
        row = int(np.argmax(worst))
        if worst[row] < bound:
            return acc_frac, reason, found
        acc_frac, reason = acc_frac - 1, f"row sums in acc_bits={config.acc_bits}"
    if reason.startswith("row sums"):
        raise EseError(f"{name}: Σ|weight|·2**{config.act_bits - 1} + |bias| of every row must "
                       f"stay below 2**{config.acc_bits - 1}, but row {row} reaches "
                       f"{worst[row]:.0f} at the coarsest format")
    raise EseError(f"{name}: the accumulator must have at least {target} fraction bits, but "
                   f"{reason} allow only {acc_frac}")


def row_bounds(matrices: list[NDArray[np.int64]], bias: NDArray[np.int64] | None,
               act_bits: int) -> NDArray[np.float64]:
    """Largest |accumulator + bias| that any activations of ``act_bits`` give; shape (rows,).

    Exact: below 2**53 every term is an integer that a double holds, and above it the comparison
    with 2**(acc_bits−1) is far away.
    """
    sums = sum((np.abs(matrix).astype(np.float64).sum(axis=1) for matrix in matrices),
               start=np.zeros(len(matrices[0])))
    bounds = np.ldexp(sums, act_bits - 1)
    return bounds if bias is None else bounds + np.abs(bias.astype(np.float64))


def _real(exact: Layer, formats: LayerFormats, config: EngineConfig) -> Layer:
    """What the integers mean: the network that the hardware really runs, up to rounding of
    activations."""
    x_frac, y_frac = formats.gate_weight_frac
    return Layer(
        w_x=np.ldexp(exact.w_x.astype(np.float64), -x_frac),
        w_y=np.ldexp(exact.w_y.astype(np.float64), -y_frac),
        bias=None if exact.bias is None else np.ldexp(
            exact.bias.astype(np.float64), -formats.gate_acc_frac),
        peepholes=None if exact.peepholes is None else np.ldexp(
            exact.peepholes.astype(np.float64), config.cell_frac - formats.gate_acc_frac),
        w_m=None if exact.w_m is None else np.ldexp(
            exact.w_m.astype(np.float64), -formats.projection_weight_frac))
