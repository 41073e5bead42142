"""Fixed-point formats: rounding half up, saturation, fitting."""

import numpy as np
import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.formats import FixedFormat, cell_format, gate_format, gate_input_format


@pytest.mark.parametrize("value, integer", [
    (0.5, 1), (-0.5, 0), (1.5, 2), (-1.5, -1), (0.49999, 0), (-0.50001, -1),
    (126.5, 127), (127.0, 127), (-128.0, -128), (-128.5, -128)])
def test_round_half_up(value, integer):
    assert FixedFormat(8, 0).quantise(np.array([value])) == (np.array([integer]), 0)


def test_saturation_is_counted():
    values = np.array([[127.5, 1e9], [-128.51, -1e9], [np.inf, 0]])
    integers, saturated = FixedFormat(8, 0).quantise(values)
    assert integers.tolist() == [[127, 127], [-128, -128], [127, 0]] and saturated == 5


@pytest.mark.parametrize("bits", [2, 8, 16, 63])
def test_ends_and_round_trip(bits):
    fmt = FixedFormat(bits, 3)
    ends = np.array([fmt.minimum, -1, 0, 1, fmt.maximum])
    assert (fmt.minimum, fmt.maximum) == (-2 ** (bits - 1), 2 ** (bits - 1) - 1)
    assert fmt.real(np.array(1)) == 0.125
    if bits <= 53:
        assert fmt.quantise(fmt.real(ends))[0].tolist() == ends.tolist()


@pytest.mark.parametrize("magnitude", [
    0.0, 1e-6, 0.25, 0.4999, 0.5, 1.0, 1.9, 2047 / 2048, 1 - 2.0 ** -13, 3000.0, 1e5])
def test_fitting_is_the_finest(magnitude):
    fmt = FixedFormat.fitting(12, magnitude)
    ends = np.array([magnitude, -magnitude])
    assert fmt.quantise(ends)[1] == 0
    if magnitude:
        assert FixedFormat(12, fmt.frac + 1).quantise(ends)[1] > 0
    else:
        assert fmt.frac == 11


@pytest.mark.parametrize("magnitude", [-1.0, np.nan, np.inf])
def test_fitting_refuses(magnitude):
    with pytest.raises(EseError, match=r"^format.magnitude: must be finite and not negative"):
        FixedFormat.fitting(12, magnitude)


@pytest.mark.parametrize("bits", [1, 64])
def test_width_out_of_range(bits):
    with pytest.raises(EseError, match=rf"^format.bits: must be 2 to 63, got {bits}$"):
        FixedFormat(bits, 0)


def test_formats_of_an_engine():
    config = PRESETS["tiny"]
    assert gate_input_format(config) == FixedFormat(16, 12)
    assert gate_format(config) == FixedFormat(16, 15)
    assert cell_format(config) == FixedFormat(24, 16)
