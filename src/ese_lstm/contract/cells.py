"""Cell types as data: which rows a unit has, in what order, and what becomes of each.

A tile of a program holds units of one type: cells, or the single rows of a linear layer. A unit of
``size`` rows lies in one lane's bank, row k at ``size·slot + k``; its rows are drained in order.
The epilogue word names the type by ``kind``: more than two types widen it, and with it the word, so
they come with a new version of the image. A further type is an entry here, an operation of
``hw.elementwise.channel`` and its twin in ``sim.golden.model``; ``hw.elementwise.epilogue`` and the
compiler still count rows as an LSTM has them.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Row:
    """One row of a unit.

    function: of its sum (with bias and peephole), None: the sum itself. peephole: which cell state
    its peephole weight multiplies, that of the frame before or that of this one, if any.
    """

    name: str
    function: Literal["sigmoid", "tanh"] | None = None
    peephole: Literal["old", "new"] | None = None


@dataclass(frozen=True)
class CellType:
    """What the units of a tile are.

    kind: its number in the epilogue word, and its place in CELL_TYPES. state: the row with which
    the new cell state is complete, None: it has none. result: the row with which its result is.
    """

    kind: int
    name: str
    rows: tuple[Row, ...]
    state: int | None
    result: int

    @property
    def size(self) -> int:
        """Rows of a unit."""
        return len(self.rows)

    @property
    def peepholes(self) -> tuple[int, ...]:
        """The rows that may have a peephole."""
        return tuple(k for k, row in enumerate(self.rows) if row.peephole)

    @property
    def trails(self) -> bool:
        """Its last row reads the new cell state, and so is drained after the next units' rows."""
        return self.rows[-1].peephole == "new"


LINEAR = CellType(0, "linear", (Row("y"),), state=None, result=0)
"""Rows of a projection: y, the sum."""

LSTM = CellType(1, "LSTM", (Row("i", "sigmoid", "old"), Row("f", "sigmoid", "old"),
                            Row("g", "tanh"), Row("o", "sigmoid", "new")), state=2, result=3)
"""c = f·c' + i·g with row g, m = o·tanh(c) with row o."""

CELL_TYPES = (LINEAR, LSTM)
