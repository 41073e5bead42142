"""The image file: round trip, every kind of damage, atomic writing."""

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import (
    CHECKSUM_KEY,
    METADATA_KEY,
    SECTIONS,
    Image,
    LayerInfo,
    Manifest,
    MatrixInfo,
    checksum,
    read_image,
    section_layouts,
    split_words,
    write_image,
)

CONFIG = PRESETS["tiny"]


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    sections = {}
    for name, layout in section_layouts(CONFIG).items():
        words = [layout.pack({f.name: int(rng.integers(f.minimum, f.maximum, endpoint=True))
                              for f in layout.fields})
                 for _ in range(1 if name == "header" else 5)]
        sections[name] = split_words(words, layout)
    sections["entries"] = sections["entries"][:, 0]
    sections["lane_lengths"] = np.array([2, 3], np.uint32)
    header = section_layouts(CONFIG)["header"]
    sections["header"] = split_words([header.pack({
        "input_even": 0, "input_odd": 3, "input_width": 3, "results": 6})], header)
    layer = LayerInfo(inputs=3, cells=4, projection=2, peepholes=True, bias=True, input_frac=12,
                      output_frac=14, gate_weight_frac=(11, 9), projection_weight_frac=10,
                      cell_base=0)
    manifest = Manifest(
        config=CONFIG.model_dump(), source="a.pt", source_sha256="ab", command="ese compress a.pt",
        layers=(layer,), matrices=(MatrixInfo(name="l0.Wix", rows=4, columns=3, entries=5),),
        input_exponents=(0, 1, -2), entries=5, null_entries=0, filler_entries=0,
        published_fillers=2,
        dense_weights=12, sections={name: checksum(s) for name, s in sections.items()})
    return Image(manifest, CONFIG, sections)


@pytest.fixture
def path(tmp_path, image):
    path = tmp_path / "a.ese"
    write_image(path, image)
    return path


def rewrite(path, change=lambda sections, manifest: None, key=METADATA_KEY):
    """Write the image at ``path`` again with sections or manifest changed in place, its own
    checksum made right."""
    sections = load(path.read_bytes())
    manifest = read_image(path).manifest.model_dump()
    change(sections, manifest)
    put(path, sections, json.dumps(manifest), key)


def put(path, sections, text, key=METADATA_KEY):
    path.write_bytes(save(sections, {
        key: text, CHECKSUM_KEY: hashlib.sha256(text.encode()).hexdigest()}))


def test_round_trip(path, image):
    back = read_image(path)
    assert back.manifest == image.manifest and back.config == image.config
    for name in SECTIONS:
        assert np.array_equal(back.sections[name], image.sections[name])
    assert back.lane_stream(0).tolist() == image.sections["entries"][:2].tolist()
    assert back.lane_stream(1).tolist() == image.sections["entries"][2:].tolist()
    layouts = section_layouts(CONFIG)
    for name in ("header", "segments", "epilogues", "params"):
        assert np.array_equal(split_words(back.words(name), layouts[name]), back.sections[name])


def test_same_bytes_every_time(path, tmp_path, image):
    write_image(tmp_path / "b.ese", image)
    assert (tmp_path / "b.ese").read_bytes() == path.read_bytes()


def test_sizes_by_hand(image):
    layouts = section_layouts(CONFIG)
    expected = 5 * sum(layout.bits for layout in layouts.values()) - 4 * layouts["header"].bits
    assert image.stored_bits == expected
    columns = sum(layouts["segments"].unpack(w)["length"] for w in image.words("segments"))
    assert image.published_bits == (5 + 2) * 16 + 16 * 2 * (columns + 5)


def test_truncated_anywhere(path):
    data = path.read_bytes()
    refused = 0
    for length in [0, 1, 7, 8, 100, len(data) // 2, len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(EseError, match=r"^image: .*a.ese must be a complete safetensors file"):
            read_image(path)
        refused += 1
    assert refused == 7


@pytest.mark.parametrize("section", SECTIONS)
def test_one_flipped_bit_in_a_section(path, section):
    def flip(sections, manifest):
        sections[section].reshape(-1)[-1] ^= np.uint32(1)
    rewrite(path, flip)
    with pytest.raises(EseError, match=rf"section {section} must match its SHA-256 in the "
                                       rf"manifest, but the file is corrupted$"):
        read_image(path)


@pytest.mark.parametrize("change, message", [
    (lambda s, m: m.update(version=2), r"must have format 'ese-image' version 4 \(or 1\), got "
                                       r"'ese-image' version 2$"),
    (lambda s, m: m.update(version=5), r"version 4 \(or 1\), got 'ese-image' version 5$"),
    (lambda s, m: m.update(format="x"), r"have format 'ese-image' version 4 \(or 1\), got 'x'"),
    (lambda s, m: m.pop("layers"), r"must have a readable manifest, but 1 validation error"),
    (lambda s, m: m.update(extra=1), r"must have a readable manifest, but 1 validation error"),
    (lambda s, m: m["config"].update(lanes=0), r"lanes: .*, got 0$"),
    (lambda s, m: s.pop("params"), r"must be an image written by ese, but has sections \["),
    (lambda s, m: s.update(more=np.zeros(1)), r"must be an image written by ese, but has"),
    (lambda s, m: s.update(header=s["header"].astype(np.int64)),
     r"section header must be uint32, got int64$"),
    (lambda s, m: m["sections"].pop("entries"), r"section entries must match its SHA-256"),
])
def test_damaged(path, change, message):
    rewrite(path, change)
    with pytest.raises(EseError, match=message):
        read_image(path)


def test_other_safetensors_file(path):
    rewrite(path, key="other")
    with pytest.raises(EseError, match=r"must be an image written by ese"):
        read_image(path)


def test_manifest_is_no_object(path):
    sections = load(path.read_bytes())
    put(path, sections, "[]")
    with pytest.raises(EseError, match=r"must have a readable manifest"):
        read_image(path)


def test_missing(tmp_path):
    with pytest.raises(EseError, match=r"^image: must be a file, got '.*no.ese'$"):
        read_image(tmp_path / "no.ese")


def test_image_for_another_configuration(image):
    image.require_config(CONFIG)
    with pytest.raises(EseError, match=r"^image: must be packed for this engine's configuration, "
                                       r"but has lanes 2 against 4, queue_depth 4 against 8$"):
        image.require_config(CONFIG.replace(lanes=4, queue_depth=8))
