"""Checks on what goes into a run, and the comparison, without a simulator."""

from dataclasses import replace

import numpy as np
import pytest

from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.sim.compare import compare
from ese_lstm.sim.rtl.runner import RtlFrame, RtlResult, run_image
from ese_lstm.sim.trace import Trace

TINY = PRESETS["tiny"]


@pytest.fixture
def case(make_case):
    return make_case(TINY, np.random.default_rng(0), 3, [LayerShape(5, 2)], 0.5, 2)


@pytest.mark.parametrize("change, message", [
    (lambda frames: frames[:, :2], r"frames: must have the shape \(T, 3, 2\).*got \(2, 2, 2\)"),
    (lambda frames: frames[0], "frames: must have the shape"),
    (lambda frames: frames[:0], "T at least 1, got"),
    (lambda frames: frames * 0.5, "frames: must be integers, got float64"),
    (lambda frames: frames * 0 + (1 << 15), "frames: must be integers of 16 bits, got 32768"),
])
def test_wrong_frames_are_refused(case, change, message) -> None:
    with pytest.raises(EseError, match=message):
        run_image(case.image, change(case.frames))


@pytest.mark.parametrize("name", ["active", "start"])
def test_wrong_masks_are_refused(case, name) -> None:
    with pytest.raises(EseError, match=rf"{name}: must be booleans of shape \(2, 2\), got int64"):
        run_image(case.image, case.frames, **{name: np.zeros((2, 2), np.int64)})


def result_like(case) -> RtlResult:
    """What a right engine would give."""
    frames = tuple(RtlFrame(golden.outputs.copy(),
                            *(Trace(trace.addresses.copy(), trace.values.copy())
                              for trace in (golden.trace_cell, golden.trace_result)),
                            {"cycles": 100 * (number + 1), "products": 150 * (number + 1)})
                   for number, golden in enumerate(case.golden()))
    return RtlResult(TINY, frames, 500, 50)


def test_equal_runs_compare_equal(case) -> None:
    comparison = compare(result_like(case).frames, case.golden())
    assert comparison.equal and comparison.first is None
    assert comparison.values_compared == 2 * 2 * (5 + 7 + 2)


@pytest.mark.parametrize("kind", ["cell", "result", "output"])
def test_one_wrong_value_is_found(case, kind) -> None:
    result = result_like(case)
    frame = result.frames[1]
    trace = {"cell": frame.trace_cell, "result": frame.trace_result,
             "output": Trace(np.arange(len(frame.outputs)), frame.outputs)}[kind]
    trace.values[1, 1] ^= 1
    comparison = compare(result.frames, case.golden())
    assert not comparison.equal
    assert comparison.mismatches == {"cell": 0, "result": 0, "output": 0} | {kind: 1}
    first = comparison.first
    assert (first.frame, first.kind, first.channel) == (1, kind, 1)
    assert first.address == trace.addresses[1]
    assert first.expected ^ first.got == 1


def test_a_wrong_address_is_found(case) -> None:
    result = result_like(case)
    result.frames[0].trace_cell.addresses[2] += 1
    assert compare(result.frames, case.golden()).mismatches["cell"] == TINY.channels


def test_missing_values_are_refused(case) -> None:
    result = result_like(case)
    with pytest.raises(EseError, match="as many frames on both sides, got 2 and 1"):
        compare(result.frames, case.golden()[:1])
    short = replace(result.frames[0], outputs=result.frames[0].outputs[:1])
    with pytest.raises(EseError, match="frame 0 must have output values"):
        compare([short, result.frames[1]], case.golden())
    with pytest.raises(EseError, match="at least one value"):
        compare([], [])


def test_figures_leave_out_the_first_frame(case) -> None:
    result = result_like(case)
    assert result.cycles_per_frame == 100
    assert result.utilisation == 150 / (100 * TINY.lanes)
    assert result.outputs.shape == (2, 2, TINY.channels)
