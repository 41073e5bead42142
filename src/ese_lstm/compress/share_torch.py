"""Fine-tuning of shared weights: a centroid's gradient is the sum over the weights it stands for.

    ∂L/∂C_k = Σ_{i: code_i = k} ∂L/∂W_i      (Han et al., ICLR'16, section 3.3)

The parameter that an optimiser sees is the codebook; codes stay as they are, pruned weights zero.
"""

from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..contract.errors import EseError
from .share import assign, kmeans


class LookUp(torch.autograd.Function):
    """Codebook → weight of ``shape``: 0 but at ``where`` (flat), where it is ``book[slots]``.

    The sums of the gradient are made in order and in double precision: those of indexing depend on
    the number of threads and on chance.
    """

    @staticmethod
    def forward(ctx: Any, book: torch.Tensor, slots: torch.Tensor, where: torch.Tensor,
                shape: torch.Size) -> torch.Tensor:
        """The weight."""
        ctx.save_for_backward(slots, where)
        ctx.shape = book.shape
        weight = book.new_zeros(shape)
        weight.view(-1)[where] = book.reshape(-1)[slots]
        return weight

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Of the codebook."""
        slots, where = ctx.saved_tensors
        kept = grads[0].reshape(-1)[where]
        sums = torch.bincount(slots, kept.double(), minlength=ctx.shape.numel())
        return sums.to(kept.dtype).view(ctx.shape), None, None, None


class SharedWeight(nn.Module):
    """Parametrization codebook (groups, size) → weight of the shape of ``codes``.

    codes: −1 for a pruned weight. Its first dimension is split evenly among the groups.
    """

    codes: torch.Tensor
    where: torch.Tensor
    slots: torch.Tensor

    def __init__(self, codes: torch.Tensor, groups: int, size: int) -> None:
        super().__init__()
        self.groups, self.size = groups, size
        flat = codes.reshape(-1)
        where = torch.nonzero(flat >= 0).view(-1)
        group = where // max(1, flat.numel() // groups)
        self.register_buffer("codes", codes)
        self.register_buffer("where", where, persistent=False)
        self.register_buffer("slots", flat[where] + group * size, persistent=False)

    def forward(self, codebook: torch.Tensor) -> torch.Tensor:
        """The weight."""
        weight: torch.Tensor = LookUp.apply(  # type: ignore[no-untyped-call]
            codebook, self.slots, self.where, self.codes.shape)
        return weight

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """Centroids of a weight: the mean of each group's members, 0 without any."""
        count = self.groups * self.size
        sums = torch.bincount(self.slots, weight.reshape(-1)[self.where].double(), count)
        means = sums / torch.bincount(self.slots, minlength=count).clamp(min=1)
        return means.to(weight.dtype).view(self.groups, self.size)


def share_parameter(module: nn.Module, name: str, bits: int, groups: int = 1) -> nn.Parameter:
    """Share ``module.name`` by k-means; the codebook, which is what is trained from now on.

    The weights are then those of ``share_matrix``, rounded to the parameter's type; values that
    are shared already stay as they are. groups: matrices stacked in the parameter (4 for gates),
    each with its own codebook. Undo with ``torch.nn.utils.parametrize.remove_parametrizations``.
    Raises EseError if the rows don't divide by groups.
    """
    weight = getattr(module, name).detach()
    if len(weight) % groups:
        raise EseError(f"groups: must divide the {len(weight)} rows of {name}, got {groups}")
    codes = torch.full(weight.shape, -1, dtype=torch.long)
    books = []
    for part, target in zip(weight.cpu().double().numpy().reshape(groups, -1),
                            codes.view(groups, -1), strict=True):
        used = part != 0
        centroids = kmeans(part[used], bits)
        books.append(torch.from_numpy(centroids))
        if used.any():
            target[torch.from_numpy(used)] = torch.from_numpy(assign(part[used], centroids))
    size = max(1, *(len(book) for book in books))
    padded = torch.stack([nn.functional.pad(book, (0, size - len(book))) for book in books])
    return place_codes(module, name, codes, padded.to(weight.dtype))


def place_codes(module: nn.Module, name: str, codes: torch.Tensor, book: torch.Tensor
                ) -> nn.Parameter:
    """Make ``module.name`` the weight of codes (its shape, −1: pruned) and book (groups, size);
    the codebook as a parameter."""
    weight = getattr(module, name)
    parametrize.register_parametrization(
        module, name, SharedWeight(codes.to(weight.device, torch.long), *book.shape), unsafe=True)
    parameter = getattr(module.parametrizations, name).original
    assert isinstance(parameter, nn.Parameter)
    with torch.no_grad():
        parameter.copy_(book)
    return parameter
