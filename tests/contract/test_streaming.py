"""Words of streamed weights: the row, the segment's flag, the fetch depth."""

import pytest

from ese_lstm.contract.config import PRESETS, EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import section_names
from ese_lstm.contract.layout import row_layout, segment_layout
from ese_lstm.contract.program import Segment

STREAMED = PRESETS["tiny"].replace(fetch_depth=8)


def test_a_row_of_32_lanes_is_19_words() -> None:
    layout = row_layout(PRESETS["xcku060-32x32"].replace(fetch_depth=512))
    assert (layout.bits, layout.words32) == (32 * 18 + 32, 19)
    assert layout.offset("entry_31") == 31 * 18 and layout.offset("mask") == 576


def test_segments_say_streamed_only_if_the_engine_can() -> None:
    plain, streamed = segment_layout(PRESETS["tiny"]), segment_layout(STREAMED)
    assert streamed.bits == plain.bits + 1 and streamed.fields[:-1] == plain.fields
    segment = Segment(1, 2, 3, -4, True, False, True, streamed=True)
    assert "streamed" not in segment.fields(PRESETS["tiny"], end=True)
    values = segment.fields(STREAMED, end=True)
    assert streamed.unpack(streamed.pack(values)) == values
    assert values["streamed"] == values["end"] == 1


def test_images_have_rows_only_if_the_engine_can_stream() -> None:
    assert section_names(STREAMED) == (*section_names(PRESETS["tiny"]), "rows")


def test_configurations_of_before_are_read_unchanged() -> None:
    values = {name: value for name, value in PRESETS["tiny"].model_dump().items()
              if name != "fetch_depth"}
    assert EngineConfig(**values) == PRESETS["tiny"]


@pytest.mark.parametrize("depth, sentence", [
    (7, "fetch_depth must be 0 or at least 8, got 7"),
    (-1, "fetch_depth: input should be greater than or equal to 0, got -1"),
    (4097, "fetch_depth: input should be less than or equal to 4096, got 4097"),
])
def test_bad_depths_are_refused(depth, sentence) -> None:
    with pytest.raises(EseError, match=sentence):
        PRESETS["tiny"].replace(fetch_depth=depth)
