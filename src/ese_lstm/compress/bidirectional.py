"""A bidirectional LSTM as one network per layer and direction, joined by the host.

    y_fwd = forward_k(x_0 … x_T−1)      y_rev = reversed(reverse_k(x_T−1 … x_0))
    x of layer k+1 = [y_fwd | y_rev]    (torch.nn.LSTM(bidirectional=True), ONNX alike)
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .read.checkpoint import Stack
from .reference import run_float

Run = Callable[[Stack, NDArray[np.float64]], NDArray[np.float64]]
"""Runs one stack over the frames (T, inputs) in the order given; its outputs (T, outputs)."""


def run_joined(stacks: Sequence[Stack], frames: NDArray[np.floating], run: Run
               ) -> NDArray[np.float64]:
    """Outputs of all stacks joined, (T, outputs), of one utterance (T, inputs); ``run`` is the
    engine, a model of it, or the float network. Stacks: of :func:`checkpoint.load_stacks`."""
    values = np.asarray(frames, np.float64)
    for layer in _layers(stacks):
        values = np.concatenate([_in_time(stack, run(stack, _in_time(stack, values)))
                                 for stack in layer], axis=1)
    return values


def run_float_stack(stack: Stack, frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ``run`` of :func:`run_joined`: the float network."""
    return run_float(stack.network, frames).outputs[:, :, 0]


def calibration_frames(stacks: Sequence[Stack], utterances: Sequence[NDArray[np.floating]]
                       ) -> list[list[NDArray[np.float64]]]:
    """For each stack the utterances as it sees them: of its layer's input, in its own order."""
    seen: list[list[NDArray[np.float64]]] = []
    values = [np.asarray(utterance, np.float64) for utterance in utterances]
    layers = _layers(stacks)
    for number, layer in enumerate(layers):
        seen += [[_in_time(stack, value) for value in values] for stack in layer]
        if number + 1 < len(layers):
            values = [run_joined(layer, value, run_float_stack) for value in values]
    return seen


def _layers(stacks: Sequence[Stack]) -> list[list[Stack]]:
    layers: dict[str, list[Stack]] = {}
    for stack in stacks:
        layers.setdefault(stack.name.rpartition(".")[0], []).append(stack)
    return list(layers.values())


def _in_time(stack: Stack, frames: NDArray[np.float64]) -> NDArray[np.float64]:
    return frames[::-1] if stack.reverse else frames
