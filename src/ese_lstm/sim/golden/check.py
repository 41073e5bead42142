"""Checks that a program can run: addresses inside the buffers, nothing read before it is written.

The hardware trusts its program; a wrong ``need`` there would be a race or a deadlock.
"""

import numpy as np

from ...contract.config import MAX_RESULTS, EngineConfig
from ...contract.errors import EseError
from ...contract.program import Program

_NEVER = -(1 << 40)
_INPUT = -(1 << 41)


def check_program(program: Program, config: EngineConfig, params: int) -> None:
    """Raise EseError naming segment, tile or epilogue if a rule is broken; ``params``: words of
    the param memory that the model fills."""
    _check_tiles(program, config, params)
    _check_regions(program, config)
    for parity in range(2):
        _check_order(program, config, parity)


def _check_tiles(program: Program, config: EngineConfig, params: int) -> None:
    tiles = sum(segment.last for segment in program.segments)
    if tiles != len(program.epilogues) or not program.segments[-1].last:
        raise EseError(f"image.segments: last must mark as many tiles as there are epilogues "
                       f"({len(program.epilogues)}), got {tiles}")
    if params > config.param_depth:
        raise EseError(f"image.params: must fit param_depth={config.param_depth}, got {params}")
    if not 1 <= program.results <= MAX_RESULTS:
        raise EseError(f"image.header: results must be 1 to {MAX_RESULTS}, got {program.results}")
    outputs = [tile for tile, epilogue in enumerate(program.epilogues) if epilogue.output]
    last = [tile for tile, epilogue in enumerate(program.epilogues) if epilogue.output_last]
    if not outputs or last != outputs[-1:]:
        raise EseError(f"image.epilogues: output_last must mark the last tile with output, got "
                       f"tiles {last} of {outputs}")
    for tile, epilogue in enumerate(program.epilogues):
        _within(f"epilogues: tile {tile} count", 1, epilogue.count,
                config.units_per_tile(epilogue.cell))
        _within(f"epilogues: tile {tile} end of params", 1,
                epilogue.param_base + epilogue.rows, params)


def _check_regions(program: Program, config: EngineConfig) -> None:
    depth = config.activation_depth
    _within("header: input_width", 1, program.input_width, depth)
    inputs = np.zeros(depth, dtype=bool)
    for base in (program.input_even, program.input_odd):
        _within("header: end of input", 1, base + program.input_width, depth)
        if inputs[base:base + program.input_width].any():
            raise EseError(f"image.header: input_even and input_odd must be apart by input_width="
                           f"{program.input_width}, got {program.input_even} and "
                           f"{program.input_odd}")
        inputs[base:base + program.input_width] = True
    for number, segment in enumerate(program.segments):
        _within(f"segments: segment {number} length", 1, segment.length, depth)
        for base in (segment.base_even, segment.base_odd):
            _within(f"segments: segment {number} end", 1, base + segment.length, depth)
    cells = np.full(config.cell_depth, -1)
    for tile, epilogue in enumerate(program.epilogues):
        for base in (epilogue.dest_even, epilogue.dest_odd):
            _within(f"epilogues: tile {tile} end of results", 1, base + epilogue.count, depth)
            if inputs[base:base + epilogue.count].any():
                raise EseError(f"image.epilogues: tile {tile} results must be outside the input "
                               f"regions, got address {base}")
        if epilogue.cell.state is not None:
            end = epilogue.cell_base + epilogue.count
            _within(f"epilogues: tile {tile} end of cells", 1, end, config.cell_depth)
            taken = cells[epilogue.cell_base:end].max()
            if taken >= 0:
                raise EseError(f"image.epilogues: tile {tile} cells must be its own, got cells of "
                               f"tile {taken} at cell_base={epilogue.cell_base}")
            cells[epilogue.cell_base:end] = tile


def _within(what: str, low: int, value: int, high: int) -> None:
    if not low <= value <= high:
        raise EseError(f"image.{what} must be {low} to {high}, got {value}")


def _check_order(program: Program, config: EngineConfig, parity: int) -> None:
    """Every column waits for the result that it reads, and for none that comes after its tile.

    ``written[a]``: sequence number in the frame of the result at address a when a tile reads it,
    0 and below for results of the frame before.
    """
    total = program.results
    written = np.full(config.activation_depth, _NEVER)
    for frame in (1 - parity, parity):
        base = program.input_odd if frame else program.input_even
        other = program.input_even if frame else program.input_odd
        written[other:other + program.input_width] = _NEVER
        written[base:base + program.input_width] = _INPUT
        written[written > _NEVER] -= total
        done = number = 0
        for tile, (segments, epilogue) in enumerate(program.tiles()):
            for segment in segments:
                if frame == parity:
                    start = segment.base_odd if frame else segment.base_even
                    _check_segment(f"image.segments: segment {number} (tile {tile})",
                                   written[start:start + segment.length], segment.need,
                                   segment.wait, segment.recurrent, done)
                number += 1
            dest = epilogue.dest_odd if frame else epilogue.dest_even
            written[dest:dest + epilogue.count] = done + 1 + np.arange(epilogue.count)
            done += epilogue.count


def _check_segment(name: str, written: np.ndarray, need: int, wait: bool, recurrent: bool,
                   done: int) -> None:
    if (written == _NEVER).any():
        column = int(np.flatnonzero(written == _NEVER)[0])
        raise EseError(f"{name}: must read inputs or results of this frame or the one before, "
                       f"but column {column} reads neither")
    results = written > _NEVER
    if results.any() and not wait:
        raise EseError(f"{name}: wait must be 1, because it reads results")
    reached = need + np.arange(len(written))
    early = results & (reached < written)
    if early.any():
        column = int(np.flatnonzero(early)[0])
        raise EseError(f"{name}: need must let column {column} wait for result "
                       f"{int(written[column])}, got {need}")
    if wait and reached[-1] > done:
        raise EseError(f"{name}: need must not exceed the {done} results of earlier tiles at its "
                       f"last column, got {need} + {len(written) - 1}")
    previous = results & (written <= 0)
    if (previous != recurrent).any():
        raise EseError(f"{name}: recurrent must be {int(not recurrent)}, because column "
                       f"{int(np.flatnonzero(previous != recurrent)[0])} reads "
                       f"{'the frame before' if not recurrent else 'this frame'}")
