"""What stays resident: choices, pieces of segments, room."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ese_lstm.compress.compile import compile_network
from ese_lstm.compress.network import Network
from ese_lstm.compress.pack import Provenance, entry_counts, pack_image
from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.resident import assign_resident
from ese_lstm.compress.synthetic import LayerShape, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import read_image, write_image
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel

TINY = PRESETS["tiny"].replace(fetch_depth=12, stream_depth=4096, segment_depth=64)
SHAPES = [LayerShape(9, projection=4, peepholes=True), LayerShape(20, projection=10)]


def network(seed: int) -> Network:
    return random_network(np.random.default_rng(seed), 5, SHAPES, 0.6)


def lanes_need(seed: int) -> int:
    image, _ = compress_network(network(seed), TINY)
    return int(image.sections["lane_lengths"].max())


@pytest.mark.parametrize("index_mode", ["absolute", "relative4"])
@pytest.mark.parametrize("resident", ["auto", "none", "all", "0", "1-2", "0,2-4"])
def test_any_choice_gives_the_same_outputs(resident, index_mode, seed) -> None:
    config = TINY.replace(index_mode=index_mode)
    if resident == "auto":
        config = config.replace(stream_depth=lanes_need(seed) // 3)
    frames = np.random.default_rng(seed).integers(-3000, 3000, (3, 5, 2))
    plain, _ = compress_network(network(seed), TINY.replace(fetch_depth=0, index_mode=index_mode))
    image, _ = compress_network(network(seed), config,
                                options=CompressOptions(resident=resident))
    assert (image.rows > 0) == (resident != "all")
    assert image.manifest.entries == plain.manifest.entries
    streamed = image.manifest.streamed_entries
    assert streamed + len(image.sections["entries"]) == len(plain.sections["entries"])
    want = GoldenModel(decode_image(plain)).run(frames).outputs
    got = GoldenModel(decode_image(image)).run(frames).outputs
    np.testing.assert_array_equal(got, want)
    assert want.size > 0 and want.any()


def test_auto_fills_the_memories_with_columns_spread_over_the_frame(seed) -> None:
    need = lanes_need(seed)
    config = TINY.replace(stream_depth=need // 2)
    compiled = compile_network(_integers(seed), config, [(3, 4), (5, 2)])
    program = assign_resident(compiled, config).program
    assert len(program.segments) <= config.segment_depth
    assert [segment.last for segment in program.segments].count(True) == len(program.epilogues)
    assert sum(s.length for s in program.segments) == sum(
        s.length for s in compiled.program.segments)
    counts = entry_counts(program, compiled.tiles, config)
    resident = ~np.repeat([s.streamed for s in program.segments],
                          [s.length for s in program.segments])
    used = counts[:, resident].sum(axis=1).max()
    assert 0.7 * config.stream_depth <= used <= config.stream_depth
    kinds = [segment.streamed for segment in program.segments]
    assert sum(a != b for a, b in pairwise(kinds)) > len(kinds) // 2


def test_what_fits_stays_resident(seed) -> None:
    compiled = compile_network(_integers(seed), TINY, [(3, 4), (5, 2)])
    assert assign_resident(compiled, TINY).program == compiled.program
    image = pack_image(compiled, TINY, (), (), Provenance("a.pt"))
    assert image.rows == 0 and image.memory == b""
    assert "rows" in image.manifest.sections


def test_images_with_rows_round_trip(tmp_path, seed) -> None:
    image, _ = compress_network(network(seed), TINY, options=CompressOptions(resident="none"))
    write_image(tmp_path / "a.ese", image)
    back = read_image(tmp_path / "a.ese")
    assert back.manifest == image.manifest and back.rows == image.rows > 0
    np.testing.assert_array_equal(back.sections["rows"], image.sections["rows"])
    assert len(back.memory) == 4 * back.sections["rows"].size
    assert back.stored_bits > 8 * len(back.memory)


def test_rows_are_guarded_by_a_checksum(tmp_path, seed) -> None:
    image, _ = compress_network(network(seed), TINY, options=CompressOptions(resident="none"))
    image.sections["rows"][3, 0] ^= 1
    write_image(tmp_path / "a.ese", image)
    with pytest.raises(EseError, match="section rows must match its SHA-256"):
        read_image(tmp_path / "a.ese")


@pytest.mark.parametrize("choice, sentence", [
    ("some", "resident: must be auto, all, none or numbers of tiles like 0,3-5, got 'some'"),
    ("0,x", "resident: must be auto, all, none or numbers of tiles like 0,3-5, got '0,x'"),
    ("99", r"resident: must name tiles 0 to \d+ of this network, got 99"),
])
def test_bad_choices_are_refused(choice, sentence) -> None:
    with pytest.raises(EseError, match=sentence):
        compress_network(network(0), TINY, options=CompressOptions(resident=choice))


def test_an_engine_that_cannot_stream_refuses_to() -> None:
    with pytest.raises(EseError, match="resident: must be 'auto' or 'all' for an engine with "
                                       "fetch_depth 0, got 'none'"):
        compress_network(network(0), TINY.replace(fetch_depth=0),
                         options=CompressOptions(resident="none"))


def test_all_that_does_not_fit_is_refused() -> None:
    with pytest.raises(EseError, match="stream_depth: the weight memory of a lane must hold"):
        compress_network(network(0), TINY.replace(stream_depth=100),
                         options=CompressOptions(resident="all"))


def test_huffman_coding_and_streaming_exclude_each_other() -> None:
    with pytest.raises(EseError, match="huffman: must not be given for an engine that streams"):
        compress_network(network(0), TINY, options=CompressOptions(huffman=True))


def _integers(seed: int) -> Network:
    layers = []
    for layer in network(seed).layers:
        parts = {name: None if getattr(layer, name) is None else
                 np.rint(400 * getattr(layer, name)).astype(np.int64).clip(-2000, 2000)
                 for name in ("w_x", "w_y", "bias", "peepholes", "w_m")}
        layers.append(replace(layer, **parts))
    return Network(tuple(layers))
