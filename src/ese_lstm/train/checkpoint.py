"""Everything a training needs to go on bit-exactly, in one safetensors file; no code in it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..contract.errors import EseError
from ..contract.files import write_atomically
from .model import PhoneNet
from .pruning import apply_masks, masks_of
from .sharing import apply_codes, codes_of

METADATA_KEY = "ese-checkpoint"
MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Progress:
    """Where a training stands: steps done, and its settings (which resuming must not change)."""

    step: int
    settings: dict[str, Any]


def save_checkpoint(path: Path, model: PhoneNet, optimiser: torch.optim.Adam,
                    state: list[tuple[Tensor, Tensor]], progress: Progress) -> None:
    """Write model, masks, codes, Adam's moments, stream states and progress. Raises EseError."""
    tensors = {f"model.{name}": tensor for name, tensor in _parameters(model).items()}
    tensors |= {f"mask.{name}": mask for name, mask in masks_of(model.lstm).items()}
    tensors |= {f"code.{name}": codes for name, codes in codes_of(model.lstm).items()}
    tensors |= {f"buffer.{name}": getattr(model, name)
                for name in ("input_scale", "priors", "bigram")}
    names = {id(parameter): name for name, parameter in _parameters(model).items()}
    for parameter, moments in optimiser.state.items():
        for moment in MOMENTS:
            tensors[f"adam.{moment}.{names[id(parameter)]}"] = moments[moment]
    for layer, (y, c) in enumerate(state):
        tensors |= {f"state.y.{layer}": y, f"state.c.{layer}": c}
    plain = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    metadata = {METADATA_KEY: json.dumps({"step": progress.step, "settings": progress.settings})}
    write_atomically(path, lambda temporary: save_file(plain, temporary, metadata))


def read_progress(path: Path) -> Progress:
    """Only the progress of a checkpoint. Raises EseError."""
    return _read(path)[0]


def load_checkpoint(path: Path, model: PhoneNet, optimiser: torch.optim.Adam | None
                    ) -> tuple[Progress, list[tuple[Tensor, Tensor]]]:
    """Bring model and optimiser to a checkpoint's state; returns progress and stream states.

    Without an optimiser only masks and codes are put on, which must be there before one is made.
    Raises EseError if the file is damaged or of another model.
    """
    progress, tensors = _read(path)
    apply_masks(model.lstm, {name.removeprefix("mask."): tensor
                             for name, tensor in tensors.items() if name.startswith("mask.")})
    if optimiser is None:
        apply_codes(model.lstm, *({name.removeprefix(prefix): tensor
                                   for name, tensor in tensors.items() if name.startswith(prefix)}
                                  for prefix in ("code.", "model.lstm.")))
        return progress, []
    try:
        with torch.no_grad():
            for name, parameter in _parameters(model).items():
                parameter.copy_(tensors[f"model.{name}"])
                if f"adam.step.{name}" in tensors:
                    optimiser.state[parameter] = {
                        moment: tensors[f"adam.{moment}.{name}"].clone() for moment in MOMENTS}
            for name in ("input_scale", "priors", "bigram"):
                getattr(model, name).copy_(tensors[f"buffer.{name}"])
        state = [(tensors[f"state.y.{layer}"], tensors[f"state.c.{layer}"])
                 for layer in range(model.lstm.layers)]
    except (KeyError, RuntimeError) as error:
        raise EseError(f"checkpoint: {path} must be of this model, but {error}") from None
    return progress, state


def _parameters(model: PhoneNet) -> dict[str, Tensor]:
    """Parameters by plain name, before masks and rounding."""
    found: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        plain = name.replace("parametrizations.", "").removesuffix(".original")
        found[plain] = parameter
    return found


def _read(path: Path) -> tuple[Progress, dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise EseError(f"checkpoint: {path} must be a complete safetensors file, but reading "
                       f"says: {error}") from None
    if text is None:
        raise EseError(f"checkpoint: {path} must be written by ese train")
    values = json.loads(text)
    return Progress(values["step"], values["settings"]), tensors
