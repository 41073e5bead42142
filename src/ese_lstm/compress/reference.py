"""A network in floating point (numpy): ranges for calibration, truth for error figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..contract.cells import LSTM
from ..contract.errors import EseError
from .network import Layer, Network


@dataclass(frozen=True)
class FloatRun:
    """Values of a run over T frames of S streams.

    outputs: (T, outputs, S). y_max, c_max: largest |y| and |c| of each layer.
    """

    outputs: NDArray[np.float64]
    y_max: tuple[float, ...]
    c_max: tuple[float, ...]


def run_float(network: Network, frames: NDArray[np.floating],
              lengths: Sequence[int] | None = None) -> FloatRun:
    """Run from zero states; frames: (T, inputs) or (T, inputs, S).

    lengths: frames that count of each stream (all, by default); later ones are padding and do not
    enter the maxima. Raises EseError if the frames are of another width.
    """
    values = np.asarray(frames, np.float64)
    values = values[:, :, None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[1] != network.inputs:
        raise EseError(f"frames: must have the shape (T, {network.inputs}) or "
                       f"(T, {network.inputs}, streams), got {np.shape(frames)}")
    ends = np.full(values.shape[2], len(values)) if lengths is None else np.asarray(lengths)
    counted = np.arange(len(values))[:, None] < ends
    y_max, c_max = [], []
    for layer in network.layers:
        values, cells = _run_layer(layer, values)
        y_max.append(_largest(values, counted))
        c_max.append(_largest(cells, counted))
    return FloatRun(values, tuple(y_max), tuple(c_max))


def _largest(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> float:
    return float(np.max(np.abs(values) * counted[:, None, :], initial=0.0))


def _run_layer(layer: Layer, frames: NDArray[np.float64]
               ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    steps, _, streams = frames.shape
    c = np.zeros((layer.cells, streams))
    y = np.zeros((layer.outputs, streams))
    bias = np.zeros((len(layer.w_x), 1)) if layer.bias is None else layer.bias[:, None]
    p_i, p_f, p_o = (np.zeros((3, layer.cells, 1)) if layer.peepholes is None
                     else layer.peepholes[:, :, None])
    outputs = np.zeros((steps, layer.outputs, streams))
    cells = np.zeros((steps, layer.cells, streams))
    w_x, w_y = layer.w_x.astype(np.float64), layer.w_y.astype(np.float64)
    w_m = None if layer.w_m is None else layer.w_m.astype(np.float64)
    for step in range(steps):
        i, f, g, o = np.split(w_x @ frames[step] + w_y @ y + bias, LSTM.size)
        c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
        m = sigmoid(o + p_o * c) * np.tanh(c)
        y = m if w_m is None else w_m @ m
        outputs[step], cells[step] = y, c
    return outputs, cells


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + e**−x), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))
