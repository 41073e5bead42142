"""Cell types, and the layers that an image's tiles belong to."""

import re
from dataclasses import replace

import pytest

from ese_lstm.contract.cells import CELL_TYPES, LINEAR, LSTM
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.layout import KIND_BITS
from ese_lstm.contract.manifest import VERSION
from ese_lstm.contract.program import Epilogue, layers_of_tiles
from ese_lstm.contract.tables import FUNCTIONS

TILE = Epilogue(LSTM.kind, 1, 0, 0, 0, 0, 0, False, False)


def tiles(*parts):
    return [replace(TILE, kind=cell.kind, count=count) for cell, count in parts]


@pytest.mark.parametrize("cell", CELL_TYPES, ids=lambda cell: cell.name)
def test_types_say_what_hardware_and_models_need(cell):
    assert CELL_TYPES[cell.kind] is cell
    assert 0 <= cell.result < cell.size and cell.state in (None, *range(cell.size))
    assert {row.function for row in cell.rows} <= {None, *FUNCTIONS}
    readers = {row.peephole for row in cell.rows} - {None}
    assert not readers or cell.state is not None
    assert cell.trails == ("new" in readers)


def test_an_lstm_is_ifgo():
    assert [row.name for row in LSTM.rows] == list("ifgo")
    assert [row.function for row in LSTM.rows] == ["sigmoid", "sigmoid", "tanh", "sigmoid"]
    assert LSTM.peepholes == (0, 1, 3) and LSTM.trails
    assert (LSTM.state, LSTM.result, LINEAR.size, LINEAR.trails) == (2, 3, 1, False)


def test_the_kind_is_as_wide_as_in_every_image_of_this_version():
    """A wider one moves the other fields: old images would be misread, so the version rises."""
    assert (VERSION, KIND_BITS) == (4, 1)


def test_layers_follow_from_their_cells():
    program = tiles((LSTM, 4), (LSTM, 1), (LINEAR, 2), (LINEAR, 3), (LSTM, 5), (LSTM, 6))
    assert layers_of_tiles(program, [5, 5, 6]) == (0, 0, 0, 0, 1, 2)


@pytest.mark.parametrize("cells", [[], [4], [5], [6], [5, 4], [5, 5, 5], [5, 5, 6, 1]])
def test_layers_that_are_not_the_tiles(cells):
    program = tiles((LSTM, 4), (LSTM, 1), (LINEAR, 2), (LSTM, 5), (LSTM, 6))
    with pytest.raises(EseError, match=rf"^layers: must be of as many cells .*"
                                       rf"{re.escape(str(cells))}$"):
        layers_of_tiles(program, cells)
