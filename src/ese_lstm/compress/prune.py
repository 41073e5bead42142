"""Load-balance-aware pruning: every PE keeps the same share of every matrix.

As published (Han et al., FPGA'17 [pub]): each gate's matrix is split into one sub-matrix per PE,
row r belonging to PE r mod N; in every sub-matrix the smallest magnitudes become zero until all
sub-matrices of the matrix have the same ratio.

| balance | groups that keep the same ratio |
|---|---|
| ``matrix`` | PEs, over the whole matrix: the published rule |
| ``tile`` | PEs within each tile of the program: lanes also finish every tile together |
| ``none`` | the whole matrix is one group: plain magnitude pruning, for comparison |

``keep_one`` leaves no lane without an entry in any column of a tile, which would cost a null
entry. A lane's column holds the rows of all four gates, so one weight among them is enough; it
takes the place of the smallest weight that its own sub-matrix would have kept.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..contract.cells import LSTM
from ..contract.config import EngineConfig
from ..contract.errors import EseError
from .matrices import check_names, value_of
from .network import Network

Balance = Literal["matrix", "tile", "none"]
BALANCES = ("matrix", "tile", "none")


class NoRoomError(EseError):
    """A density keeps too few weights for keep_one."""


def prune_network(network: Network, config: EngineConfig, density: float,
                  balance: Balance = "matrix", keep_one: bool = False,
                  densities: Mapping[str, float] | None = None) -> Network:
    """Every matrix pruned to ``density`` (share of weights kept, 0 to 1); biases stay.

    densities: by name of the matrix, of every layer (``Wix``) or of one (``l0.Wix``, which goes
    before), instead of ``density``. Raises EseError if a density, its name or balance is not
    valid, NoRoomError if keep_one needs more weights than the density leaves.
    """
    densities = densities or {}
    check_names("density", densities, len(network.layers))
    for name, value in {"density": density, **densities}.items():
        if not 0.0 <= value <= 1.0:
            raise EseError(f"density: must be 0 to 1, got {value}"
                           f"{'' if name == 'density' else f' for {name}'}")
    if balance not in BALANCES:
        raise EseError(f"balance: must be {', '.join(BALANCES)}, got {balance!r}")
    size = LSTM.size
    layers = []
    for number, layer in enumerate(network.layers):
        matrices = list(layer.matrices())
        cells = lane_tiles(layer.cells, config.lanes, config.cells_per_tile)
        rows = lane_tiles(layer.projection, config.lanes, config.rows_per_tile)
        pruned: list[NDArray[Any]] = []
        for first, end, lanes in ((0, size, cells), (size, 2 * size, cells),
                                  (2 * size, len(matrices), rows)):
            names = [name for name, _ in matrices[first:end]]
            pruned += _prune(
                [matrix for _, matrix in matrices[first:end]], lanes, config.lanes,
                [value_of(f"l{number}.{name}", densities, density) for name in names],
                balance, keep_one, f"layer {number} {', '.join(names)}")
        layers.append(layer.with_matrices(pruned))
    return network.with_layers(tuple(layers))


def lane_tiles(units: int, lanes: int, units_per_tile: int) -> NDArray[np.int64]:
    """(tile, lane) of each unit (cell or linear row), as tile·lanes + lane; shape (units,)."""
    unit = np.arange(units)
    return np.asarray(unit // units_per_tile * lanes + unit % lanes)


def kept_count(size: int, density: float) -> int:
    """Weights kept of a sub-matrix: density · size, rounded half up."""
    return int(np.floor(density * size + 0.5))


def _prune(matrices: Sequence[NDArray[Any]], lane_tile: NDArray[np.int64], lanes: int,
           densities: Sequence[float], balance: str, keep_one: bool, name: str
           ) -> list[NDArray[Any]]:
    """Prune matrices whose rows r share the lane column of unit r (four gates, or one matrix).

    Ends: a protected weight is kept in every later round, because no sub-matrix protects more
    than it keeps; so every round but the last gives one more column its weight for good.
    """
    groups = {"matrix": lane_tile % lanes, "tile": lane_tile,
              "none": np.zeros_like(lane_tile)}[balance]
    members = {int(group): np.flatnonzero(groups == group) for group in np.unique(groups)}
    protected = [np.zeros(matrix.shape, bool) for matrix in matrices]
    while True:
        masks = [_keep(matrix, members.values(), density, guard)
                 for matrix, density, guard in zip(matrices, densities, protected, strict=True)]
        if not keep_one or not _protect_empty(matrices, masks, protected, lane_tile, groups,
                                              members, densities, name):
            break
    return [np.where(mask, matrix, 0).astype(matrix.dtype)
            for matrix, mask in zip(matrices, masks, strict=True)]


def _keep(matrix: NDArray[Any], members: Collection[NDArray[np.int64]], density: float,
          protected: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask of the largest weights of each group of rows; of equals, the first by position."""
    mask = np.zeros(matrix.shape, bool)
    for rows in members:
        part = np.abs(matrix[rows]).astype(np.float64)
        part[protected[rows]] = np.inf
        kept = _largest(part.ravel(), kept_count(part.size, density))
        mask[rows] = kept.reshape(part.shape)
    return mask


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Mask of the ``count`` largest values; of equals, the first."""
    if not count:
        return np.zeros(len(values), bool)
    least = np.partition(values, -count)[-count]
    kept = values > least
    kept[np.flatnonzero(values == least)[:count - np.count_nonzero(kept)]] = True
    return kept


def _protect_empty(matrices: Sequence[NDArray[Any]], masks: Sequence[NDArray[np.bool_]],
                   protected: Sequence[NDArray[np.bool_]], lane_tile: NDArray[np.int64],
                   groups: NDArray[np.int64], members: Mapping[int, NDArray[np.int64]],
                   densities: Sequence[float], name: str) -> bool:
    """Protect the largest weight of every (tile, lane, column) that would have no entry, in a
    sub-matrix that has room for it.

    Returns whether there was one. A column whose weights are all zero stays empty.
    """
    found = False
    for key in np.unique(lane_tile):
        rows = np.flatnonzero(lane_tile == key)
        group = members[int(groups[rows[0]])]
        values = np.stack([np.abs(matrix[rows]) for matrix in matrices])
        alive = np.stack([mask[rows] for mask in masks]) & (values > 0)
        for column in np.flatnonzero(~alive.any(axis=(0, 1)) & (values.max(axis=(0, 1)) > 0)):
            size = len(group) * matrices[0].shape[1]
            room = [int(guard[group].sum()) < kept_count(size, density)
                    for guard, density in zip(protected, densities, strict=True)]
            open_values = np.where(np.array(room)[:, None], values[:, :, column], 0)
            matrix, row = divmod(int(open_values.argmax()), len(rows))
            if not open_values[matrix, row]:
                kept = max(kept_count(size, density) for density in densities)
                raise NoRoomError(
                    f"density: must leave room for one weight in every (lane, column) of {name} "
                    f"with keep_one, but {max(densities)} keeps only {kept} of the {size} weights "
                    f"of a sub-matrix")
            protected[matrix][rows[row], column] = True
            found = True
    return found
