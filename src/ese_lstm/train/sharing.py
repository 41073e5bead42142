"""Deep Compression's second step in training: weights of a matrix share 2**bits values.

Codes come from ``compress.share``'s k-means once and stay; what trains is the codebook, by the
sums of its weights' gradients (``compress.share_torch``). A pruned weight has no code: masks are
kept by the codes alone.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from ..compress.share import MAX_BITS, MIN_BITS
from ..compress.share_torch import SharedWeight, place_codes, share_parameter
from ..contract.cells import LSTM
from ..contract.errors import EseError
from .lstmp import Lstmp
from .options import PruneOptions
from .pruning import find


def check_sharing(bits: int, prune: PruneOptions | None) -> None:
    """Raise EseError for bits out of range (0: no sharing), or masks that are still to change."""
    if not bits:
        return
    if not MIN_BITS <= bits <= MAX_BITS:
        raise EseError(f"share_bits: must be {MIN_BITS} to {MAX_BITS}, or 0 for none, got {bits}")
    if prune is not None and prune.schedule != "one-shot":
        raise EseError(f"share_bits: must be given without pruning, from weights that are pruned "
                       f"already, or with schedule one-shot, got {prune.schedule!r}")


def share_weights(lstm: Lstmp, bits: int) -> None:
    """Share every matrix, each gate its own; masks become codes. To be called before rounding."""
    for name, groups in _matrices(lstm):
        if find(lstm, name, SharedWeight) is None:
            _bare(lstm, name)
            share_parameter(lstm, name, bits, groups)


def codes_of(lstm: Lstmp) -> dict[str, Tensor]:
    """Codes of shared matrices by parameter name, int16; −1: pruned."""
    found = {}
    for name, _groups in _matrices(lstm):
        part = find(lstm, name, SharedWeight)
        if part is not None:
            found[name] = part.codes.to(torch.int16)
    return found


def apply_codes(lstm: Lstmp, codes: Mapping[str, Tensor], books: Mapping[str, Tensor]) -> None:
    """Bring matrices to codes and codebooks (groups, size) of a checkpoint, by parameter name.

    Raises EseError if they are of another network.
    """
    groups_of = dict(_matrices(lstm))
    for name, code in codes.items():
        book = books.get(name)
        if (name not in groups_of or book is None or book.ndim != 2
                or code.shape != getattr(lstm, name).shape or len(book) != groups_of[name]
                or int(code.max()) >= book.shape[1]):
            raise EseError(f"codes: {name} must be a matrix of this network, with a codebook that "
                           f"holds its codes, got shape {tuple(code.shape)}")
        _bare(lstm, name)
        place_codes(lstm, name, code, book)


def _matrices(lstm: Lstmp) -> Iterator[tuple[str, int]]:
    """Parameters that are matrices, and how many of the paper's matrices each stacks."""
    for layer in range(lstm.layers):
        yield f"weight_ih_l{layer}", LSTM.size
        yield f"weight_hh_l{layer}", LSTM.size
        if lstm.projection:
            yield f"weight_hr_l{layer}", 1


def _bare(lstm: Lstmp, name: str) -> None:
    if parametrize.is_parametrized(lstm, name):
        parametrize.remove_parametrizations(lstm, name, leave_parametrized=True)
