"""Network to image: figures of the report, determinism."""

import json

import numpy as np
import pytest

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.prune import prune_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import read_image, write_image
from ese_lstm.contract.layout import entry_layout, param_layout, segment_layout

CONFIG = PRESETS["tiny"].replace(lanes=3, stream_depth=2048)
SHAPES = [LayerShape(9, projection=5, peepholes=True), LayerShape(6)]


def compress(seed=0, config=CONFIG, **options):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 4, SHAPES)
    frames = [random_frames(rng, 20, 4), random_frames(rng, 11, 4)]
    return network, compress_network(network, config, 0.4, frames, CompressOptions(**options))


@pytest.mark.parametrize("mode", ["absolute", "relative4"])
def test_report_counts(seed, mode):
    config = CONFIG.replace(index_mode=mode)
    network, (image, report) = compress(seed, config)
    pruned = prune_network(network, config, 0.4)
    kept = {f"l{number}.{name}": np.count_nonzero(matrix)
            for number, layer in enumerate(pruned.layers) for name, matrix in layer.matrices()}
    assert {m.name: m.kept for m in report.matrices} == kept and len(kept) == 17
    assert report.entries == sum(m.entries for m in report.matrices) <= sum(kept.values())
    total = report.entries + report.null_entries + report.filler_entries
    assert sum(report.lane_lengths) == total == len(image.sections["entries"])
    params = 4 * 9 + 3 * 9 + 4 * 6
    assert report.dense_bits == 32 * (network.weights + params)
    words = total * entry_layout(config).bits + (4 * 9 + 5 + 4 * 6) * param_layout(config).bits
    assert words < report.stored_bits < words + 5000
    assert report.compression_ratio == report.dense_bits / report.stored_bits
    columns = sum(segment_lengths(image))
    assert report.published_bits == 16 * report.entries + 16 * 3 * (
        columns + len(image.sections["epilogues"]))
    assert report.input_saturated == 0 and report.calibration_frames == 31
    assert all(m.sqnr_db > 40 for m in report.matrices if m.sqnr_db is not None)
    assert json.loads(report.to_json())["entries"] == report.entries


def segment_lengths(image):
    layout = segment_layout(image.config)
    return [layout.unpack(word)["length"] for word in image.words("segments")]


def test_manifest_says_what_was_chosen(tmp_path):
    network, (image, report) = compress(command="ese compress a.pt")
    write_image(tmp_path / "a.ese", image)
    manifest = read_image(tmp_path / "a.ese").manifest
    assert manifest == image.manifest and manifest.command == "ese compress a.pt"
    assert manifest.dense_weights == network.weights
    assert [(x.inputs, x.cells, x.projection, x.peepholes, x.bias) for x in manifest.layers] == [
        (4, 9, 5, True, True), (5, 6, 0, False, True)]
    for layer, formats in zip(manifest.layers, report.layers, strict=True):
        w_x, w_y = layer.gate_weight_frac
        assert w_x + layer.input_frac == w_y + layer.output_frac == formats.gate_acc_frac
    assert manifest.layers[1].input_frac == manifest.layers[0].output_frac
    assert manifest.layers[0].projection_weight_frac + 15 == report.layers[0].linear_acc_frac


def test_same_bytes_every_time(tmp_path):
    for name in ("a.ese", "b.ese"):
        write_image(tmp_path / name, compress()[1][0])
    assert (tmp_path / "a.ese").read_bytes() == (tmp_path / "b.ese").read_bytes()


def test_keep_one_gives_no_nulls():
    """12 cells and 12 projected rows on 3 lanes: no lane is without rows in any tile."""
    rng = np.random.default_rng(0)
    network = random_network(rng, 20, [LayerShape(12, 12)])
    config = CONFIG.replace(stream_depth=4096)
    plain = compress_network(network, config, 0.3)[1]
    kept = compress_network(network, config, 0.3, (), CompressOptions(keep_one=True))[1]
    assert kept.null_entries == 0 < plain.null_entries and not kept.calibrated


def test_input_scaling_is_in_the_manifest():
    rng = np.random.default_rng(0)
    network = random_network(rng, 4, [LayerShape(6)])
    frames = random_frames(rng, 30, 4) * [1, 1e-4, 1, 1]
    image, report = compress_network(network, CONFIG, 1.0, [frames],
                                     CompressOptions(input_scaling="column"))
    assert image.manifest.input_exponents[1] > 8 and report.input_saturated == 0
    assert compress_network(network, CONFIG, 1.0, [frames])[0].manifest.input_exponents == (0,) * 4


@pytest.mark.parametrize("options", [{}, {"share_bits": 3}, {"weight_bits": {"Wix": 5}}])
def test_known_ranges_give_the_same_image(seed, options):
    """Nothing is calibrated anew, so nothing is counted."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, 4, SHAPES)
    frames = [random_frames(rng, 30, 4) * [1, 1e-2, 8, 1]]
    chosen = CompressOptions(input_scaling="column", input_limit=4.0, **options)
    image, report = compress_network(network, CONFIG, 0.4, frames, chosen)
    again, other = compress_network(network, CONFIG, 0.4, frames, chosen, report.ranges)
    assert again.manifest == image.manifest and report.input_saturated > 0
    assert other.input_saturated == 0 and other.ranges == report.ranges


def test_does_not_fit():
    with pytest.raises(EseError, match=r"^stream_depth: .* \d+ too few$"):
        compress(config=CONFIG.replace(stream_depth=16))
