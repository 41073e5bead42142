"""The golden model: one frame of all channels through the program, tile by tile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...contract.cells import LINEAR, LSTM
from ...contract.errors import EseError
from ...contract.program import Epilogue, Segment, TileWeights
from ..trace import Frame, Trace
from .arithmetic import Arithmetic, FloatArithmetic, IntegerArithmetic, Values
from .decode import DecodedModel


@dataclass(frozen=True)
class Saturations:
    """Values of active channels that were limited to their format, by kind.

    gate_input: pre-activations beyond ±8, where σ and tanh are flat, so it costs nothing.
    tanh_input: cell states beyond ±8 on their way into tanh, likewise. cell: cell states beyond
    their format. result: m and linear results beyond theirs.
    """

    gate_input: int = 0
    cell: int = 0
    tanh_input: int = 0
    result: int = 0

    def __add__(self, other: "Saturations") -> "Saturations":
        return Saturations(*(getattr(self, field.name) + getattr(other, field.name)
                             for field in fields(self)))


@dataclass(frozen=True)
class FrameResult(Frame):
    """A :class:`Frame` as computed. saturations: of its active channels."""

    saturations: Saturations


@dataclass(frozen=True)
class RunResult:
    """Several frames: outputs (frames, output_width, channels) and all their saturations."""

    outputs: Values
    saturations: Saturations


Observer = Callable[[int, str, Values, int], None]
"""Told tile, tensor (i, f, g, o, c, tanh_c, m, y), its values (rows, running channels), and how
many were limited: pre-activations for a gate, cell states on their way into tanh for tanh_c."""


class GoldenModel:
    """Executes a decoded model frame by frame; bit-exact twin of the engine.

    decoded: integers (from an image), or real numbers, which run with quantisers off.
    channels: at least 1; the configuration's without it. The public state ``activation``
    (activation_depth, channels), ``cells`` (cell_depth, channels) and ``frame`` (frames run) is
    the hardware's. ``observe`` may be set to an Observer of every tensor.
    """

    observe: Observer | None = None

    def __init__(self, decoded: DecodedModel, channels: int | None = None) -> None:
        self.decoded = decoded
        self.program = decoded.program
        self.channels = decoded.config.channels if channels is None else channels
        if self.channels < 1:
            raise EseError(f"channels: must be at least 1, got {self.channels}")
        exact = np.issubdtype(decoded.bias.dtype, np.integer)
        self.arithmetic: Arithmetic = (IntegerArithmetic(decoded.config) if exact
                                       else FloatArithmetic())
        dtype = self.arithmetic.dtype
        self._tiles = [
            _Tile(number, segments, epilogue, weights, decoded, dtype)
            for number, ((segments, epilogue), weights) in enumerate(
                zip(self.program.tiles(), decoded.tiles, strict=True))]
        self.reset()

    def reset(self) -> None:
        """State after the engine's reset: the next frame is number 0, a start for all channels."""
        config, dtype = self.decoded.config, self.arithmetic.dtype
        self.frame = 0
        self.activation: Values = np.zeros((config.activation_depth, self.channels), dtype)
        self.cells: Values = np.zeros((config.cell_depth, self.channels), dtype)

    def step(self, frame: NDArray[Any], active: ArrayLike | None = None,
             start: ArrayLike | None = None) -> FrameResult:
        """Run one frame.

        frame: (input_width, channels), integers of act_bits bits (real numbers with quantisers
        off). active: (channels,), all without it; the results and cell states of other channels
        become 0. start: (channels,), none without it; those channels read no past state.
        Raises EseError on shapes and values, and if an accumulator exceeds acc_bits.
        """
        width = self.program.input_width
        if frame.shape != (width, self.channels):
            raise EseError(f"frame: must have the shape (input_width, channels) = "
                           f"({width}, {self.channels}), got {frame.shape}")
        values = self.arithmetic.check_input(frame)
        running = np.flatnonzero(self._mask("active", active, True))
        starts = self._mask("start", start, False)
        if self.frame == 0:
            starts[:] = True
        parity = self.frame & 1
        base = self.program.input_odd if parity else self.program.input_even
        self.activation[base:base + width] = values
        saturations = Saturations()
        outputs, cells, results = [], [], []
        for tile in self._tiles:
            written = self._run_tile(tile, parity, running, starts[running])
            result_trace, cell_trace, counts = written
            results.append(result_trace)
            if cell_trace is not None:
                cells.append(cell_trace)
            if tile.epilogue.output:
                outputs.append(result_trace.values)
            saturations += counts
        self.frame += 1
        return FrameResult(self._join(outputs), self._trace(cells), self._trace(results),
                           saturations)

    def steps(self, frames: NDArray[Any], active: ArrayLike | None = None,
              start: ArrayLike | None = None) -> Iterator[FrameResult]:
        """:meth:`step` for frames (frames, input_width, channels) one after another; active,
        start: (frames, channels). Raises EseError for other shapes."""
        if frames.ndim != 3:
            raise EseError(f"frames: must have the shape (frames, input_width, channels), got "
                           f"{frames.shape}")
        masks = []
        for name, mask in (("active", active), ("start", start)):
            if mask is not None:
                mask = np.asarray(mask)
                if mask.shape != (len(frames), self.channels):
                    raise EseError(f"{name}: must have the shape (frames, channels) = "
                                   f"({len(frames)}, {self.channels}), got {mask.shape}")
            masks.append(mask)
        for number, frame in enumerate(frames):
            yield self.step(frame, *(None if mask is None else mask[number] for mask in masks))

    def run(self, frames: NDArray[Any], active: ArrayLike | None = None,
            start: ArrayLike | None = None) -> RunResult:
        """:meth:`steps`, with outputs and saturations of all frames together."""
        steps = list(self.steps(frames, active, start))
        outputs = (np.stack([step.outputs for step in steps]) if steps else
                   np.zeros((0, self.program.output_width, self.channels), self.arithmetic.dtype))
        return RunResult(outputs, sum((step.saturations for step in steps), Saturations()))

    def _mask(self, name: str, mask: ArrayLike | None, default: bool) -> NDArray[np.bool_]:
        if mask is None:
            return np.full(self.channels, default)
        values = np.array(mask)
        if values.shape != (self.channels,) or values.dtype != np.bool_:
            raise EseError(f"{name}: must be {self.channels} booleans, got {values.dtype} of shape "
                           f"{values.shape}")
        return values

    def _run_tile(self, tile: "_Tile", parity: int, running: NDArray[np.int64],
                  starts: NDArray[np.bool_]) -> tuple[Trace, Trace | None, Saturations]:
        """Accumulate and finish one tile for the running channels; zeros for the others."""
        columns = self.activation[tile.addresses[parity][:, None], running]
        columns[np.ix_(tile.recurrent, np.flatnonzero(starts))] = 0
        acc = tile.accumulate(columns)
        bad = self.arithmetic.check_accumulators(acc)
        if bad is not None:
            raise EseError(f"accumulator: tile {tile.number} row {bad[0]} channel "
                           f"{running[bad[1]]} must fit acc_bits={self.decoded.config.acc_bits}, "
                           f"got {acc[bad]}")
        epilogue = tile.epilogue
        finish = _FINISH[epilogue.cell]
        cells = None
        if epilogue.cell.state is None:
            _, result, counts = finish(self, tile, acc, acc[:0])
        else:
            where = slice(epilogue.cell_base, epilogue.cell_base + epilogue.count)
            before = self.cells[where][:, running]
            before[:, starts] = 0
            state, result, counts = finish(self, tile, acc, before)
            self.cells[where] = self._spread(state, running)
            cells = Trace(np.arange(where.start, where.stop), self.cells[where].copy())
        dest = epilogue.dest_odd if parity else epilogue.dest_even
        values = self._spread(result, running)
        self.activation[dest:dest + epilogue.count] = values
        return Trace(np.arange(dest, dest + epilogue.count), values), cells, counts

    def _finish_linear(self, tile: "_Tile", acc: Values, before: Values
                       ) -> tuple[Values, Values, Saturations]:
        """No cell states, and y, (rows, running channels)."""
        result, saturated = self.arithmetic.linear(acc + tile.bias, tile.epilogue.shift)
        if self.observe is not None:
            self.observe(tile.number, "y", result, saturated)
        return before, result, Saturations(result=saturated)

    def _finish_lstm(self, tile: "_Tile", acc: Values, before: Values
                     ) -> tuple[Values, Values, Saturations]:
        """New cell states and m, each (cells, running channels)."""
        arithmetic, shift = self.arithmetic, tile.epilogue.shift
        totals = (acc + tile.bias).reshape(len(before), LSTM.size, -1)
        peephole = tile.peephole

        def gate(number: int, state: Values) -> tuple[Values, int]:
            row, total = LSTM.rows[number], totals[:, number]
            if row.peephole:
                total = total + peephole[:, number] * state
            value, saturated = arithmetic.gate_input(total, shift)
            function = arithmetic.tanh if row.function == "tanh" else arithmetic.sigmoid
            return function(value), saturated

        (i, count_i), (f, count_f), (g, count_g) = (gate(number, before) for number in range(3))
        state, count_cell = arithmetic.cell(f, before, i, g)
        o, count_o = gate(3, state)
        level, count_level = arithmetic.tanh_input(state)
        level = arithmetic.tanh(level)
        result, count_result = arithmetic.hidden(o, level)
        if self.observe is not None:
            for name, values, saturated in (
                    ("i", i, count_i), ("f", f, count_f), ("g", g, count_g), ("o", o, count_o),
                    ("c", state, count_cell), ("tanh_c", level, count_level),
                    ("m", result, count_result)):
                self.observe(tile.number, name, values, saturated)
        return state, result, Saturations(count_i + count_f + count_g + count_o, count_cell,
                                          count_level, count_result)

    def _spread(self, values: Values, running: NDArray[np.int64]) -> Values:
        spread = np.zeros((len(values), self.channels), self.arithmetic.dtype)
        spread[:, running] = values
        return spread

    def _join(self, parts: list[Values]) -> Values:
        empty = np.zeros((0, self.channels), self.arithmetic.dtype)
        return np.concatenate([empty, *parts])

    def _trace(self, parts: list[Trace]) -> Trace:
        none = np.zeros(0, dtype=np.int64)
        return Trace(np.concatenate([none, *(part.addresses for part in parts)]),
                     self._join([part.values for part in parts]))


_FINISH = {LINEAR: GoldenModel._finish_linear, LSTM: GoldenModel._finish_lstm}
"""What each cell type makes of a tile's accumulators and the cell states before."""


class _Tile:
    """One tile, arranged for whole-array arithmetic.

    Weights are stored as jagged diagonals: rows ordered by falling number of weights, diagonal d
    holding the d-th weight of every row that has one. Each diagonal is one gather, one multiply
    and one add over (rows, channels), small enough to stay in cache.
    """

    def __init__(self, number: int, segments: tuple[Segment, ...], epilogue: Epilogue,
                 weights: TileWeights, decoded: DecodedModel, dtype: type[Any]) -> None:
        self.number = number
        self.epilogue = epilogue
        self.addresses = tuple(np.concatenate(
            [base + np.arange(segment.length) for base, segment in zip(bases, segments,
                                                                       strict=True)])
            for bases in ([s.base_even for s in segments], [s.base_odd for s in segments]))
        self.recurrent = np.flatnonzero(np.repeat(
            [segment.recurrent for segment in segments],
            [segment.length for segment in segments]))
        params = slice(epilogue.param_base, epilogue.param_base + epilogue.rows)
        self.bias = decoded.bias[params].astype(dtype)[:, None]
        self.peephole = decoded.peephole[params].astype(dtype).reshape(
            -1, epilogue.cell.size, 1)
        self._arrange(weights, epilogue.rows, dtype)

    def _arrange(self, weights: TileWeights, rows: int, dtype: type[Any]) -> None:
        by_row = np.argsort(weights.rows, kind="stable")
        counts = np.bincount(weights.rows, minlength=rows)
        starts = np.cumsum(counts) - counts
        self._order = np.argsort(-counts, kind="stable")
        counts, starts = counts[self._order], starts[self._order]
        self._diagonals = []
        for diagonal in range(int(counts[0])):
            entries = by_row[starts[:np.count_nonzero(counts > diagonal)] + diagonal]
            self._diagonals.append((weights.columns[entries],
                                    weights.weights[entries].astype(dtype)[:, None]))

    def accumulate(self, columns: Values) -> Values:
        """Accumulators (rows, channels) from columns (columns, channels)."""
        total = np.zeros((len(self._order), columns.shape[1]), columns.dtype)
        products = np.empty_like(total)
        for sources, weights in self._diagonals:
            part = products[:len(sources)]
            np.take(columns, sources, axis=0, out=part, mode="clip")
            part *= weights
            total[:len(sources)] += part
        acc = np.empty_like(total)
        acc[self._order] = total
        return acc
