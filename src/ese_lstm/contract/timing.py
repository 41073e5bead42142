"""Latencies in cycles and depths: the hardware is built to them, the cycle model counts with them.

Tests in Amaranth's simulator (tests/hw) check each one exactly on the units that have it.
"""

from .cells import LSTM

BROADCAST = 3
"""Column issued by the broadcaster → column at the head of an empty lane queue."""

PREFETCH = 4
"""Entries read ahead of a decoder: the memory's two cycles, the short FIFO's one behind it, and the
one being taken."""

FIFO_OUT = 3
"""Entry read out of a fetch FIFO's memory → the decoder can take it: 2 out of memory, 1 through the
short FIFO behind it."""

ROW = 3 + FIFO_OUT
"""Row of streamed weights taken at the engine's port → its entries at the heads of empty fetch
FIFOs: 1 to the stage that waits for room, 1 to the lanes, 1 into memory."""

ROW_ROOM = 3
"""A row goes on to the lanes if each lane that it has an entry for had, when last seen, this many
free places in its fetch FIFO: rows on their way there are not counted yet."""

ROW_MARGIN = ROW_ROOM - 1
"""Places of a fetch FIFO that may stay free although a row waits: the scheduler of rows counts on
``fetch_depth − ROW_MARGIN``."""

WORD_BITS = 32
"""Words that rows of streamed weights are cut into."""

LINES = 32
"""Lines of the gearbox's buffer, each a word in every bank."""

REQUEST = 3
"""Read master told to run → its first request, and from one request to the next."""

FETCH_SETUP = 2
"""Row fetch enabled → its read master told to run, beyond a cycle for each bit of ``words32``."""

MAC = 3
"""Entry fired by a lane → its product readable in the accumulator bank, and, if it was the last
of a tile, the lane's ``done`` bit visible."""

DRAIN = 4
"""Row issued by the epilogue sequencer → its sample at the element-wise unit's input: register
the select, read the bank, two levels of the collector."""

OPERAND_LEAD = 2
"""Cycles before the sample at which the param and cell memories are addressed: read, register."""

ACTIVATION = 5
"""Gate input at the σ/tanh unit → gate."""

REQUANTISE = 2
"""Accumulator sum at the variable shifter → saturated result."""

GATE = 3 + REQUANTISE + ACTIVATION
"""Sample at the element-wise unit → gate at the cell multiplier: peephole product in 2, sum in 1,
shift and saturate, table."""

RESULT = GATE + 3
"""Sample of gate o, or of a linear row → result: multiply in 2, round in 1."""

CELL = GATE + 4
"""Sample of gate g → new cell state: multiply in 2, add in 1, round and saturate in 1."""

VISIBLE = DRAIN + RESULT + 1
"""Row issued → its result readable as a column by the broadcaster."""

EPILOGUE_START = 1
"""Last lane's ``done`` bit visible → first row issued by an idle epilogue sequencer."""

EPILOGUE_GAP = 2
"""Last row issued of one tile → first row issued of the next, if that tile is done."""

BANK_FREE = 2
"""Last row issued of a tile → first column issued of the second tile after it, which accumulates
into the same bank."""

ISSUES_PER_CELL = LSTM.size
"""Rows that the epilogue sequencer issues a cell, one a cycle."""


def o_skew(cycles_per_cell: int) -> int:
    """O_SKEW for an element-wise unit that takes so many cycles a cell."""
    return -(-(DRAIN + CELL - OPERAND_LEAD) // cycles_per_cell)


O_SKEW = o_skew(ISSUES_PER_CELL)
"""Cells by which gate o's row trails gates i, f, g, so that it reads the new cell state.

Gate g of cell k issues in cycle 4k + 2 and its cell state is written in cycle
4k + 2 + DRAIN + CELL; gate o issues in cycle 4(k + O_SKEW) + 3 and the cell buffer is read for it
DRAIN − OPERAND_LEAD cycles later, which must be a later cycle.
"""
