"""Load-balance-aware pruning against its published definition."""

import numpy as np
import pytest

from ese_lstm.compress.network import Layer, Network
from ese_lstm.compress.prune import kept_count, prune_network
from ese_lstm.compress.synthetic import LayerShape, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError

CONFIG = PRESETS["tiny"].replace(lanes=3)
SHAPES = [LayerShape(13, projection=7, peepholes=True), LayerShape(11)]


def sub_matrices(network, lanes):
    """Every (matrix, PE) of a network, as published: rows r with r mod lanes = PE."""
    for layer in network.layers:
        for _, matrix in layer.matrices():
            for pe in range(min(lanes, len(matrix))):
                yield matrix[pe::lanes]


@pytest.mark.parametrize("density", [0.0, 0.1, 0.37, 1.0])
def test_equal_count_per_pe_and_smallest_removed(seed, density):
    network = random_network(np.random.default_rng(seed), 6, SHAPES)
    pruned = prune_network(network, CONFIG, density)
    checked = 0
    for before, after in zip(sub_matrices(network, 3), sub_matrices(pruned, 3), strict=True):
        kept = after != 0
        assert np.count_nonzero(kept) == kept_count(before.size, density)
        assert np.array_equal(after[kept], before[kept])
        if kept.any() and not kept.all():
            assert np.abs(before[kept]).min() >= np.abs(before[~kept]).max()
        checked += 1
    assert checked == 3 * (9 + 8)
    for before, after in zip(network.layers, pruned.layers, strict=True):
        assert before.bias is after.bias and before.peepholes is after.peepholes


def test_gates_are_pruned_apart():
    """A gate with large weights takes nothing from a gate with small ones."""
    w_x = np.arange(1.0, 4 * 6 * 5 + 1).reshape(24, 5)
    network = Network((Layer(w_x, np.ones((24, 6))),))
    pruned = prune_network(network, CONFIG, 0.4)
    for gate in range(4):
        for pe in range(3):
            rows = pruned.layers[0].w_x[6 * gate:6 * (gate + 1)][pe::3]
            assert np.count_nonzero(rows) == 4


def test_ties_keep_the_first_by_position():
    network = Network((Layer(np.ones((4, 5)), -np.ones((4, 1))),))
    pruned = prune_network(network, CONFIG.replace(lanes=1), 0.4)
    assert pruned.layers[0].w_x.tolist() == [[1, 1, 0, 0, 0]] * 4


def test_balance_by_tile(seed):
    """12 cells on 3 lanes in tiles of 6: each (lane, tile) of a gate keeps the same number."""
    network = random_network(np.random.default_rng(seed), 10, [LayerShape(12)])
    pruned = prune_network(network, CONFIG, 0.3, "tile")
    assert CONFIG.cells_per_tile == 6
    counts = {np.count_nonzero(matrix[tile:tile + 6][pe::3])
              for _, matrix in pruned.layers[0].matrices() if matrix.shape[1] == 10
              for tile in (0, 6) for pe in range(3)}
    assert counts == {kept_count(20, 0.3)}


def test_unbalanced_is_plain_magnitude_pruning(seed):
    network = random_network(np.random.default_rng(seed), 10, [LayerShape(12)])
    pruned = prune_network(network, CONFIG, 0.25, "none")
    unequal = 0
    for (_, before), (_, after) in zip(network.layers[0].matrices(), pruned.layers[0].matrices(),
                                       strict=True):
        kept = after != 0
        assert np.count_nonzero(kept) == kept_count(before.size, 0.25)
        assert np.abs(before[kept]).min() >= np.abs(before[~kept]).max()
        unequal += len({np.count_nonzero(after[pe::3]) for pe in range(3)}) > 1
    assert unequal > 0


@pytest.mark.parametrize("balance", ["matrix", "tile", "none"])
def test_keep_one_leaves_no_empty_lane_column(seed, balance):
    shapes = [LayerShape(24, projection=24, peepholes=True)]
    network = random_network(np.random.default_rng(seed), 30, shapes)
    plain = prune_network(network, CONFIG, 0.2, balance)
    kept = prune_network(network, CONFIG, 0.2, balance, keep_one=True)
    empty = {"plain": 0, "kept": 0}
    for name, pruned in (("plain", plain), ("kept", kept)):
        layer = pruned.layers[0]
        gates = np.concatenate([layer.w_x, layer.w_y], axis=1).reshape(4, 24, -1)
        for first in range(0, 24, CONFIG.cells_per_tile):
            tile = gates[:, first:first + CONFIG.cells_per_tile]
            empty[name] += sum(int((tile[:, pe::3] == 0).all(axis=(0, 1)).sum())
                               for pe in range(3))
        empty[name] += sum(int((layer.w_m[pe::3] == 0).all(axis=0).sum()) for pe in range(3))
    assert empty["kept"] == 0 < empty["plain"]
    for (_, a), (_, b) in zip(plain.layers[0].matrices(), kept.layers[0].matrices(), strict=True):
        if balance == "matrix":
            assert [np.count_nonzero(a[pe::3]) for pe in range(3)] == [
                np.count_nonzero(b[pe::3]) for pe in range(3)]
        assert np.count_nonzero(a) == np.count_nonzero(b)


def test_keep_one_of_a_column_of_zeros_stays_empty():
    w_x = np.ones((24, 5))
    w_x[:, 2] = 0
    pruned = prune_network(Network((Layer(w_x, np.ones((24, 6))),)), CONFIG, 0.5, keep_one=True)
    assert not pruned.layers[0].w_x[:, 2].any()


def test_keep_one_needs_room(seed):
    network = random_network(np.random.default_rng(seed), 30, [LayerShape(12)])
    with pytest.raises(EseError, match=(
            r"^density: must leave room for one weight in every \(lane, column\) of layer 0 Wix, "
            r".*but 0.01 keeps only 1 of the 120 weights of a sub-matrix$")):
        prune_network(network, CONFIG, 0.01, keep_one=True)


def test_density_of_single_matrices(seed):
    network = random_network(np.random.default_rng(seed), 24, [LayerShape(16, 8)])
    pruned = prune_network(network, CONFIG, 0.5, densities={"Wix": 0.25, "Wor": 0, "Wym": 1})
    kept = {name: np.count_nonzero(matrix) / matrix.size
            for name, matrix in pruned.layers[0].matrices()}
    assert kept == dict.fromkeys(kept, 0.5) | {"Wix": 0.25, "Wor": 0, "Wym": 1}


@pytest.mark.parametrize("densities, sentence", [
    ({"Wxi": 0.1}, "among Wix, .*, Wym, or of one layer's as l0.Wix, got 'Wxi'$"),
    ({"Wix": 2}, "density: must be 0 to 1, got 2 for Wix$")])
def test_bad_density_of_single_matrices(densities, sentence):
    network = random_network(np.random.default_rng(0), 3, [LayerShape(2)])
    with pytest.raises(EseError, match=sentence):
        prune_network(network, CONFIG, 0.5, densities=densities)


@pytest.mark.parametrize("density", [-0.1, 1.1, float("nan")])
def test_density_out_of_range(density):
    network = random_network(np.random.default_rng(0), 3, [LayerShape(2)])
    with pytest.raises(EseError, match=r"^density: must be 0 to 1, got "):
        prune_network(network, CONFIG, density)


def test_unknown_balance():
    network = random_network(np.random.default_rng(0), 3, [LayerShape(2)])
    with pytest.raises(EseError, match=r"^balance: must be matrix, tile, none, got 'rows'$"):
        prune_network(network, CONFIG, 0.5, "rows")


def test_a_density_of_one_layers_matrix_goes_before_that_of_all():
    network = random_network(np.random.default_rng(3), 4, [LayerShape(8), LayerShape(8)])
    pruned = prune_network(network, PRESETS["tiny"], 0.5, densities={"Wix": 0.25, "l0.Wix": 1.0})
    kept = [{name: np.count_nonzero(matrix) / matrix.size for name, matrix in layer.matrices()}
            for layer in pruned.layers]
    assert (kept[0]["Wix"], kept[1]["Wix"], kept[0]["Wir"]) == (1.0, 0.25, 0.5)
    with pytest.raises(EseError, match=r"got 'l2\.Wix'$"):
        prune_network(network, PRESETS["tiny"], 0.5, densities={"l2.Wix": 0.5})
