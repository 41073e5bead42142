"""Programs: addresses, column order, sequence numbers, buffers that are too small."""

import numpy as np
import pytest

from ese_lstm.compress.compile import Compiled, compile_network, coordinates
from ese_lstm.compress.network import Layer, Network
from ese_lstm.compress.synthetic import GOOGLE_LSTMP, LayerShape, random_network
from ese_lstm.contract.cells import LINEAR, LSTM
from ese_lstm.contract.config import PRESETS, EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.program import Epilogue, Segment

TINY = PRESETS["tiny"]


def compiled_of(network: Network, config: EngineConfig) -> Compiled:
    return compile_network(network, config, [(0, 0)] * len(network.layers))


def test_google_lstm_is_five_tiles():
    """The engine study's program: four gate tiles of 256 cells and one projection tile."""
    network = random_network(np.random.default_rng(0), 153, [GOOGLE_LSTMP], density=0.01)
    program = compiled_of(network, PRESETS["xcku060-32x32"]).program
    assert [(e.cell, e.count) for e in program.epilogues] == [(LSTM, 256)] * 4 + [(LINEAR, 512)]
    assert [s.length for s in program.segments] == [153, 512] * 4 + [1024]
    assert (program.results, program.output_width) == (1536, 512)


def test_two_layers_by_hand():
    """3 inputs; 5 cells with projection to 2; 6 cells; 2 lanes × 8 rows: 4 cells a tile.

    Activation buffer: x 0 and 3, m 6 … 10, y0 11 and 13, y1 15 and 21. Results of a frame:
    m 0 … 4, y0 5 … 6, y1 7 … 12.
    """
    network = random_network(np.random.default_rng(0), 3, [LayerShape(5, 2), LayerShape(6)])
    compiled = compile_network(network, TINY, [(7, 8), (9, 0)])
    x = Segment(0, 3, 3, 0, wait=False, recurrent=False, last=False)
    y0_before = Segment(13, 11, 2, 6 - 13, wait=True, recurrent=True, last=True)
    m = Segment(6, 6, 5, 1, wait=True, recurrent=False, last=True)
    y1_before = Segment(21, 15, 6, 8 - 13, wait=True, recurrent=True, last=False)
    y0 = Segment(11, 13, 2, 6, wait=True, recurrent=False, last=True)
    assert compiled.program.segments == (x, y0_before, x, y0_before, m,
                                         y1_before, y0, y1_before, y0)
    assert compiled.program.epilogues == (
        Epilogue(LSTM.kind, 4, 7, 6, 6, 0, 0, False, False),
        Epilogue(LSTM.kind, 1, 7, 10, 10, 4, 16, False, False),
        Epilogue(LINEAR.kind, 2, 8, 11, 13, 0, 20, False, False),
        Epilogue(LSTM.kind, 4, 9, 15, 21, 5, 22, True, False),
        Epilogue(LSTM.kind, 2, 9, 19, 25, 9, 38, True, True))
    assert (compiled.program.input_even, compiled.program.input_odd) == (0, 3)
    assert compiled.program.results == 13 and compiled.cell_bases == (0, 5)


def test_tile_weights_rows_and_columns():
    """Row 4·cell + gate; the first layer's columns are [x | y], the second's [y | x]."""
    network = random_network(np.random.default_rng(0), 3, [LayerShape(5, 2), LayerShape(6)])
    compiled = compiled_of(network, TINY)
    first, second = network.layers
    checked = 0
    for tile, layer, cells, order in ((0, first, range(4), "xy"), (1, first, range(4, 5), "xy"),
                                      (3, second, range(4), "yx"),
                                      (4, second, range(4, 6), "yx")):
        dense = np.zeros((4 * len(cells), layer.inputs + layer.outputs))
        weights = compiled.tiles[tile]
        dense[weights.rows, weights.columns] = weights.weights
        for unit, cell in enumerate(cells):
            for gate in range(4):
                row = gate * layer.cells + cell
                parts = {"x": layer.w_x[row], "y": layer.w_y[row]}
                expected = np.concatenate([parts[part] for part in order])
                assert np.array_equal(dense[4 * unit + gate], expected)
                checked += 1
    assert checked == 4 * 11


def test_coordinates_are_ordered_by_column_then_row():
    tile = coordinates(np.array([[0, 5], [7, 0], [3, 2]]))
    assert list(zip(tile.columns, tile.rows, tile.weights, strict=True)) == [
        (0, 1, 7), (0, 2, 3), (1, 0, 5), (1, 2, 2)]


def test_params_by_cell_and_gate():
    layer = Layer(np.ones((8, 1)), np.ones((8, 3)), np.arange(8.0),
                  np.array([[10.0, 11], [20, 21], [30, 31]]), np.ones((3, 2)))
    compiled = compiled_of(Network((layer,)), TINY)
    assert compiled.biases.tolist() == [0, 2, 4, 6, 1, 3, 5, 7, 0, 0, 0]
    assert compiled.peepholes.tolist() == [10, 20, 0, 30, 11, 21, 0, 31, 0, 0, 0]


@pytest.mark.parametrize("field, value, message", [
    ("activation_depth", 26, r"the activation buffer must hold 27 words .* has 26, 1 too few"),
    ("cell_depth", 8, r"the cell buffer must hold 11 words .* has 8, 3 too few"),
    ("param_depth", 40, r"the bias and peephole memory must hold 46 words .* has 40, 6 too few"),
    ("segment_depth", 8, r"the segment memory must hold 9 words .* has 8, 1 too few"),
    ("epilogue_depth", 3, r"the epilogue memory must hold 5 words .* has 3, 2 too few"),
])
def test_does_not_fit(field, value, message):
    network = random_network(np.random.default_rng(0), 3, [LayerShape(5, 2), LayerShape(6)])
    fits = TINY.replace(**{field: int(message.split("hold ")[1].split()[0])})
    assert compiled_of(network, fits).program.results == 13
    with pytest.raises(EseError, match=f"^{field}: {message}$"):
        compiled_of(network, TINY.replace(**{field: value}))


def test_too_many_results():
    layer = Layer(np.zeros((4 * 40000, 1)), np.zeros((4 * 40000, 1)), None, None,
                  np.zeros((1, 40000)))
    config = PRESETS["xcku060-32x32"].replace(
        activation_depth=1 << 16, cell_depth=1 << 16, param_depth=1 << 18, segment_depth=1024,
        epilogue_depth=1024)
    with pytest.raises(EseError, match=r"must write at most 32768 results .* got 40001$"):
        compiled_of(Network((layer,)), config)
