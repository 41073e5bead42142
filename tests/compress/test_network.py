"""Shapes and values that no network may have."""

import numpy as np
import pytest

from ese_lstm.compress.network import Layer, Network
from ese_lstm.contract.errors import EseError


def test_shape_properties():
    layer = Layer(np.zeros((12, 5)), np.zeros((12, 2)), w_m=np.zeros((2, 3)))
    assert (layer.inputs, layer.cells, layer.projection, layer.outputs) == (5, 3, 2, 2)
    assert layer.weights == 60 + 24 + 6 == sum(m.size for _, m in layer.matrices())
    assert [name for name, _ in layer.matrices()] == [
        "Wix", "Wfx", "Wcx", "Wox", "Wir", "Wfr", "Wcr", "Wor", "Wym"]


@pytest.mark.parametrize("layers, message", [
    ((), r"^network: must have at least one layer, got none$"),
    ((Layer(np.zeros((6, 5)), np.zeros((6, 2))),),
     r"^layer 0 w_x: must have the shape \(4·cells, inputs\), got \(6, 5\)$"),
    ((Layer(np.zeros((8, 5)), np.zeros((8, 3))),),
     r"^layer 0 w_y: must have the shape \(8, 2\), got \(8, 3\)$"),
    ((Layer(np.zeros((8, 5)), np.zeros((8, 2)), np.zeros(7)),),
     r"^layer 0 bias: must have the shape \(8,\), got \(7,\)$"),
    ((Layer(np.zeros((8, 5)), np.zeros((8, 2)), None, np.zeros((3, 3))),),
     r"^layer 0 peepholes: must have the shape \(3, 2\), got \(3, 3\)$"),
    ((Layer(np.zeros((8, 5)), np.zeros((8, 3)), None, None, np.zeros((3, 4))),),
     r"^layer 0 w_m: must have the shape \(3, 2\), got \(3, 4\)$"),
    ((Layer(np.zeros((8, 5)), np.zeros((8, 2))), Layer(np.zeros((4, 3)), np.zeros((4, 1)))),
     r"^layer 1 w_x: must have as many columns as layer 0 has outputs \(2\), got 3$"),
    ((Layer(np.array([[0, 1.0], [0, np.nan], [np.inf, 0], [0, 0]]), np.zeros((4, 1))),),
     r"^layer 0 w_x: must be finite, but 2 of 8 values are NaN or Inf, the first at \[1, 1\]$"),
])
def test_refused(layers, message):
    with pytest.raises(EseError, match=message):
        Network(layers)
