"""Everything a training needs to go on bit-exactly, in one safetensors file; no code in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...contract.errors import EseError
from ..lstmp import State
from ..model import PhoneNet
from ..pruning import apply_masks, masks_of
from ..sharing import apply_codes, codes_of
from ..tensors import read_tensors, save_tensors

METADATA_KEY = "ese-checkpoint"
MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Progress:
    """Where a training stands: steps done, and its settings (which resuming must not change)."""

    step: int
    settings: dict[str, Any]


def save_checkpoint(path: Path, model: PhoneNet, optimiser: torch.optim.Adam,
                    state: State, progress: Progress) -> None:
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
    save_tensors(path, tensors, METADATA_KEY,
                 {"step": progress.step, "settings": progress.settings})


def read_progress(path: Path) -> Progress:
    """Only the progress of a checkpoint. Raises EseError."""
    return _read(path)[0]


def load_checkpoint(path: Path, model: PhoneNet, optimiser: torch.optim.Adam | None
                    ) -> tuple[Progress, State]:
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
    values, tensors = read_tensors(path, METADATA_KEY, "checkpoint")
    step, settings = values.get("step"), values.get("settings")
    if not isinstance(step, int) or step < 0 or not isinstance(settings, dict):
        raise EseError(f"checkpoint: {path} must give the steps done and the settings, got step "
                       f"{step!r}")
    return Progress(step, settings), tensors
