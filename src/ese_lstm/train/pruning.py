"""Pruning as parametrizations of PyTorch modules: masks that training can't undo.

The rule of which weights stay is ``compress.prune``'s alone (balance per matrix or tile, or plain
magnitude; ``keep_one``): a mask is where the pruned network is not zero. Dense → sparse → re-dense
(DSD) is :func:`apply_masks`, training, :func:`remove_masks`, training.
"""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..compress.network import Layer, Network
from ..compress.prune import prune_network
from ..contract.errors import EseError
from .lstmp import Lstmp
from .options import PruneOptions

Part = TypeVar("Part", bound=nn.Module)


class Mask(nn.Module):
    """Parametrization: weight · mask; gradients reach kept weights only."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        """The masked weight."""
        return weight * self.mask

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What is stored when a weight is assigned."""
        return weight


class RoundWeight(nn.Module):
    """Parametrization: weights on the grid of ``bits``-bit fixed point, straight-through gradient.

    The finest power-of-two step at which the largest magnitude of the tensor fits is chosen at
    every use.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        if not 2 <= bits <= 18:
            raise EseError(f"weight_bits: must be 2 to 18, got {bits}")
        self.bits = bits

    def forward(self, weight: Tensor) -> Tensor:
        """The rounded weight; its gradient is the weight's."""
        with torch.no_grad():
            limit = 2 ** (self.bits - 1)
            largest = weight.abs().max().clamp_min(1e-30)
            _, exponent = torch.frexp(largest * (limit / (limit - 0.5)))
            step = torch.ldexp(torch.ones_like(largest), exponent - (self.bits - 1))
            rounded = (torch.floor(weight / step + 0.5).clamp(-limit, limit - 1)) * step
        return weight + (rounded - weight).detach()

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What is stored when a weight is assigned."""
        return weight


def network_from(lstm: Lstmp, name: str = "training") -> Network:
    """A copy of the stack's present (masked, rounded) weights, as compress sees it."""
    layers = []
    for layer in range(lstm.layers):
        def take(kind: str, number: int = layer) -> np.ndarray:
            # A copy: numpy() would show what the module becomes later.
            return np.array(getattr(lstm, f"{kind}_l{number}").detach().cpu().numpy())

        layers.append(Layer(
            take("weight_ih"), take("weight_hh"), take("bias_ih"),
            np.stack([take(f"weight_c{gate}") for gate in "ifo"]) if lstm.peepholes else None,
            take("weight_hr") if lstm.projection else None))
    return Network(tuple(layers), name)


def load_network_into(lstm: Lstmp, network: Network) -> None:
    """Copy a network's weights. Raises EseError if it has another shape."""
    for number, layer in enumerate(network.layers):
        tensors = {"weight_ih": layer.w_x, "weight_hh": layer.w_y, "bias_ih": layer.bias,
                   "weight_hr": layer.w_m}
        if layer.peepholes is not None:
            tensors |= {f"weight_c{gate}": row
                        for gate, row in zip("ifo", layer.peepholes, strict=True)}
        for name, values in tensors.items():
            if values is None:
                continue
            target = getattr(lstm, f"{name}_l{number}", None)
            if target is None or tuple(target.shape) != values.shape:
                raise EseError(f"network: {network.source} layer {number} {name} must have the "
                               f"shape of the module's, got {values.shape}")
            with torch.no_grad():
                target.copy_(torch.from_numpy(np.array(values)))


def masks_for(lstm: Lstmp, options: PruneOptions, progress: float = 1.0) -> dict[str, Tensor]:
    """Masks of the weight matrices by parameter name, ``progress`` of the way to the densities.

    Raises EseError as ``compress.prune`` does.
    """
    def at(density: float) -> float:
        return 1.0 + (density - 1.0) * progress

    pruned = prune_network(network_from(lstm), options.config, at(options.density),
                           options.balance, options.keep_one,
                           {name: at(value) for name, value in options.densities.items()})
    masks = {}
    for number, layer in enumerate(pruned.layers):
        for name, matrix in (("weight_ih", layer.w_x), ("weight_hh", layer.w_y),
                             ("weight_hr", layer.w_m)):
            if matrix is not None:
                masks[f"{name}_l{number}"] = torch.from_numpy(matrix != 0)
    return masks


def apply_masks(module: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Mask parameters of a module by name, or renew their masks."""
    for name, mask in masks.items():
        found = find(module, name, Mask)
        if found is not None:
            found.mask.copy_(mask)
        else:
            weight = getattr(module, name)
            parametrize.register_parametrization(module, name, Mask(mask.to(weight.dtype)))


def masks_of(module: nn.Module) -> dict[str, Tensor]:
    """Present masks by parameter name."""
    found = {}
    for name in getattr(module, "parametrizations", {}):
        mask = find(module, name, Mask)
        if mask is not None:
            found[name] = mask.mask.bool()
    return found


def remove_masks(module: nn.Module) -> None:
    """Free every masked weight, from zero on: the re-dense phase of DSD."""
    for name in list(masks_of(module)):
        parametrize.remove_parametrizations(module, name, leave_parametrized=True)


def find(module: nn.Module, name: str, kind: type[Part]) -> Part | None:
    """The parametrization of this kind on a parameter, if there is one."""
    if not parametrize.is_parametrized(module, name):
        return None
    return next((part for part in module.parametrizations[name]  # type: ignore[index]
                 if isinstance(part, kind)), None)


def round_weights(lstm: Lstmp, bits: int) -> None:
    """Quantisation-aware training of all matrices: see :class:`RoundWeight`; after masks."""
    for layer in range(lstm.layers):
        for kind in ("weight_ih", "weight_hh", *(("weight_hr",) if lstm.projection else ())):
            if find(lstm, f"{kind}_l{layer}", RoundWeight) is None:
                parametrize.register_parametrization(lstm, f"{kind}_l{layer}", RoundWeight(bits))


def density_of(lstm: Lstmp) -> dict[str, float]:
    """Share of non-zero weights of each of the paper's matrices, of all layers (``Wix``; with
    several layers ``Wix_l0``), and of all together (``all``)."""
    network = network_from(lstm)
    found, kept = {}, 0
    for number, layer in enumerate(network.layers):
        for name, matrix in layer.matrices():
            key = name if lstm.layers == 1 else f"{name}_l{number}"
            nonzero = int(np.count_nonzero(matrix))
            found[key] = nonzero / matrix.size
            kept += nonzero
    found["all"] = kept / network.weights
    return found
