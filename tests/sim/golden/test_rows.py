"""Rows of streamed weights, as the golden model reads and checks them."""

import numpy as np
import pytest

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import Image
from ese_lstm.contract.layout import row_layout
from ese_lstm.sim.golden.decode import decode_image

CONFIG = PRESETS["tiny"].replace(fetch_depth=8)


@pytest.fixture
def image(seed) -> Image:
    network = random_network(np.random.default_rng(seed), 5, [LayerShape(12)], 0.8)
    return compress_network(network, CONFIG, options=CompressOptions(resident="none"))[0]


def words(image: Image) -> list[dict[str, int]]:
    return [row_layout(CONFIG).unpack(word) for word in image.words("rows")]


def with_rows(image: Image, rows: list[dict[str, int]]) -> Image:
    layout = row_layout(CONFIG)
    packed = [layout.pack(row) for row in rows]
    section = np.array([[word >> 32 * k & 0xFFFFFFFF for k in range(layout.words32)]
                        for word in packed], np.uint32)
    return Image(image.manifest, CONFIG, {**image.sections, "rows": section})


def test_rows_round_trip(image) -> None:
    assert decode_image(with_rows(image, words(image))).entries == image.manifest.entries > 0
    assert decode_image(image).rows.sum() == image.manifest.streamed_entries


def test_one_lane_after_the_other_is_refused(image) -> None:
    """The same entries in a legal order of each lane; the lanes would wait for each other."""
    rows = [{"entry_0": row["entry_0"], "entry_1": 0, "mask": 1}
            for row in words(image) if row["mask"] & 1]
    rows += [{"entry_0": 0, "entry_1": row["entry_1"], "mask": 2}
             for row in words(image) if row["mask"] & 2]
    with pytest.raises(EseError, match=r"image.rows: row \d+, lane 0: must hold at most 6 entries "
                                       r"after the column that other lanes still work on"):
        decode_image(with_rows(image, rows))


@pytest.mark.parametrize("change, sentence", [
    ({"mask": 0, "entry_0": 0, "entry_1": 0}, "image.rows: row 2 must hold an entry"),
    ({"mask": 1, "entry_1": 5}, "image.rows: row 2, lane 1: slot must be 0 without its mask bit"),
])
def test_bad_rows_are_refused(image, change, sentence) -> None:
    rows = words(image)
    rows[2] = {**rows[2], **change}
    with pytest.raises(EseError, match=sentence):
        decode_image(with_rows(image, rows))


def test_bits_beside_the_layout_are_refused(image) -> None:
    section = image.sections["rows"].copy()
    section[4, -1] |= 1 << 31
    with pytest.raises(EseError, match="image.rows: word 4 must be zero above its 34 bits"):
        decode_image(Image(image.manifest, CONFIG, {**image.sections, "rows": section}))


def test_a_missing_row_is_refused(image) -> None:
    with pytest.raises(EseError, match="image.rows: lane . must (hold|end)"):
        decode_image(with_rows(image, words(image)[:-1]))


def test_rows_of_another_shape_are_refused(image) -> None:
    sections = {**image.sections, "rows": image.sections["rows"][:, :1]}
    with pytest.raises(EseError, match="image.rows: must hold words of 2 x 32 bits"):
        decode_image(Image(image.manifest, CONFIG, sections))
