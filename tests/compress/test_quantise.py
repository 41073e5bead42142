"""Formats and the overflow proof, at its edges."""

import numpy as np
import pytest

from ese_lstm.compress.network import Layer, Network
from ese_lstm.compress.quantise import quantise_network, row_bounds
from ese_lstm.compress.synthetic import LayerShape, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError

TINY = PRESETS["tiny"]


def one_cell(w_x, w_y=0.0, bias=None, peepholes=None, columns=1):
    return Network((Layer(np.full((4, columns), w_x), np.full((4, 1), w_y),
                          None if bias is None else np.full(4, bias),
                          None if peepholes is None else np.full((3, 1), peepholes)),))


def test_formats_by_hand():
    """max |W_x| = 1 needs frac 10 of 12 bits, |W_y| = ¼ frac 12: x rules with 10 + 14."""
    quantised = quantise_network(one_cell(1.0, 0.25, 0.5), TINY, 14, [15])
    (formats,) = quantised.formats
    assert formats.gate_acc_frac == 24 and formats.gate_limit == "W_x in 12 bits"
    assert formats.gate_weight_frac == (10, 9) and formats.gate_shift == 24 - 12
    layer = quantised.network.layers[0]
    assert layer.w_x.tolist() == [[1024]] * 4 and layer.w_y.tolist() == [[128]] * 4
    assert layer.bias.tolist() == [1 << 23] * 4
    assert quantised.rounded.layers[0].w_y.tolist() == [[0.25]] * 4


def test_peepholes_may_limit():
    quantised = quantise_network(one_cell(2.0 ** -8, 0.0, None, 8000.0), TINY, 14, [15])
    (formats,) = quantised.formats
    assert formats.gate_limit == "peepholes in 18 bits"
    assert formats.gate_acc_frac == 4 + TINY.cell_frac
    assert quantised.network.layers[0].peepholes.tolist() == [[128000]] * 3


@pytest.mark.parametrize("w_m, frac", [(1.0, 10), (1 - 2.0 ** -11, 11), (-1.0, 10), (0.6, 11)])
def test_projection_formats(w_m, frac):
    layer = Layer(np.ones((4, 1)), np.ones((4, 1)), w_m=np.full((1, 1), w_m))
    quantised = quantise_network(Network((layer,)), TINY, 14, [13])
    (formats,) = quantised.formats
    assert formats.linear_acc_frac == frac + 15 and formats.linear_shift == frac + 15 - 13
    assert quantised.network.layers[0].w_m.tolist() == [[int(np.floor(w_m * 2 ** frac + 0.5))]]


def test_every_weight_fits_and_is_nearest(seed):
    network = random_network(np.random.default_rng(seed), 9,
                             [LayerShape(12, 6, True), LayerShape(5, 0, False, False)])
    for bits in (2, 8, 12, 18):
        config = TINY.replace(weight_bits=bits, acc_bits=48)
        quantised = quantise_network(network, config, 12, [13, 15])
        checked = 0
        for layer, rounded, real in zip(quantised.network.layers, quantised.rounded.layers,
                                        network.layers, strict=True):
            for name, matrix in layer.matrices():
                assert matrix.max() <= 2 ** (bits - 1) - 1 and matrix.min() >= -2 ** (bits - 1)
                step = next(f for f in np.abs(dict(rounded.matrices())[name]).ravel() if f) / \
                    next(f for f in np.abs(matrix).ravel() if f) if matrix.any() else np.inf
                error = np.abs(dict(rounded.matrices())[name] - dict(real.matrices())[name])
                assert error.max() <= step / 2
                checked += 1
        assert checked == 17


def test_proof_holds_at_the_edge():
    """acc_bits = 28: a row of n weights of 2047 · 2**15 stays below 2**27 up to n = 2."""
    config = TINY.replace(acc_bits=28)
    full = 2047 / 2048
    finest = {}
    for columns in (1, 2, 3):
        quantised = quantise_network(one_cell(full, columns=columns), config, 15, [15])
        layer = quantised.network.layers[0]
        bound = int(np.abs(layer.w_x).sum(axis=1).max()) * 2 ** 15
        assert bound < 2 ** 27
        finest[columns] = (quantised.formats[0].gate_acc_frac, quantised.formats[0].gate_limit)
    assert finest == {1: (26, "W_x in 12 bits"), 2: (26, "W_x in 12 bits"),
                      3: (25, "row sums in acc_bits=28")}


def test_proof_counts_the_bias():
    """2 · 2047 · 2**15 leaves 2 · 2**15 = 2**16 for a bias: one unit less is allowed."""
    config = TINY.replace(acc_bits=28)
    for units, frac in ((2 ** 16 - 1, 26), (2 ** 16, 25)):
        quantised = quantise_network(one_cell(2047 / 2048, 0.0, units / 2 ** 26, columns=2),
                                     config, 15, [15])
        assert quantised.formats[0].gate_acc_frac == frac


def test_row_bound_by_hand():
    matrices = [np.array([[1, -2], [0, 0]]), np.array([[3], [0]])]
    assert row_bounds(matrices, np.array([-5, 7]), 16).tolist() == [6 * 2 ** 15 + 5, 7]


def test_no_format_passes_the_proof():
    with pytest.raises(EseError, match=r"^layer 0 gates: Σ\|weight\|·2\*\*15 \+ \|bias\| of every "
                                       r"row must stay below 2\*\*31, but row 0 reaches 4096000000 "
                                       r"at the coarsest format$"):
        quantise_network(one_cell(0.001, 0.0, 1e6), TINY, 12, [15])


def test_weights_too_large_for_the_shift():
    with pytest.raises(EseError, match=r"^layer 0 gates: the accumulator must have at least 12 "
                                       r"fraction bits, but W_x in 12 bits allow only 7$"):
        quantise_network(one_cell(2.0 ** 17, 0.0), TINY, 14, [15])


def test_all_zero_weights_compile_to_nulls():
    quantised = quantise_network(one_cell(0.0, 0.0, 0.5), TINY, 14, [15])
    assert not quantised.network.layers[0].w_x.any()
    assert 0 <= quantised.formats[0].gate_shift <= 63
    assert quantised.rounded.layers[0].bias.tolist() == [0.5] * 4


def test_unprojected_output_format_is_fixed():
    with pytest.raises(EseError, match=r"^layer 0 output_frac: must be 15 without projection"):
        quantise_network(one_cell(1.0), TINY, 14, [14])
