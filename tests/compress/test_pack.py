"""Lane streams, decoded by this file's own few lines, give the matrices back."""

import numpy as np
import pytest

from ese_lstm.compress.compile import compile_network
from ese_lstm.compress.network import Layer, Network
from ese_lstm.compress.pack import Provenance, pack_image, pack_streams
from ese_lstm.compress.synthetic import LayerShape, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import section_layouts
from ese_lstm.contract.program import TileWeights

SHAPES = [LayerShape(13, projection=23, peepholes=True), LayerShape(9)]


def integers(network, bits=12):
    """The network with weights scaled to full-range integers."""
    def whole(values):
        if values is None:
            return None
        largest = max(float(np.abs(values).max()), 1e-9)
        return np.round(values / largest * (2 ** (bits - 1) - 1)).astype(np.int64)
    return network.with_layers(tuple(
        Layer(whole(x.w_x), whole(x.w_y), whole(x.bias), whole(x.peepholes), whole(x.w_m))
        for x in network.layers))


def decode(streams, program, config):
    """Dense integer matrix of every tile, and counts of nulls and fillers, entry by entry."""
    shapes = [(epilogue.rows, sum(s.length for s in segments), epilogue.cell.size)
              for segments, epilogue in program.tiles()]
    matrices = [np.zeros(shape[:2], np.int64) for shape in shapes]
    nulls = fillers = 0
    position = 0
    for lane, length in enumerate(streams.lane_lengths.tolist()):
        words = streams.entries[position:position + length].tolist()
        position += length
        words.reverse()
        for matrix, (_, columns, size) in zip(matrices, shapes, strict=True):
            for column in range(columns):
                row, fresh = -1, True
                while True:
                    word = words.pop()
                    weight = word & (1 << config.weight_bits) - 1
                    if weight >> config.weight_bits - 1:
                        weight -= 1 << config.weight_bits
                    index = word >> config.weight_bits & (1 << config.index_bits) - 1
                    last = word >> config.weight_bits + config.index_bits
                    assert last in (0, 1)
                    row = index if config.index_mode == "absolute" else row + index + 1
                    if weight:
                        slot, gate = divmod(row, size)
                        unit = slot * config.lanes + lane
                        target = size * unit + gate
                        assert matrix[target, column] == 0
                        matrix[target, column] = weight
                    elif fresh and last:
                        assert index == 0
                        nulls += 1
                    else:
                        assert index == 15 and not last and config.index_mode == "relative4"
                        fillers += 1
                    fresh = False
                    if last:
                        break
        assert not words
    assert position == len(streams.entries)
    return matrices, nulls, fillers


@pytest.mark.parametrize("mode", ["absolute", "relative4"])
@pytest.mark.parametrize("lanes", [1, 3, 4])
@pytest.mark.parametrize("density", [0.0, 0.06, 1.0])
def test_streams_decode_to_the_same_matrices(seed, mode, lanes, density):
    config = PRESETS["tiny"].replace(lanes=lanes, acc_rows=64, index_mode=mode, stream_depth=8192)
    network = integers(random_network(np.random.default_rng(seed), 7, SHAPES, density))
    compiled = compile_network(network, config, [(0, 0)] * 2)
    streams = pack_streams(compiled.program, compiled.tiles, config)
    matrices, nulls, fillers = decode(streams, compiled.program, config)
    assert (nulls, fillers) == (streams.nulls, streams.fillers)
    relative = pack_streams(compiled.program, compiled.tiles, config.replace(
        index_mode="relative4"))
    assert streams.published_fillers == relative.fillers
    weights = 0
    for matrix, tile in zip(matrices, compiled.tiles, strict=True):
        expected = np.zeros_like(matrix)
        expected[tile.rows, tile.columns] = tile.weights
        assert np.array_equal(matrix, expected)
        weights += np.count_nonzero(matrix)
    assert weights == streams.weights == sum(
        np.count_nonzero(m) for layer in network.layers for m in (layer.w_x, layer.w_y, layer.w_m)
        if m is not None)
    if mode == "absolute":
        assert fillers == 0
    elif density == 0.06 and lanes == 1:
        assert fillers > 0


def one_column(rows, count, mode, lanes=1):
    """Entries of a linear tile of ``count`` rows and one column with weights in ``rows``."""
    config = PRESETS["tiny"].replace(lanes=lanes, acc_rows=64, index_mode=mode)
    network = integers(random_network(np.random.default_rng(0), 1, [LayerShape(1, count)]))
    program = compile_network(network, config, [(0, 0)]).program
    empty = TileWeights(*(np.zeros(0, np.int64),) * 3)
    tile = TileWeights(np.array(rows, np.int64), np.zeros(len(rows), np.int64),
                       np.arange(1, len(rows) + 1))
    streams = pack_streams(program, (empty, tile), config)
    first = sum(s.length for s in program.segments[:2])
    mask = (1 << config.index_bits) - 1
    return [(word & 0xFFF, word >> 12 & mask, word >> 12 + config.index_bits)
            for word in streams.entries[first:].tolist()]


@pytest.mark.parametrize("rows, entries", [
    ([0], [(1, 0, 1)]),
    ([15], [(1, 15, 1)]),
    ([16], [(0, 15, 0), (1, 0, 1)]),
    ([31, 32], [(0, 15, 0), (1, 15, 0), (2, 0, 1)]),
    ([3, 63], [(1, 3, 0), (0, 15, 0), (0, 15, 0), (0, 15, 0), (2, 11, 1)]),
    ([], [(0, 0, 1)]),
])
def test_relative_index_by_hand(rows, entries):
    assert one_column(rows, 64, "relative4") == entries


def test_absolute_index_by_hand():
    assert one_column([3, 63], 64, "absolute") == [(1, 3, 0), (2, 63, 1)]


def test_extreme_weights_survive():
    config = PRESETS["tiny"].replace(lanes=1)
    w_x = np.array([[-2048], [2047], [-1], [1]])
    network = Network((Layer(w_x, np.zeros((4, 1), np.int64)),))
    compiled = compile_network(network, config, [(0, 0)])
    streams = pack_streams(compiled.program, compiled.tiles, config)
    matrices, _, _ = decode(streams, compiled.program, config)
    assert matrices[0][:, 0].tolist() == [-2048, 2047, -1, 1]


def test_weight_too_wide():
    config = PRESETS["tiny"].replace(lanes=1)
    network = Network((Layer(np.full((4, 1), 2048), np.zeros((4, 1), np.int64)),))
    compiled = compile_network(network, config, [(0, 0)])
    with pytest.raises(EseError, match=r"^entry.weight: must be -2048 to 2047, got 2048$"):
        pack_streams(compiled.program, compiled.tiles, config)


def test_real_weights_are_not_packed():
    config = PRESETS["tiny"]
    compiled = compile_network(random_network(np.random.default_rng(0), 2, [LayerShape(2)]),
                               config, [(0, 0)])
    with pytest.raises(EseError, match=r"^weights: must be integers to be packed, got float64$"):
        pack_streams(compiled.program, compiled.tiles, config)


def test_stream_too_long():
    """A lane of 2 cells × 4 gates × (5 + 4) columns = 72 entries."""
    network = integers(Network((Layer(np.ones((16, 5)), np.ones((16, 4))),)))
    config = PRESETS["tiny"].replace(stream_depth=72)
    compiled = compile_network(network, config, [(0, 0)])
    assert pack_streams(compiled.program, compiled.tiles, config).lane_lengths.tolist() == [72, 72]
    with pytest.raises(EseError, match=r"^stream_depth: the weight memory of a lane must hold 72 "
                                       r"entries for this network \(lane 0\), but has 70, 2 too "
                                       r"few$"):
        pack_streams(compiled.program, compiled.tiles, config.replace(stream_depth=70))


def test_program_words_round_trip():
    config = PRESETS["tiny"]
    network = integers(random_network(np.random.default_rng(0), 3, SHAPES))
    config = config.replace(stream_depth=4096)
    compiled = compile_network(network, config, [(3, 4), (5, 0)])
    image = pack_image(compiled, config, (), (), Provenance("a.pt"))
    layouts = section_layouts(config)
    checked = 0
    for section, items in (("segments", compiled.program.segments),
                           ("epilogues", compiled.program.epilogues)):
        words = image.words(section)
        for number, (word, item) in enumerate(zip(words, items, strict=True)):
            values = layouts[section].unpack(word)
            assert values.pop("end") == (number == len(items) - 1)
            assert values == {key: int(getattr(item, key)) for key in values}
            assert len(values) > 6
            checked += 1
    params = [layouts["params"].unpack(word) for word in image.words("params")]
    assert [p["bias"] for p in params] == compiled.biases.tolist()
    assert [p["peephole"] for p in params] == compiled.peepholes.tolist()
    assert layouts["header"].unpack(image.words("header")[0]) == {
        "input_even": 0, "input_odd": 3, "input_width": 3, "results": 13 + 23 + 9}
    assert checked > 10 and len(params) == 4 * 13 + 23 + 4 * 9
