"""Schedule of rows: complete, in order, as dense as the rule allows, and never a deadlock."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_lstm.compress.rows import pack_rows, schedule_rows, window
from ese_lstm.contract import timing
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import entry_layout, row_layout

FAST = {"deadline": None, "database": None}


def entries(columns_of: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Lanes and columns of entries, lane after lane."""
    lanes = np.repeat(np.arange(len(columns_of)), [len(columns) for columns in columns_of])
    return lanes, np.array([column for columns in columns_of for column in columns], np.int64)


def broken(rows: np.ndarray, lanes: np.ndarray, columns: np.ndarray, count: int,
           window: int) -> bool:
    """The rule, entry by entry in plain loops."""
    for lane in range(count):
        mine = np.flatnonzero(lanes == lane)
        for number, entry in enumerate(mine):
            working = columns[rows >= rows[entry]].min()
            later = [e for e in mine[:number + 1] if columns[e] > working]
            if len(later) > window:
                return True
    return False


def stuck(rows: np.ndarray, lanes: np.ndarray, columns: np.ndarray, count: int,
          window: int) -> bool:
    """Play it: FIFOs of ``window`` entries, a column completes when all lanes have fired it."""
    fifos: list[list[int]] = [[] for _ in range(count)]
    left = [int((lanes == lane).sum()) for lane in range(count)]
    row, column = 0, 0
    by_row = [[(int(lanes[e]), int(columns[e])) for e in np.flatnonzero(rows == number)]
              for number in range(int(rows.max(initial=-1)) + 1)]
    while any(left):
        moved = False
        if row < len(by_row) and all(len(fifos[lane]) < window for lane, _ in by_row[row]):
            for lane, place in by_row[row]:
                fifos[lane].append(place)
            row, moved = row + 1, True
        for lane in range(count):
            while fifos[lane] and fifos[lane][0] <= column:
                fifos[lane].pop(0)
                left[lane] -= 1
                moved = True
        waiting = [columns[e] for number in range(row, len(by_row))
                   for e in np.flatnonzero(rows == number)] + [c for f in fifos for c in f]
        if waiting and min(waiting) > column:
            column, moved = int(min(waiting)), True
        if not moved:
            return True
    return False


column_lists = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=12), min_size=1,
                        max_size=4).map(lambda lanes: [
                            np.repeat(np.arange(12), (lane * 12)[:12]).tolist() for lane in lanes])


@settings(max_examples=60, **FAST)
@given(columns_of=column_lists, window=st.integers(1, 9))
def test_every_schedule_is_complete_ordered_and_free_of_deadlock(columns_of, window) -> None:
    lanes, columns = entries(columns_of)
    count = len(columns_of)
    rows = schedule_rows(lanes, columns, count, window)
    for lane in range(count):
        mine = rows[lanes == lane]
        assert (np.diff(mine) > 0).all(), "a lane's entries come in order, one a row"
    assert set(rows.tolist()) == set(range(int(rows.max()) + 1)), "no row is empty"
    assert not broken(rows, lanes, columns, count, window)
    assert not stuck(rows, lanes, columns, count, window)
    assert int(rows.max()) + 1 >= max(map(len, columns_of))


def test_lanes_alike_fill_every_row() -> None:
    lanes, columns = entries([np.repeat(np.arange(1000), 3).tolist()] * 8)
    rows = schedule_rows(lanes, columns, 8, 62)
    assert rows.max() + 1 == 3000


def test_a_schedule_that_breaks_the_rule_is_stuck() -> None:
    """All of one lane's entries before the other's: the twin shows that the rule is needed."""
    lanes, columns = entries([[0, 1, 2, 3, 4, 5]] * 2)
    rows = np.arange(12)
    assert broken(rows, lanes, columns, 2, 3) and stuck(rows, lanes, columns, 2, 3)
    assert not broken(rows, lanes, columns, 2, 6) and not stuck(rows, lanes, columns, 2, 6)


@pytest.mark.parametrize("lanes", [1, 2, 31, 70])
def test_rows_hold_slots_and_mask(lanes, seed) -> None:
    config = PRESETS["tiny"].replace(lanes=lanes, fetch_depth=8)
    rng = np.random.default_rng(seed)
    columns_of = [np.repeat(np.arange(9), rng.integers(1, 4, 9)).tolist() for _ in range(lanes)]
    lane, columns = entries(columns_of)
    words = rng.integers(0, 1 << entry_layout(config).bits, len(lane))
    section = pack_rows(words, lane, columns, config)
    layout = row_layout(config)
    assert section.shape[1] == layout.words32
    assert window(config) == 8 - timing.ROW_MARGIN
    got: list[list[int]] = [[] for _ in range(lanes)]
    for row in section:
        word = sum(int(part) << 32 * k for k, part in enumerate(row))
        assert word >> layout.bits == 0
        values = layout.unpack(word)
        assert values["mask"]
        for k in range(lanes):
            if values["mask"] >> k & 1:
                got[k].append(values[f"entry_{k}"])
            else:
                assert values[f"entry_{k}"] == 0
    assert [word for part in got for word in part] == words.tolist() and len(words) > 0


def test_no_entries_no_rows() -> None:
    config = PRESETS["tiny"].replace(fetch_depth=8)
    nothing = np.zeros(0, np.int64)
    assert pack_rows(nothing, nothing, nothing, config).shape == (0, row_layout(config).words32)
