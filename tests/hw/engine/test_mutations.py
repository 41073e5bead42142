"""The comparison with the golden model can fail: one wrong bit in the hardware's copy is seen."""

import dataclasses
import random

import numpy as np
import pytest

from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import entry_layout
from ese_lstm.contract.tables import activation_table
from ese_lstm.hw.elementwise import activation, channel, numeric
from ese_lstm.sim.rtl.load import load_beats

CONFIG = PRESETS["tiny"]
LAYERS = [LayerShape(7, 4, peepholes=True)]


@pytest.fixture
def mismatch(engine_bench, synthetic):
    """``mismatch(mutate)``: play the image that ``mutate`` returns for a fixed one, and say
    whether any write differs from the golden model's of the unchanged image."""

    def play(mutate=lambda image: image):
        image, frames = synthetic(CONFIG, 4, LAYERS, 20_170_222)
        masks = np.ones(frames[:, 0].shape, bool), np.zeros(frames[:, 0].shape, bool)
        bench = engine_bench(CONFIG, random.Random(1))
        bench.play(image, frames, *masks, beats=load_beats(mutate(image)))
        golden = bench.golden(image, frames, *masks)
        assert len(bench.results) == len(golden[1]) > 0
        return bench.written != golden

    return play


def flipped(image, section, index, bit):
    """The image with one bit of a section flipped."""
    words = image.sections[section].copy()
    words.flat[index] ^= np.uint32(1 << bit)
    return dataclasses.replace(image, sections={**image.sections, section: words})


def test_without_a_mutation_there_is_no_mismatch(mismatch):
    assert not mismatch()


LAYOUT = entry_layout(CONFIG)


@pytest.mark.parametrize("bit", [LAYOUT.offset("weight"), LAYOUT.offset("weight") + 11,
                                 LAYOUT.offset("index"), LAYOUT.offset("last")],
                         ids=["weight-low", "weight-sign", "row", "last-of-column"])
def test_one_bit_of_a_weight_entry_is_seen(mismatch, bit):
    def mutate(image):
        entries = [LAYOUT.unpack(int(word)) for word in image.sections["entries"]]
        index = max(range(len(entries) // 4), key=lambda k: abs(entries[k]["weight"]))
        return flipped(image, "entries", index, bit)

    assert mismatch(mutate)


def test_one_bit_of_a_bias_is_seen(mismatch):
    assert mismatch(lambda image: flipped(image, "params", 0, 14))


@pytest.mark.parametrize("field", ["base", "slope"])
@pytest.mark.parametrize("function", [0, 1], ids=["sigmoid", "tanh"])
def test_one_table_entry_is_seen(mismatch, monkeypatch, function, field):
    """One bit of the entry next to zero: the lowest of its base or the seventh of its slope."""
    table = activation_table(CONFIG)
    both = [list(part) for part in getattr(table, field)]
    both[function][1] ^= 1 if field == "base" else 1 << 6
    wrong = dataclasses.replace(table, **{field: tuple(map(tuple, both))})
    monkeypatch.setattr(activation, "activation_table", lambda config: wrong)
    assert mismatch()


@pytest.mark.parametrize("unit", [numeric, channel],
                         ids=["requantise", "cell-and-result"])
def test_one_rounding_constant_is_seen(mismatch, monkeypatch, unit):
    """Truncation in place of rounding half up: the half is missing."""
    monkeypatch.setattr(unit, "round_shift",
                        lambda value, shift: value.as_signed().shift_right(shift))
    assert mismatch()
