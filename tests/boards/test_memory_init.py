"""Memory files hold the image's words, one a line, as wide as the memory."""

from pathlib import Path

import numpy as np

from ese_lstm.boards.memory_init import write_memories
from ese_lstm.contract.config import PRESETS, EngineConfig
from ese_lstm.contract.image import Image, Manifest, section_layouts, split_words


def invented_image(config: EngineConfig, generator: np.random.Generator) -> Image:
    """Sections of random words (no program), to test the files only."""
    sections = {}
    for name, layout in section_layouts(config).items():
        count = {"header": 1, "entries": 11}.get(name, 5)
        words = [int.from_bytes(generator.bytes(16)) % (1 << layout.bits) for _ in range(count)]
        words[0] = (1 << layout.bits) - 1
        sections[name] = split_words(words, layout)
    sections["entries"] = sections["entries"][:, 0]
    sections["lane_lengths"] = np.array([4, 7], dtype=np.uint32)
    manifest = Manifest(config=config.model_dump(), source="", source_sha256="", command="",
                        layers=(), matrices=(), input_exponents=(), entries=11, null_entries=0,
                        filler_entries=0, published_fillers=0, dense_weights=0, sections={})
    return Image(manifest, config, sections)


def read_hex(path: Path) -> list[int]:
    """What ``$readmemh`` reads."""
    lines = path.read_text().splitlines()
    return [int(line, 16) for line in lines if not line.startswith("//")]


def test_every_word_of_every_section(tmp_path: Path) -> None:
    config = PRESETS["tiny"]
    image = invented_image(config, np.random.default_rng(5))
    files = {file.name: file for file in write_memories(image, tmp_path)}
    assert set(files) == {"header.hex", "segments.hex", "epilogues.hex", "params.hex",
                          "lane_lengths.hex", "entries_lane_000.hex", "entries_lane_001.hex"}
    for section in ("header", "segments", "epilogues", "params"):
        assert read_hex(files[f"{section}.hex"]) == image.words(section)
    assert read_hex(files["lane_lengths.hex"]) == [4, 7]
    entries = [int(word) for word in image.sections["entries"]]
    assert read_hex(files["entries_lane_000.hex"]) == entries[:4]
    assert read_hex(files["entries_lane_001.hex"]) == entries[4:]


def test_words_are_as_wide_as_the_memory(tmp_path: Path) -> None:
    config = PRESETS["tiny"]
    write_memories(invented_image(config, np.random.default_rng(6)), tmp_path)
    widths = {name: -(-layout.bits // 4) for name, layout in section_layouts(config).items()}
    for name, width in widths.items():
        path = tmp_path / ("entries_lane_000.hex" if name == "entries" else f"{name}.hex")
        lines = path.read_text().splitlines()
        assert lines[0].startswith(f"// {section_layouts(config)[name].name} of ")
        assert {len(line) for line in lines[1:]} == {width}


def test_same_bytes_every_time(tmp_path: Path) -> None:
    image = invented_image(PRESETS["tiny"], np.random.default_rng(7))
    first = write_memories(image, tmp_path / "a")
    second = write_memories(image, tmp_path / "b")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
