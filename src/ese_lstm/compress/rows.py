"""Schedule of streamed weights: which entries share a row of external memory.

A row brings at most one entry to each lane, and the lanes take it together, so one full fetch
FIFO holds back all. It must never do so for good. Let c be the first column that some lane can't
complete while nothing moves any more. All lanes have completed the columns before c, so c has
been issued, and what it lacks is an entry in a row that has not been taken yet. The first such
row r waits for a lane k whose FIFO is full. Lane k is not at column c with an entry there, or it
would fire it; so the FIFO's entries, and the one in row r, belong to columns after c. Row r or a
later one holds an entry of column c, so with m(r) the first column of all entries in rows from r
on, m(r) ≤ c. If at most ``window`` entries of a lane up to row r belong to columns after m(r),
the FIFO held less than ``window`` of them; and with ``window = fetch_depth − ROW_MARGIN`` it then
had room: nothing ever waits for good. Rows of the next frame come after all entries of this one,
so the same holds across frames.

The scheduler keeps that rule and otherwise fills every row as far as it can. Every row takes an
entry at least: the next of the lane whose column is the first, behind which its own window lies.
"""

import numpy as np
from numpy.typing import NDArray

from ..contract import timing
from ..contract.config import EngineConfig
from ..contract.layout import row_layout

Ints = NDArray[np.int64]
_NEVER = np.iinfo(np.int64).max
_CHUNK = 256


def pack_rows(words: Ints, lanes: Ints, columns: Ints, config: EngineConfig) -> NDArray[np.uint32]:
    """The section ``rows``, (n, words32), of streamed entries in order of lane and column.

    words: :func:`contract.layout.entry_layout`; lanes, columns: of each, the column counted
    through the program.
    """
    layout = row_layout(config)
    places = schedule_rows(lanes, columns, config.lanes, window(config))
    count = int(places.max(initial=-1)) + 1
    bits = np.zeros((count, 32 * layout.words32), np.uint8)
    for bit in range(config.entry_bits):
        bits[places, lanes * config.entry_bits + bit] = words >> bit & 1
    bits[places, layout.offset("mask") + lanes] = 1
    return np.packbits(bits, axis=1, bitorder="little").view("<u4").astype(np.uint32)


def window(config: EngineConfig) -> int:
    """Entries of a lane's fetch FIFO that the schedule may count on."""
    return config.fetch_depth - timing.ROW_MARGIN


def schedule_rows(lanes: Ints, columns: Ints, count: int, window: int) -> Ints:
    """Row of each entry; entries in order of lane, then column. count: lanes; window: see above."""
    lengths = np.bincount(lanes, minlength=count)
    longest = int(lengths.max(initial=0))
    lane = np.arange(count)
    starts = np.cumsum(lengths) - lengths
    # window places of −1 before each lane's columns, and _NEVER behind them.
    table = np.full((count, window + longest + _CHUNK), _NEVER)
    table[:, :window] = -1
    place = np.arange(len(lanes)) - starts[lanes]
    table[lanes, window + place] = columns
    rows = np.zeros(len(lanes), np.int64)
    at, row, chunk = np.zeros(count, np.int64), 0, 1
    while (at < lengths).any():
        steps = at[:, None] + np.arange(chunk)
        coming = table[lane[:, None], window + np.minimum(steps, longest)]
        allowed = table[lane[:, None], np.minimum(steps, longest)] <= coming.min(axis=0)
        present = coming != _NEVER
        together = (allowed | ~present).all(axis=0) & present.any(axis=0)
        whole = chunk if together.all() else int(np.argmin(together))
        if whole:
            taken = present[:, :whole]
            rows[(starts[:, None] + steps[:, :whole])[taken]] = \
                np.broadcast_to(row + np.arange(whole), taken.shape)[taken]
            at += taken.sum(axis=1)
            row += whole
            chunk = min(2 * chunk, _CHUNK) if whole == chunk else max(1, chunk // 2)
            continue
        some = allowed[:, 0] & present[:, 0]
        rows[(starts + at)[some]] = row
        at += some
        row += 1
        chunk = 1
    return rows
