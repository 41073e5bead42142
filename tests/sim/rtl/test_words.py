import numpy as np
import pytest

from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import Section, load_layout
from ese_lstm.sim.rtl.load import load_beats
from ese_lstm.sim.rtl.words import from_bytes, pack_words, to_bytes, unpack_words

TINY = PRESETS["tiny"]


@pytest.mark.parametrize("fields, bits", [(1, 1), (3, 5), (4, 16), (32, 24), (64, 32), (2, 48)])
def test_words_round_trip(fields: int, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    top = 1 << (bits - 1)
    values = rng.integers(-top, top, (50, fields))
    values[0], values[1] = -top, top - 1
    words = pack_words(values, bits)
    first = sum((int(value) & ((1 << bits) - 1)) << (bits * k) for k, value in enumerate(values[2]))
    assert words[2] == first
    np.testing.assert_array_equal(unpack_words(words, fields, bits), values)
    np.testing.assert_array_equal(unpack_words(words, fields, bits, signed=False),
                                  values % (1 << bits))
    assert from_bytes(to_bytes(words, fields * bits)) == words


def test_higher_bits_are_ignored() -> None:
    assert unpack_words([0b1_10_01], 2, 2).tolist() == [[1, -2]]
    assert unpack_words([], 2, 2).shape == (0, 2)


def test_load_beats_write_every_word_once(make_case, seed: int) -> None:
    image = make_case(TINY, np.random.default_rng(seed), 3, [LayerShape(5, 2)], 0.5, 1).image
    layout = load_layout(TINY)
    fields = [layout.unpack(beat) for beat in load_beats(image)]
    places = [(f["section"], f["lane"], f["address"]) for f in fields]
    assert len(places) == len(set(places))
    for section, name in ((Section.SEGMENT, "segments"), (Section.EPILOGUE, "epilogues"),
                          (Section.PARAM, "params"), (Section.HEADER, "header")):
        words = [f["data"] for f in fields if f["section"] == section]
        assert words == image.words(name) and words
    for lane in range(TINY.lanes):
        entries = [f["data"] for f in fields
                   if (f["section"], f["lane"]) == (Section.ENTRY, lane)]
        assert entries == image.lane_stream(lane).tolist() and entries
        last, = [f["data"] for f in fields
                 if (f["section"], f["lane"]) == (Section.LANE_LAST, lane)]
        assert last == len(entries) - 1
