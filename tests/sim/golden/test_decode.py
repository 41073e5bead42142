"""Decoding an image: what comes out is what was encoded, and every broken rule is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ese_lstm.contract.cells import LINEAR
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import Image, read_image, split_words, write_image
from ese_lstm.contract.layout import (
    Layout,
    entry_layout,
    epilogue_layout,
    header_layout,
    segment_layout,
)
from ese_lstm.sim.golden.decode import DecodedModel, decode_image

CONFIG = EngineConfig(lanes=3, channels=2, acc_rows=8, activation_depth=256, cell_depth=64,
                      param_depth=512, stream_depth=4096)
RELATIVE = CONFIG.replace(lanes=1, acc_rows=64, index_mode="relative4")
CONFIGS = [CONFIG, RELATIVE, CONFIG.replace(lanes=1, acc_rows=64), RELATIVE.replace(lanes=2),
           CONFIG.replace(weight_bits=18, acc_bits=48, act_bits=18, peephole_bits=2),
           CONFIG.replace(weight_bits=2, act_bits=8, cell_bits=12, cell_frac=8, acc_bits=17)]


def packed(nets: Any, config: EngineConfig, seed: int = 1, density: float = 0.2) -> Any:
    rng = np.random.default_rng(seed)
    layers = nets.random_layers(rng, config, 5, [(19, 7), (5, 0)], density, True)
    built = nets.build(config, layers)
    return built, nets.encode(config, *built)


@pytest.mark.parametrize("which", range(len(CONFIGS)))
def test_what_was_encoded_comes_out(which: int, nets: Any, seed: int, tmp_path: Any) -> None:
    config = CONFIGS[which]
    density = 0.08 if config.acc_rows == 64 else 0.3
    (program, tiles, bias, peephole), image = packed(nets, config, seed, density)
    write_image(tmp_path / "a.ese", image)
    decoded = decode_image(read_image(tmp_path / "a.ese"))
    assert decoded.program == program
    np.testing.assert_array_equal(decoded.bias, bias)
    np.testing.assert_array_equal(decoded.peephole, peephole)
    assert decoded.entries == sum(len(tile.weights) for tile in tiles) > 0
    for got, want in zip(decoded.tiles, tiles, strict=True):
        for name in ("rows", "columns", "weights"):
            np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
    streams = [nets.lane_entries(config, program, tiles, lane) for lane in range(config.lanes)]
    nulls = fillers = 0
    for tile, counts in enumerate(decoded.counts):
        want = [[len(column) for column in stream[tile]] for stream in streams]
        assert counts.tolist() == want
        for stream in streams:
            for column in stream[tile]:
                nulls += column == [(0, 0)]
                fillers += column.count((0, 15))
    assert (decoded.null_entries, decoded.filler_entries) == (nulls, fillers)
    assert nulls > 0
    assert config.acc_rows < 64 or config.index_mode == "absolute" or fillers > 0


# Broken streams -------------------------------------------------------------------------------


def with_columns(nets: Any, config: EngineConfig, change: Callable[[list[Any]], None],
                 lane: int) -> Image:
    """An image whose entries of one lane, [tile][column][(weight, index)], were changed."""
    (program, tiles, _bias, _peephole), image = packed(nets, config)
    layout = entry_layout(config)
    entries, lengths = [], []
    for number in range(config.lanes):
        columns = nets.lane_entries(config, program, tiles, number)
        if number == lane:
            change(columns)
        stream = [layout.pack({"weight": weight, "index": index, "last": k == len(column) - 1})
                  for tile in columns for column in tile
                  for k, (weight, index) in enumerate(column)]
        entries += stream
        lengths.append(len(stream))
    sections = {**image.sections, "entries": np.array(entries, np.uint32),
                "lane_lengths": np.array(lengths, np.uint32)}
    return replace(image, sections=sections)


def put(tile: int, column: int, entries: list[tuple[int, int]]) -> Callable[[list[Any]], None]:
    def change(columns: list[Any]) -> None:
        columns[tile][column] = entries
    return change


def drop(columns: list[Any]) -> None:
    del columns[1][3]


@pytest.mark.parametrize("config, lane, change, message", [
    (CONFIG, 1, put(0, 2, [(5, 1), (6, 1)]), "lane 1, tile 0, column 2: rows must ascend, got 1"),
    (CONFIG, 1, put(0, 2, [(5, 3), (6, 1)]), "lane 1, tile 0, column 2: rows must ascend, got 1"),
    (CONFIG, 2, put(4, 7, [(5, 4)]),
     "lane 2, tile 4, column 7: row must be one of the lane's rows of the tile, got 4"),
    (CONFIG, 1, put(3, 0, [(5, 0)]),
     "lane 1, tile 3, column 0: row must be one of the lane's rows of the tile, got 0"),
    (CONFIG, 0, put(0, 0, [(0, 1)]), ("lane 0, tile 0, column 0: weight 0 must be a null entry "
     r"\(index 0, alone in its column\), got index 1")),
    (CONFIG, 0, put(2, 1, [(0, 0), (4, 3)]), "lane 0, tile 2, column 1: weight 0 must be a null"),
    (RELATIVE, 0, put(0, 1, [(0, 15)]), ("lane 0, tile 0, column 1: weight 0 must be a null entry "
     r"\(index 0, alone in its column\) or a filler \(index 15, not last\), got index 15")),
    (RELATIVE, 0, put(0, 1, [(1, 0), (0, 3), (1, 0)]), "lane 0, tile 0, column 1: weight 0 must"),
    (RELATIVE, 0, put(1, 1, [(0, 15), (0, 15), (1, 0)]),
     "lane 0, tile 1, column 1: row must be one of the lane's rows of the tile, got 32"),
    (CONFIG, 2, drop, "lane 2 must hold 79 columns, got 78"),
    (CONFIG, 2, lambda columns: columns[-1].append([(1, 0)]),
     "lane 2 must hold 79 columns, got 80"),
])
def test_broken_streams(nets: Any, config: EngineConfig, lane: int, change: Any, message: str
                        ) -> None:
    decode_image(with_columns(nets, config, lambda columns: None, lane))
    with pytest.raises(EseError, match=f"^image.entries: {message}"):
        decode_image(with_columns(nets, config, change, lane))


def test_every_flipped_last_flag_is_refused(nets: Any) -> None:
    _, image = packed(nets, CONFIG)
    entries = image.sections["entries"]
    flag = np.uint32(1 << entry_layout(CONFIG).offset("last"))
    refused = 0
    for position in range(0, len(entries), 5):
        entries[position] ^= flag
        with pytest.raises(EseError, match=r"^image.entries: lane \d must hold 79 columns"):
            decode_image(image)
        entries[position] ^= flag
        refused += 1
    assert refused > 50


def test_entries_after_the_last_column(nets: Any) -> None:
    _, image = packed(nets, CONFIG)
    sections = dict(image.sections)
    sections["entries"] = np.append(sections["entries"], np.uint32(5))
    sections["lane_lengths"] = sections["lane_lengths"] + np.array([0, 0, 1], np.uint32)
    with pytest.raises(EseError, match="lane 2 must end with its last column, but entries follow"):
        decode_image(replace(image, sections=sections))


# Broken words ---------------------------------------------------------------------------------


def edited(image: Image, section: str, layout: Layout, word: int, **values: int) -> Image:
    words = image.words(section)
    words[word] = layout.pack({**layout.unpack(words[word]), **values})
    return replace(image, sections={**image.sections, section: split_words(words, layout)})


SEGMENT, EPILOGUE, HEADER = (make(CONFIG) for make in (
    segment_layout, epilogue_layout, header_layout))


def test_program_used_below(nets: Any) -> None:
    """Pins the numbers that the messages below speak of."""
    (program, *_), _ = packed(nets, CONFIG)
    assert [epilogue.count for epilogue in program.epilogues] == [6, 6, 6, 1, 7, 5]
    assert program.results == 31
    assert [segment.need for segment in program.segments] == [
        0, -11, 0, -11, 0, -11, 0, -11, 1, -4, 20]


@pytest.mark.parametrize("section, word, values, message", [
    ("segments", 1, {"need": -12}, (r"segments: segment 1 \(tile 0\): need must let column 0 wait "
                                   "for result -11, got -12")),
    ("segments", 8, {"need": 0}, (r"segments: segment 8 \(tile 4\): need must let column 0 wait "
                                  "for result 1, got 0")),
    ("segments", 8, {"need": 2}, (r"segments: segment 8 \(tile 4\): need must not exceed the 19 "
                                 r"results of earlier tiles at its last column, got 2 \+ 18")),
    ("segments", 8, {"wait": 0}, r"segments: segment 8 \(tile 4\): wait must be 1, because"),
    ("segments", 1, {"recurrent": 0}, (r"segments: segment 1 \(tile 0\): recurrent must be 1, "
                                      "because column 0 reads the frame before")),
    ("segments", 10, {"recurrent": 1}, (r"segments: segment 10 \(tile 5\): recurrent must be 0, "
                                       "because column 0 reads this frame")),
    ("segments", 1, {"base_even": 29, "base_odd": 36}, (
     r"segments: segment 1 \(tile 0\): must read "
     "inputs or results of this frame or the one before, but column 0 reads neither")),
    ("segments", 0, {"base_even": 252}, "segments: segment 0 end must be 1 to 256, got 257"),
    ("segments", 0, {"length": 0}, "segments: segment 0 length must be 1 to 256, got 0"),
    ("segments", 3, {"last": 0}, (r"segments: last must mark as many tiles as there are epilogues "
                                 r"\(6\), got 5")),
    ("segments", 3, {"end": 1}, r"segments: end must mark the last word alone, got words \[3, 10"),
    ("epilogues", 5, {"end": 0}, r"epilogues: end must mark the last word alone, got words \[\]"),
    ("epilogues", 0, {"count": 7}, "header: results must be the epilogues' 32, got 31"),
    ("epilogues", 5, {"output_last": 0}, (r"epilogues: output_last must mark the last tile with "
                                         r"output, got tiles \[\] of \[5\]")),
    ("epilogues", 5, {"dest_odd": 253}, "epilogues: tile 5 end of results must be 1 to 256, got"),
    ("epilogues", 5, {"dest_odd": 9}, "epilogues: tile 5 results must be outside the input"),
    ("epilogues", 5, {"cell_base": 60}, "epilogues: tile 5 end of cells must be 1 to 64, got 65"),
    ("epilogues", 5, {"cell_base": 18}, ("epilogues: tile 5 cells must be its own, got cells of "
                                        "tile 3 at cell_base=18")),
    ("epilogues", 5, {"param_base": 84}, "epilogues: tile 5 end of params must be 1 to 103, got"),
    ("epilogues", 0, {"kind": LINEAR.kind, "output": 1, "output_last": 1},
     "epilogues: output_last must"),
    ("header", 0, {"results": 30}, "header: results must be the epilogues' 31, got 30"),
    ("header", 0, {"input_width": 0}, "header: input_width must be 1 to 256, got 0"),
    ("header", 0, {"input_odd": 4}, ("header: input_even and input_odd must be apart by "
                                    "input_width=5, got 0 and 4")),
    ("header", 0, {"input_odd": 252}, "header: end of input must be 1 to 256, got 257"),
])
def test_broken_programs(nets: Any, section: str, word: int, values: dict[str, int], message: str
                         ) -> None:
    _, image = packed(nets, CONFIG)
    layout = {"segments": SEGMENT, "epilogues": EPILOGUE, "header": HEADER}[section]
    with pytest.raises(EseError, match=f"^image.{message}"):
        decode_image(edited(image, section, layout, word, **values))


def test_too_many_cells_in_a_tile(nets: Any) -> None:
    _, image = packed(nets, CONFIG)
    image = edited(image, "epilogues", EPILOGUE, 0, count=7)
    image = edited(image, "header", HEADER, 0, results=32)
    with pytest.raises(EseError, match="^image.epilogues: tile 0 count must be 1 to 6, got 7$"):
        decode_image(image)


def smaller(image: Image, **changes: int) -> DecodedModel:
    return decode_image(replace(image, config=image.config.replace(**changes)))


@pytest.mark.parametrize("changes, message", [
    ({"stream_depth": 100}, r"lane_lengths: lane \d must fit stream_depth=100, got \d+ entries"),
    ({"segment_depth": 10}, "segments: must be 1 to 10 words, got 11"),
    ({"epilogue_depth": 5}, "epilogues: must be 1 to 5 words, got 6"),
])
def test_image_against_other_dimensions(nets: Any, changes: dict[str, int], message: str) -> None:
    _, image = packed(nets, CONFIG)
    with pytest.raises(EseError, match=f"^image.{message}"):
        smaller(image, **changes)


def test_params_beyond_the_memory(nets: Any) -> None:
    _, image = packed(nets, CONFIG.replace(param_depth=128))
    with pytest.raises(EseError, match="^image.params: must fit param_depth=102, got 103$"):
        smaller(image, param_depth=102)


@pytest.mark.parametrize("section", ["header", "segments", "epilogues", "params", "entries"])
def test_stray_bits_are_refused(nets: Any, section: str) -> None:
    _, image = packed(nets, CONFIG)
    sections = {name: part.copy() for name, part in image.sections.items()}
    sections[section].reshape(len(sections[section]), -1)[0, -1] |= np.uint32(1 << 31)
    with pytest.raises(EseError, match=f"^image.{section}: word 0 must be zero above its"):
        decode_image(replace(image, sections=sections))


def test_lengths_must_sum(nets: Any) -> None:
    _, image = packed(nets, CONFIG)
    sections = {**image.sections, "entries": image.sections["entries"][:-1]}
    with pytest.raises(EseError, match="^image.lane_lengths: must sum to the"):
        decode_image(replace(image, sections=sections))


def test_one_length_a_lane(nets: Any) -> None:
    _, image = packed(nets, CONFIG)
    sections = {**image.sections, "lane_lengths": image.sections["lane_lengths"][:2]}
    with pytest.raises(EseError, match="^image.lane_lengths: must have one length for each of 3 "):
        decode_image(replace(image, sections=sections))


def test_words_of_another_width(nets: Any) -> None:
    _, image = packed(nets, CONFIG)
    sections = {**image.sections, "params": image.sections["params"][:, :1]}
    with pytest.raises(EseError, match="^image.params: must hold words of 2 x 32 bits, got shape"):
        decode_image(replace(image, sections=sections))
