"""Fine-tuning of shared weights: a centroid's gradient is the sum over the weights it stands for.

    ∂L/∂C_k = Σ_{i: code_i = k} ∂L/∂W_i      (Han et al., ICLR'16, section 3.3)

The parameter that an optimiser sees is the codebook; codes stay as they are, pruned weights zero.
"""

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..contract.errors import EseError
from .share import assign, kmeans


class SharedWeight(nn.Module):
    """Parametrization codebook (groups, size) → weight of the shape of ``codes``.

    codes: −1 for a pruned weight. Its first dimension is split evenly among the groups.
    """

    codes: torch.Tensor

    def __init__(self, codes: torch.Tensor, groups: int, size: int) -> None:
        super().__init__()
        self.groups, self.size = groups, size
        self.register_buffer("codes", codes)

    def forward(self, codebook: torch.Tensor) -> torch.Tensor:
        """The weight; autograd of the look-up adds up the gradients of each group."""
        start = torch.arange(self.groups, device=codebook.device).repeat_interleave(
            len(self.codes) // self.groups) * self.size
        at = self.codes.clamp(min=0) + start.view(-1, *[1] * (self.codes.ndim - 1))
        return codebook.reshape(-1)[at] * (self.codes >= 0)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """Centroids of a weight: the mean of each group's members, 0 without any."""
        book = weight.new_zeros((self.groups, self.size))
        for row, part, codes in zip(book, weight.chunk(self.groups),
                                    self.codes.chunk(self.groups), strict=True):
            used = codes >= 0
            row.index_add_(0, codes[used], part[used])
            row /= torch.bincount(codes[used], minlength=self.size).clamp(min=1)
        return book


def share_parameter(module: nn.Module, name: str, bits: int, groups: int = 1) -> nn.Parameter:
    """Share ``module.name`` by k-means; the codebook, which is what is trained from now on.

    groups: matrices stacked in the parameter (4 for gates), each with its own codebook. Undo with
    ``torch.nn.utils.parametrize.remove_parametrizations``. Raises EseError if the rows don't
    divide by groups.
    """
    weight = getattr(module, name).detach()
    if len(weight) % groups:
        raise EseError(f"groups: must divide the {len(weight)} rows of {name}, got {groups}")
    codes = torch.full(weight.shape, -1, dtype=torch.long)
    size = 1
    for part, target in zip(weight.cpu().double().numpy().reshape(groups, -1),
                            codes.view(groups, -1), strict=True):
        used = part != 0
        if used.any():
            centroids = kmeans(part[used], bits)
            target[torch.from_numpy(used)] = torch.from_numpy(assign(part[used], centroids))
            size = max(size, len(centroids))
    parametrize.register_parametrization(
        module, name, SharedWeight(codes.to(weight.device), groups, size), unsafe=True)
    book = getattr(module.parametrizations, name).original
    assert isinstance(book, nn.Parameter)
    return book
