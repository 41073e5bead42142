"""Matrices of fewer bits: a grid inside the entries' format."""

import numpy as np
import pytest

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.compress.widths import narrow_matrix, narrow_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.frames import quantise_frames
from ese_lstm.contract.image import read_image, write_image
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel

CONFIG = PRESETS["tiny"].replace(stream_depth=2048)
SHAPES = [LayerShape(9, projection=5, peepholes=True), LayerShape(6)]


@pytest.fixture
def rng(seed):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_narrow_matrix(rng, bits):
    matrix = rng.normal(size=(7, 5))
    matrix[rng.random(matrix.shape) < 0.5] = 0.0
    found = narrow_matrix(matrix, bits)
    step = np.min(np.abs(found[found != 0]))
    codes = found / 2.0 ** np.floor(np.log2(step))
    assert len(np.unique(found)) <= 1 << bits
    top = 2.0 ** (bits - 1)
    largest = np.abs(matrix).max()
    grid = 2.0 ** -max(k for k in range(-8, 40)
                       if np.floor(largest * 2.0 ** k + 0.5) <= top - 1)
    np.testing.assert_array_equal(found, np.floor(matrix / grid + 0.5) * grid)
    assert not found[matrix == 0].any() and codes.size
    np.testing.assert_array_equal(narrow_matrix(found, bits), found)


def test_only_named_matrices_change(rng):
    network = random_network(rng, 4, SHAPES)
    found = narrow_network(network, {"Wcr": 4, "l0.Wix": 3, "l1.Wcr": 12})
    changed = [f"l{number}.{name}" for number, (one, two) in
               enumerate(zip(network.layers, found.layers, strict=True))
               for (name, before), (_, after) in zip(one.matrices(), two.matrices(), strict=True)
               if not np.array_equal(before, after)]
    assert changed == ["l0.Wix", "l0.Wcr", "l1.Wcr"]
    before, after = network.layers[1].w_y[12:18], found.layers[1].w_y[12:18]
    np.testing.assert_array_equal(after, narrow_matrix(before, 12))
    assert narrow_network(network, {}) is network


@pytest.mark.parametrize("scaling", ["none", "column"])
def test_image_says_and_counts_widths(rng, tmp_path, scaling):
    """Values of a narrow matrix are few; the report counts its bits, lanes read whole entries."""
    network = random_network(rng, 4, SHAPES)
    frames = [random_frames(rng, 20, 4) * [1, 0.01, 1, 8]]
    widths = {"Wix": 4, "l0.Wym": 3}
    image, report = compress_network(network, CONFIG, 0.6, frames, CompressOptions(
        weight_bits=widths, input_scaling=scaling))
    write_image(tmp_path / "a.ese", image)
    bits = {m.name: m.weight_bits for m in read_image(tmp_path / "a.ese").manifest.matrices}
    assert bits == {m.name: m.weight_bits for m in report.matrices}
    assert {name for name, value in bits.items() if value != 12} == {"l0.Wix", "l1.Wix", "l0.Wym"}
    assert (bits["l0.Wix"], bits["l0.Wym"]) == (4, 3)
    plain_image, plain = compress_network(network, CONFIG, 0.6, frames,
                                          CompressOptions(input_scaling=scaling))
    sizes, before = ({stage.name: stage.bits for stage in r.stages} for r in (report, plain))
    assert sizes["quantised"] == sum(m.weight_bits * m.entries for m in report.matrices)
    assert sizes["quantised"] < before["quantised"] == 12 * plain.entries
    assert sizes["indexed"] == CONFIG.entry_bits * len(image.sections["entries"])
    assert image.config == plain_image.config
    noise = {m.name: m.sqnr_db for m in report.matrices}
    assert noise["l0.Wix"] < 30 < noise["l0.Wfx"]
    values = report.rounded.layers[0].w_m
    assert len(np.unique(values)) <= 8 and np.count_nonzero(values)
    integers, _ = quantise_frames(frames[0], image.manifest)
    run = GoldenModel(decode_image(image), 1).run(integers[:, :, None])
    assert np.count_nonzero(run.outputs)


@pytest.mark.parametrize(("widths", "message"), [
    ({"Wix": 13}, "weight_bits_of: must be 2 to weight_bits=12, got 13 for Wix"),
    ({"Wix": 1}, "weight_bits_of: must be 2 to weight_bits=12, got 1 for Wix"),
    ({"l2.Wix": 8}, "weight_bits_of: must be of a matrix among .*, got 'l2.Wix'"),
    ({"W": 8}, "weight_bits_of: must be of a matrix among .*, got 'W'")])
def test_wrong_widths(rng, widths, message):
    with pytest.raises(EseError, match=message):
        compress_network(random_network(rng, 4, SHAPES), CONFIG, 1.0, [],
                         CompressOptions(weight_bits=widths))
