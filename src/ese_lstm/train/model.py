"""The phone classifier: an LSTMP stack and a linear layer over phones; its file."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..compress.network import Network
from ..compress.read.checkpoint import load_network
from ..contract.cells import LSTM
from ..contract.errors import EseError
from .data.dataset import Dataset
from .lstmp import Lstmp, State
from .options import Shape
from .tensors import read_tensors, save_tensors

METADATA_KEY = "ese-train"


class PhoneNet(nn.Module):
    """Frames to phone scores. ``input_scale`` (inputs,) multiplies the features; it is not
    learned. ``priors`` (phones,) and ``bigram`` (phones, phones) are log probabilities of frames
    of the training labels, for decoding. In training mode ``drop_inputs`` and ``drop_outputs`` (of
    the LSTM) are at work; a new model drops nothing."""

    input_scale: Tensor
    priors: Tensor
    bigram: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.lstm = Lstmp(shape.inputs, shape.cells, shape.projection, shape.layers,
                          shape.peepholes)
        count = len(shape.phones)
        self.output = nn.Linear(self.lstm.outputs, count)
        self.drop_inputs, self.drop_outputs = nn.Dropout(0.0), nn.Dropout(0.0)
        self.register_buffer("input_scale", torch.ones(shape.inputs))
        self.register_buffer("priors", torch.zeros(count))
        self.register_buffer("bigram", torch.zeros(count, count))

    def forward(self, frames: Tensor, state: State, keep: Tensor
                ) -> tuple[Tensor, State]:
        """Phone scores (T, B, phones) of unscaled frames (T, B, inputs), and the state."""
        values, after = self.lstm(self.drop_inputs(frames * self.input_scale), state, keep)
        return self.output(self.drop_outputs(values)), after

    def plain_tensors(self) -> dict[str, Tensor]:
        """Every tensor under its plain name, masks and quantisers applied."""
        names = [*dict(self.lstm.named_parameters()), *(
            name.split(".")[1] for name in dict(self.lstm.named_parameters()) if "." in name)]
        found = {f"lstm.{name}": getattr(self.lstm, name).detach().clone().contiguous()
                 for name in names if "." not in name}
        for layer in range(self.lstm.layers):
            found[f"lstm.bias_hh_l{layer}"] = torch.zeros(LSTM.size * self.lstm.cells)
        for name in ("input_scale", "priors", "bigram"):
            found[name] = getattr(self, name).detach().clone()
        found["output.weight"] = self.output.weight.detach().clone()
        found["output.bias"] = self.output.bias.detach().clone()
        return found


def save_model(path: Path, model: PhoneNet) -> None:
    """A safetensors file that ``ese compress``, ``ese evaluate`` and ``ese train --from`` read."""
    save_tensors(path, model.plain_tensors(), METADATA_KEY, asdict(model.shape))


def load_model(path: Path) -> PhoneNet:
    """Inverse of :func:`save_model`. Raises EseError if it is no such file."""
    values, tensors = read_tensors(path, METADATA_KEY, "model")
    try:
        model = PhoneNet(Shape(**{**values, "phones": tuple(values["phones"])}))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise EseError(f"model: {path} must give the shape of a model, but {error}") from None
    state = {name: tensor for name, tensor in tensors.items() if "bias_hh" not in name}
    mine = model.state_dict()
    for name, tensor in mine.items():
        if name not in state or state[name].shape != tensor.shape:
            raise EseError(f"model: {path} must hold {name} of shape {tuple(tensor.shape)}")
    model.load_state_dict(state)
    return model


def check_dataset(model: PhoneNet, path: Path, dataset: Dataset) -> None:
    """Raise EseError if the dataset has other inputs or phones than the model from ``path``."""
    if (model.shape.inputs, model.shape.phones) != (dataset.inputs, dataset.phones):
        raise EseError(f"model: {path} must have the {dataset.inputs} inputs and the phones of "
                       f"{dataset.folder}, got {model.shape.inputs} inputs and "
                       f"{len(model.shape.phones)} phones")


def network_of(path: Path) -> Network:
    """The same file's LSTM as compress sees it."""
    return load_network(path, "lstm")


def scores(model: PhoneNet, outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Phone scores (…, phones) of LSTM outputs (…, outputs) computed elsewhere."""
    weight = model.output.weight.detach().double().numpy()
    bias = model.output.bias.detach().double().numpy()
    return np.asarray(outputs @ weight.T + bias)
