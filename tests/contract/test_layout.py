"""Word layouts: packing, ranges, interleaving."""

import random

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.layout import (
    Field,
    Layout,
    entry_layout,
    epilogue_layout,
    header_layout,
    lane_of,
    load_layout,
    param_layout,
    segment_layout,
)

LAYOUTS = (entry_layout, segment_layout, epilogue_layout, param_layout, header_layout, load_layout)
SMALL = Layout("word", (Field("a", 3), Field("b", 4, signed=True), Field("c", 1)))


def test_bits_by_hand():
    assert SMALL.pack({"a": 5, "b": -2, "c": 1}) == 0b1_1110_101
    assert SMALL.unpack(0b1_1110_101) == {"a": 5, "b": -2, "c": 1}
    assert (SMALL.bits, SMALL.words32, SMALL.offset("c")) == (8, 1, 7)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("preset", PRESETS)
def test_round_trip_at_the_ends_and_at_random(seed, layout, preset):
    rng = random.Random(seed)
    word = layout(PRESETS[preset])
    samples = [{f.name: f.minimum for f in word.fields}, {f.name: f.maximum for f in word.fields}]
    samples += [{f.name: rng.randint(f.minimum, f.maximum) for f in word.fields} for _ in range(20)]
    for values in samples:
        packed = word.pack(values)
        assert 0 <= packed < 1 << word.bits
        assert word.unpack(packed) == values
    assert word.pack(samples[1]) != word.pack(samples[0])


@pytest.mark.parametrize("values, message", [
    ({"a": 8, "b": 0, "c": 0}, r"^word.a: must be 0 to 7, got 8$"),
    ({"a": -1, "b": 0, "c": 0}, r"^word.a: must be 0 to 7, got -1$"),
    ({"a": 0, "b": 8, "c": 0}, r"^word.b: must be -8 to 7, got 8$"),
    ({"a": 0, "b": -9, "c": 0}, r"^word.b: must be -8 to 7, got -9$"),
])
def test_out_of_range(values, message):
    with pytest.raises(EseError, match=message):
        SMALL.pack(values)


def test_names_must_match():
    with pytest.raises(KeyError):
        SMALL.pack({"a": 0, "b": 0})
    with pytest.raises(KeyError):
        SMALL.pack({"a": 0, "b": 0, "c": 0, "d": 0})
    with pytest.raises(KeyError):
        SMALL.offset("d")


def test_published_entry_is_18_bits():
    word = entry_layout(PRESETS["xcku060-32x32"])
    assert word.bits == 18 and [f.bits for f in word.fields] == [12, 5, 1]


def test_load_beat_holds_every_word():
    for config in PRESETS.values():
        beat = load_layout(config).field("data").bits
        assert all(layout(config).bits <= beat for layout in LAYOUTS[:-1])


def test_units_are_interleaved_over_lanes():
    assert [lane_of(unit, 3) for unit in range(7)] == [0, 1, 2, 0, 1, 2, 0]
