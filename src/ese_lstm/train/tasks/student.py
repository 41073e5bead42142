"""An LSTM that learns from another, as a module that answers with the outputs of all its layers."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...compress.inputs import scale_inputs
from ...compress.network import Network
from ...contract.errors import EseError
from ..lstmp import State
from ..model import PhoneNet
from ..options import Shape
from ..pruning import load_network_into, network_from

LARGEST_EXPONENT = 12


class Student(PhoneNet):
    """An LSTM that learns from another. Its ``input_scale`` holds powers of two by which inputs
    are multiplied, and the first layer's columns divided, while it learns."""

    def forward(self, frames: Tensor, state: State, keep: Tensor
                ) -> tuple[Tensor, State]:
        """Outputs of all layers side by side (T, B, layers · outputs), and the state."""
        found: list[Tensor] = []
        _, after = self.lstm(self.drop_inputs(frames * self.input_scale), state, keep, found)
        return torch.cat(found, dim=2), after

    def plain_tensors(self) -> dict[str, Tensor]:
        """As the base class does, with the scale taken out of the first layer again."""
        found = super().plain_tensors()
        found["lstm.weight_ih_l0"] *= self.input_scale
        found["input_scale"].fill_(1)
        return found

    def network(self) -> Network:
        """The present network for inputs as they come."""
        _, exponents = np.frexp(self.input_scale.numpy())
        return scale_inputs(network_from(self.lstm), [1 - int(e) for e in exponents])


def student_of(network: Network, exponents: Sequence[int] | None = None) -> Student:
    """A module with the network's layers and weights; its output layer is not used.

    exponents: powers of two that scale its inputs, (inputs,). Raises EseError if the layers
    differ in cells, projection or peepholes.
    """
    first = network.layers[0]
    kinds = {(layer.cells, layer.projection, layer.peepholes is None) for layer in network.layers}
    if len(kinds) > 1:
        raise EseError(f"network: layers of {network.source} must have the same cells, projection "
                       f"and peepholes, got {len(kinds)} kinds")
    powers = [0] * network.inputs if exponents is None else [int(e) for e in exponents]
    model = Student(Shape(network.inputs, first.cells, first.projection, len(network.layers),
                          first.peepholes is not None, 0, ("-",)))
    load_network_into(model.lstm, scale_inputs(network, powers))
    model.input_scale.copy_(torch.ldexp(torch.ones(network.inputs), torch.tensor(powers)))
    nn.init.zeros_(model.output.weight)
    nn.init.zeros_(model.output.bias)
    return model


def column_exponents(frames: NDArray[np.floating]) -> list[int]:
    """Powers of two that bring each input column's root mean square into [½, 1), (inputs,), but
    no larger than 2**±12, so that a column without a signal doesn't become one of noise."""
    rms = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=0))
    _, powers = np.frexp(rms)
    return [int(np.clip(-power, -LARGEST_EXPONENT, LARGEST_EXPONENT)) if value else 0
            for power, value in zip(powers, rms, strict=True)]
