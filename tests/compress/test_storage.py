"""Huffman-coded images: lossless, smaller, and refused where damaged."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.share import share_network
from ese_lstm.compress.storage import (
    entry_counts,
    huffman_coded,
    matrix_of_entry,
    stages,
)
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.cells import LSTM
from ese_lstm.contract.coded import CODED_SECTIONS
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import SECTIONS, checksum, read_image, write_image
from ese_lstm.contract.layout import entry_layout
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel

TINY = PRESETS["tiny"].replace(stream_depth=4096)
SHAPES = [LayerShape(cells=13, projection=7, peepholes=True), LayerShape(cells=9)]


def packed(seed, density=0.4, config=TINY, **options):
    network = random_network(np.random.default_rng(seed), 5, SHAPES)
    return compress_network(network, config, density, (), CompressOptions(**options))


@pytest.mark.parametrize("mode", ["absolute", "relative4"])
@pytest.mark.parametrize("share_bits", [None, 3])
@pytest.mark.parametrize("density", [0.05, 0.5, 1.0])
def test_lossless(tmp_path, seed, mode, share_bits, density):
    config = TINY.replace(index_mode=mode)
    plain, _ = packed(seed, density, config, share_bits=share_bits)
    coded, _ = packed(seed, density, config, share_bits=share_bits, huffman=True)
    write_image(tmp_path / "m.ese", coded)
    back = read_image(tmp_path / "m.ese")
    assert set(back.sections) == set(SECTIONS) and len(plain.sections["entries"]) > 0
    for name in SECTIONS:
        assert np.array_equal(back.sections[name], plain.sections[name])
    assert back.manifest.version == plain.manifest.version == 4
    assert "entries" not in load_file(tmp_path / "m.ese")
    write_image(tmp_path / "again.ese", back)
    assert (tmp_path / "again.ese").read_bytes() == (tmp_path / "m.ese").read_bytes()
    frames = np.round(1000 * random_frames(np.random.default_rng(seed), 4, 5))
    frames = frames.astype(np.int64)[:, :, None]
    runs = [GoldenModel(decode_image(image), 1).run(frames).outputs for image in (plain, back)]
    assert np.array_equal(*runs) and runs[0].size > 0


def test_a_codebook_per_matrix(seed):
    """Two layers: 17 matrices; each codebook holds that matrix's values and perhaps 0."""
    image, report = packed(seed, share_bits=2, huffman=True)
    assert len(report.matrices) == 9 + 8
    assert image.coded["codebooks"].shape[0] == 17
    assert image.coded["codebooks"].shape[1] <= 5
    network = report.rounded
    compared = 0
    for layer in network.layers:
        for _, matrix in layer.matrices():
            assert len(np.unique(matrix[matrix != 0])) <= 4
            compared += 1
    assert compared == 17


def test_sharing_is_noise_too(seed):
    """SQNR falls with fewer centroids: it is that of the weights left by pruning."""
    fine, coarse = (np.mean([m.sqnr_db for m in packed(seed, share_bits=b)[1].matrices])
                    for b in (5, 1))
    plain = np.mean([m.sqnr_db for m in packed(seed)[1].matrices])
    assert plain > fine > coarse + 6


def test_stages(seed):
    image, report = packed(seed, 0.3, share_bits=3, huffman=True)
    dense = image.manifest.dense_weights
    sizes = {stage.name: stage for stage in report.stages}
    assert list(sizes) == ["dense", "pruned", "quantised", "indexed", "shared", "huffman"]
    assert sizes["dense"].bits_per_weight == 32 and sizes["dense"].ratio == 1
    assert sizes["pruned"].bits == 32 * sum(m.kept for m in report.matrices)
    assert sizes["quantised"].bits == image.config.weight_bits * image.manifest.entries
    assert sizes["indexed"].bits == image.config.entry_bits * len(image.sections["entries"])
    c = image.coded
    assert sizes["huffman"].bits == (
        32 * (len(c["weight_words"]) + len(c["index_words"]) + len(c["weight_offsets"])
              + len(c["index_offsets"])) + c["codebooks"].size * image.config.weight_bits
        + 8 * c["codebook_of"].size + 5 * (len(c["weight_lengths"]) + len(c["index_lengths"])))
    values = json.loads(report.to_json())
    assert values["paper_ratio"] == 20 and values["stages"][0]["bits"] == 32 * dense
    plain, report = packed(seed, 0.3)
    assert [stage.name for stage in report.stages] == ["dense", "pruned", "quantised", "indexed"]
    assert [s.name for s in stages(huffman_coded(plain, False), 1)][-2:] == ["indexed", "huffman"]
    _, report = packed(seed, 0.3, share_bits=3)
    assert report.stages == packed(seed, 0.3, share_bits=3, huffman=True)[1].stages[:-1]


@pytest.mark.parametrize("mode", ["absolute", "relative4"])
@pytest.mark.parametrize("share_bits", [None, 3])
def test_stages_are_the_bytes_of_the_files(tmp_path, seed, mode, share_bits):
    """What a stage counts is what the file holds, less the padding of fields to 32-bit words."""
    config = TINY.replace(index_mode=mode)
    sections = {}
    for huffman in (False, True):
        image, report = packed(seed, 0.3, config, share_bits=share_bits, huffman=huffman)
        write_image(tmp_path / "m.ese", image)
        sections |= load_file(tmp_path / "m.ese")
    sizes = {stage.name: stage.bits for stage in report.stages}
    size = {name: 8 * part.nbytes for name, part in sections.items()}
    assert 32 * sizes["indexed"] == config.entry_bits * size["entries"] > 0
    padding = {"codebooks": 32 - config.weight_bits, "codebook_of": 24, "weight_lengths": 27,
               "index_lengths": 27}
    assert sizes["huffman"] == sum(
        size[name] - padding.get(name, 0) * sections[name].size for name in CODED_SECTIONS)
    entries = report.entries + report.null_entries + report.filler_entries
    assert sizes["indexed"] == entries * config.entry_bits
    assert ("shared" in sizes) == (share_bits is not None)
    if share_bits:
        books = sections["codebooks"]
        code = int(np.ceil(np.log2(books.shape[1])))
        assert sizes["shared"] == (entries * (config.entry_bits - config.weight_bits + code)
                                   + books.size * config.weight_bits)
    dense = sum(m.rows * m.columns for m in report.matrices)
    assert sizes["dense"] == 32 * dense
    assert sizes["pruned"] == 32 * sum(m.kept for m in report.matrices)


@pytest.mark.parametrize("mode", ["absolute", "relative4"])
def test_entries_by_matrix(seed, mode):
    """Weights and fillers of every matrix, against the manifest's counts."""
    config = TINY.replace(index_mode=mode, acc_rows=64, activation_depth=512, cell_depth=128,
                          param_depth=1024)
    network = random_network(np.random.default_rng(seed), 5,
                             [LayerShape(cells=61, projection=90), LayerShape(cells=64)])
    image, report = compress_network(network, config, 0.04)
    numbers = matrix_of_entry(image)
    weights = image.sections["entries"] & ((1 << config.weight_bits) - 1)
    found = np.bincount(numbers[weights != 0], minlength=len(report.matrices))
    assert found.tolist() == [m.entries for m in image.manifest.matrices] and found.min() > 0
    counts = entry_counts(image)
    fillers = [count.fillers for count in counts]
    signed = (weights.astype(np.int64) ^ 2048) - 2048
    for number, count in enumerate(counts):
        mine = signed[numbers == number]
        assert count.extreme == np.isin(mine, (-2048, 2047)).sum()
    assert len(fillers) == 17 and sum(fillers) == image.manifest.filler_entries
    if mode == "absolute":
        assert not any(fillers)
        with pytest.raises(EseError, match="must have every entry in the lanes' memories"):
            entry_counts(replace(image, sections={
                **image.sections, "entries": image.sections["entries"][:-1]}))
    else:
        assert fillers == walked_fillers(image) and sum(f > 0 for f in fillers) > 8


def walked_fillers(image):
    """Entry by entry, as a lane reads them."""
    layout = entry_layout(image.config)
    program = decode_image(image).program
    found = [0] * len(image.manifest.matrices)
    for lane in range(image.config.lanes):
        entries = [layout.unpack(int(word)) for word in image.lane_stream(lane)]
        first = 0
        for tile, (segments, epilogue) in enumerate(program.tiles()):
            layer = program.layers[tile]
            for segment in segments:
                for _ in range(segment.length):
                    row = -1
                    while True:
                        entry = entries[first]
                        first += 1
                        row += entry["index"] + 1
                        if not entry["weight"] and entry["index"] and not entry["last"]:
                            found[9 * layer + (4 * segment.recurrent + row % 4
                                               if epilogue.cell is LSTM else 8)] += 1
                        if entry["last"]:
                            break
        assert first == len(entries) > 0
    return found


def damaged(image, tmp_path, name, values):
    """The file with one coded section replaced, its SHA-256 made right again."""
    sums = {**image.manifest.sections, name: checksum(values)}
    manifest = image.manifest.model_copy(update={"sections": sums})
    write_image(tmp_path / "bad.ese", replace(image, manifest=manifest,
                                              coded={**image.coded, name: values}))
    return tmp_path / "bad.ese"


def test_every_damaged_section_is_refused(tmp_path, seed):
    """By its SHA-256; and, with that made right, by decoding, unless the bit is never read."""
    image, _ = packed(seed, share_bits=3, huffman=True)
    rng = np.random.default_rng(seed)
    decoding = 0
    for name in CODED_SECTIONS:
        values = image.coded[name].copy()
        values.reshape(-1)[rng.integers(values.size)] ^= 1 << int(rng.integers(32))
        said = ""
        try:
            back = read_image(damaged(image, tmp_path, name, values))
            assert np.array_equal(back.sections["entries"], image.sections["entries"])
        except EseError as error:
            said = str(error)
        assert not said or "must have entries that decode, but" in said or \
            "coded entries must decode to the SHA-256" in said
        decoding += bool(said)
        write_image(tmp_path / "bad.ese", replace(image, coded={**image.coded, name: values}))
        with pytest.raises(EseError, match=rf"section {name} must match its SHA-256"):
            read_image(tmp_path / "bad.ese")
    assert decoding > 0


@pytest.mark.parametrize("name, values, message", [
    ("weight_lengths", [1, 1, 1], r"must have entries that decode, but huffman: code lengths must"),
    ("index_offsets", [], r"but huffman: \d+ symbols must have \d+ block offsets"),
    ("codebook_of", [[0, 0, 0, 0]], r"but codebook_of: must have the shape \(\d+, 4\), got"),
    ("codebooks", [[0]], r"but codebooks: must hold code \d+ of book \d+, got the shape \(1, 1\)"),
])
def test_wrong_shapes_are_refused(tmp_path, name, values, message):
    image, _ = packed(1, share_bits=3, huffman=True)
    with pytest.raises(EseError, match=message):
        read_image(damaged(image, tmp_path, name, np.array(values, np.uint32)))


def test_share_bits_refused():
    with pytest.raises(EseError, match=r"^share_bits: must be 1 to 8, got 9$"):
        packed(1, share_bits=9)


def scaled_columns(rng):
    """Frames whose columns differ by orders of magnitude."""
    return [random_frames(rng, 6, 5) * 2.0 ** np.array([0, 5, -4, 2, 9]) for _ in range(2)]


def test_sharing_in_the_space_of_scaled_inputs(seed):
    """What is stored has 2**bits values a matrix, though every column has its own scale."""
    rng = np.random.default_rng(seed)
    network, frames = random_network(rng, 5, SHAPES), scaled_columns(rng)
    both = CompressOptions(share_bits=2, input_scaling="column", huffman=True)
    image, report = compress_network(network, TINY, 0.6, frames, both)
    assert len(set(image.manifest.input_exponents)) > 2
    compared = 0
    for layer in report.rounded.layers:
        for name, matrix in layer.matrices():
            assert len(np.unique(matrix[matrix != 0])) <= 4, name
            compared += np.count_nonzero(matrix)
    assert compared == report.entries > 100
    assert all(len(np.unique(book[book != 0])) <= 4 for book in image.coded["codebooks"])
    fine = compress_network(network, TINY, 0.6, frames, CompressOptions(
        share_bits=6, input_scaling="column"))[1]
    assert np.mean([m.sqnr_db for m in fine.matrices]) > 10 + np.mean(
        [m.sqnr_db for m in report.matrices])


def test_columns_of_shared_weights_are_not_scaled(seed):
    """A second k-means would move what training chose."""
    rng = np.random.default_rng(seed)
    network, frames = share_network(random_network(rng, 5, SHAPES), 2), scaled_columns(rng)
    with pytest.raises(EseError, match=r"^input_scaling: must be 'none' for weights that share "
                                       r"2\*\*2 values already, because .* l0\.Wix apart, got "
                                       r"'column'$"):
        compress_network(network, TINY, 1.0, frames,
                         CompressOptions(share_bits=2, input_scaling="column"))
    compress_network(network, TINY, 1.0, frames, CompressOptions(input_scaling="column"))
