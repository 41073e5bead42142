"""Inputs of more range than one column of ``act_bits`` holds, spread over several columns.

One accumulator sums W_x·x and W_y·y, so products of both are in one unit 2**−A. With y at
``act_bits − 1`` fraction bits and W_y at the f that ``weight_bits`` allow, A is too fine for
inputs like mel powers: |w·x| may be at most 2**(weight_bits + act_bits − 2 − A), 8 where 1,500 is
needed. :func:`widen` gives an equivalent network that needs no other hardware:

| change | what for |
|---|---|
| layer 0 projects m to [m · 2**−k, m], for itself and for layer 1 | A is k coarser; the
recurrence sees m with k bits less |
| column j, scaled by 2**−p_j, with W_x rounded to f − k fraction bits | the most of w·x |
| the same column by 2**−k once more, with what was rounded off W_x | f fraction bits of W_x |
| what the first column rounds off x, in steps of 2**−fine_frac, with W_x | small inputs |

The host spreads frames with :meth:`WideInput.spread`. Inputs beyond 2**p_j saturate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..compress.network import Layer, Network
from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.formats import FixedFormat, gate_format

Reals = NDArray[np.float64]
BELOW_ONE = 1 - 2.0 ** -9
"""Factor of the second part, so that m near 1 doesn't take a fraction bit from all of it."""


@dataclass(frozen=True)
class WideInput:
    """How an input frame is spread over columns, three for each input.

    exponents: (inputs,), p_j. frac: fraction bits of every column. shift: k. fine_frac: of the
    third column's steps.
    """

    exponents: tuple[int, ...]
    frac: int
    shift: int
    fine_frac: int

    def spread(self, frames: NDArray[np.floating]) -> Reals:
        """Frames (T, inputs) or (T, inputs, streams) as (T, 3 · inputs …), all within ±1."""
        powers = np.asarray(self.exponents).reshape((-1,) + (1,) * (frames.ndim - 2))
        values = np.asarray(frames, np.float64)
        limit = 1 << self.frac
        coarse = np.clip(np.floor(np.ldexp(values, self.frac - powers)), -limit, limit - 1)
        rest = values - np.ldexp(coarse, powers - self.frac)
        fine = np.clip(np.floor(np.ldexp(rest, self.fine_frac) + 0.5), 0, limit - 1)
        fine[np.broadcast_to(powers + self.fine_frac <= self.frac, fine.shape)] = 0
        again = np.floor(np.ldexp(coarse, -self.shift))
        return np.ldexp(np.concatenate([coarse, again, fine], axis=1), -self.frac)


def widen(network: Network, peaks: Sequence[float] | Reals, config: EngineConfig, shift: int = 7,
          fine_frac: int = 16) -> tuple[Network, WideInput]:
    """An equivalent network that reads spread frames.

    peaks: (inputs,), largest magnitude of each input. shift: k; larger ones hold larger inputs
    and cost the recurrence precision. Raises EseError if the first layer has a projection, if
    there is no second one, or if ``shift`` is out of range.
    """
    first = network.layers[0]
    if len(network.layers) < 2 or first.projection:
        raise EseError("network: must have two layers, the first without projection, for inputs "
                       "to be widened")
    frac = gate_format(config).frac
    weight_frac = FixedFormat.fitting(config.weight_bits, float(np.abs(first.w_y).max())).frac
    if not 0 < shift < frac:
        raise EseError(f"shift: must be 1 to {frac - 1}, got {shift}")
    top = np.abs(first.w_x).max(axis=0).astype(np.float64)
    room = np.ldexp((1 << (config.weight_bits - 1)) - 1, shift - weight_frac)
    held = np.floor(np.log2(room / np.maximum(top, np.ldexp(1.0, -weight_frac))))
    wanted = np.frexp(np.maximum(np.asarray(peaks, np.float64), np.ldexp(1.0, -frac)))[1]
    powers = np.minimum(wanted, held).astype(np.int64)
    scaled = np.ldexp(first.w_x.astype(np.float64), powers)
    coarse = np.ldexp(np.floor(np.ldexp(scaled, weight_frac - shift) + 0.5), shift - weight_frac)
    coarse[first.w_x == 0] = 0
    fine = np.ldexp(first.w_x.astype(np.float64), frac - fine_frac)
    fine[:, powers + fine_frac <= frac] = 0
    w_x = np.concatenate([coarse, np.ldexp(scaled - coarse, shift), fine], axis=1)
    w_y = np.concatenate([np.ldexp(first.w_y.astype(np.float64), shift),
                          np.zeros(first.w_y.shape)], axis=1)
    one = np.eye(first.cells)
    above = network.layers[1]
    below = np.concatenate([np.zeros(above.w_x.shape), above.w_x / BELOW_ONE], axis=1)
    layers = (Layer(w_x, w_y, first.bias, first.peepholes,
                    np.concatenate([np.ldexp(one, -shift), BELOW_ONE * one])),
              Layer(below, above.w_y, above.bias, above.peepholes, above.w_m),
              *network.layers[2:])
    return network.with_layers(layers), WideInput(tuple(int(p) for p in powers), frac, shift,
                                                  fine_frac)
