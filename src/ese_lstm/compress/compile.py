"""From a network to a program of tiles: addresses, column order, sequence numbers.

A layer becomes gate tiles of ``config.cells_per_tile`` cells, then, with a projection, linear
tiles of ``config.rows_per_tile`` rows over the columns m. The first layer reads [x | y_prev];
a layer above it [y_prev | x], so that its recurrent columns fill the wait for the layer below.

| region of the activation buffer | copies | why |
|---|---|---|
| input x | 2 | the next frame arrives while this one is read |
| y of each layer | 2 | recurrent columns are the previous frame's |
| m of each projected layer | 1 | read by the same frame's linear tiles, which come next |
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.cells import LINEAR, LSTM
from ..contract.config import MAX_RESULTS, EngineConfig
from ..contract.errors import EseError
from ..contract.program import Epilogue, Program, Segment, TileWeights
from .network import Layer, Network


@dataclass(frozen=True)
class Compiled:
    """A program, the weights of its tiles and its param memory.

    tiles: one per epilogue. biases, peepholes: (words of the param memory,), word
    ``param_base + size·unit + row`` of a tile.
    Weights, biases and peepholes are integers, or real numbers if the network's are.
    """

    program: Program
    tiles: tuple[TileWeights, ...]
    biases: NDArray[Any]
    peepholes: NDArray[Any]
    cell_bases: tuple[int, ...]
    """First cell's address in the cell buffer, per layer."""


def compile_network(network: Network, config: EngineConfig,
                    shifts: Sequence[tuple[int, int]]) -> Compiled:
    """Compile a network whose weights are already in the tiles' units.

    shifts: per layer, the right shift of its gate tiles and of its linear tiles.
    Raises EseError naming the buffer that is too small and by how much.
    """
    program, cell_bases = place(network, config, shifts)
    tiles = tuple(tile for number, layer in enumerate(network.layers)
                  for tile in _tiles(layer, number, config))
    biases, peepholes = _params(network)
    return Compiled(program, tiles, biases, peepholes, cell_bases)


# Addresses and order ----------------------------------------------------------------------------


def place(network: Network, config: EngineConfig,
          shifts: Sequence[tuple[int, int]]) -> tuple[Program, tuple[int, ...]]:
    """The program of a network of this shape, and each layer's first cell address."""
    _check_fit(network, config)
    total = _results(network)
    inputs = network.inputs
    address, sequence, cell_base, param_base = 2 * inputs, 0, 0, 0
    segments: list[Segment] = []
    epilogues: list[Epilogue] = []
    layers: list[int] = []
    cell_bases = []
    below = Segment(0, inputs, inputs, 0, wait=False, recurrent=False, last=False)
    for number, (layer, (gate_shift, linear_shift)) in enumerate(
            zip(network.layers, shifts, strict=True)):
        final = number == len(network.layers) - 1
        m_base = address
        address += layer.cells if layer.projection else 0
        even, odd = address, address + layer.outputs
        address += 2 * layer.outputs
        m_first, y_first = sequence, sequence + (layer.cells if layer.projection else 0)
        recurrent = Segment(odd, even, layer.outputs, y_first + 1 - total,
                            wait=True, recurrent=True, last=False)
        columns = (below, recurrent) if number == 0 else (recurrent, below)
        cell_bases.append(cell_base)
        for first, count in _split(layer.cells, config.cells_per_tile):
            segments += [columns[0], _ending(columns[1])]
            done = final and not layer.projection
            epilogues.append(Epilogue(
                kind=LSTM.kind, count=count, shift=gate_shift,
                dest_even=(m_base if layer.projection else even) + first,
                dest_odd=(m_base if layer.projection else odd) + first,
                cell_base=cell_base + first, param_base=param_base, output=done,
                output_last=done and first + count == layer.cells))
            param_base += LSTM.size * count
        cell_base += layer.cells
        for first, count in _split(layer.projection, config.rows_per_tile):
            segments.append(Segment(m_base, m_base, layer.cells, m_first + 1,
                                    wait=True, recurrent=False, last=True))
            epilogues.append(Epilogue(
                kind=LINEAR.kind, count=count, shift=linear_shift, dest_even=even + first,
                dest_odd=odd + first, cell_base=0, param_base=param_base, output=final,
                output_last=final and first + count == layer.projection))
            param_base += count
        layers += [number] * (len(epilogues) - len(layers))
        sequence = y_first + layer.outputs
        below = Segment(even, odd, layer.outputs, y_first + 1,
                        wait=True, recurrent=False, last=False)
    return (Program(tuple(segments), tuple(epilogues), tuple(layers), 0, inputs, inputs),
            tuple(cell_bases))


def _ending(segment: Segment) -> Segment:
    return Segment(segment.base_even, segment.base_odd, segment.length, segment.need,
                   segment.wait, segment.recurrent, last=True)


def _split(total: int, size: int) -> Iterator[tuple[int, int]]:
    """First unit and count of each tile."""
    for first in range(0, total, size):
        yield first, min(size, total - first)


def _results(network: Network) -> int:
    return sum(layer.cells + layer.projection for layer in network.layers)


def _check_fit(network: Network, config: EngineConfig) -> None:
    gate_tiles = sum(-(-layer.cells // config.cells_per_tile) for layer in network.layers)
    linear_tiles = sum(-(-layer.projection // config.rows_per_tile) for layer in network.layers)
    cells = sum(layer.cells for layer in network.layers)
    needs = {
        "activation_depth": (
            2 * network.inputs + sum(2 * layer.outputs + (layer.cells if layer.projection else 0)
                                     for layer in network.layers),
            "activation buffer"),
        "cell_depth": (cells, "cell buffer"),
        "param_depth": (LSTM.size * cells + sum(layer.projection for layer in network.layers),
                        "bias and peephole memory"),
        "segment_depth": (2 * gate_tiles + linear_tiles, "segment memory"),
        "epilogue_depth": (gate_tiles + linear_tiles, "epilogue memory"),
    }
    for field, (need, buffer) in needs.items():
        require_room(field, buffer, need, getattr(config, field))
    if _results(network) > MAX_RESULTS:
        raise EseError(f"network: must write at most {MAX_RESULTS} results (cells and projected "
                       f"values) a frame, got {_results(network)}")


def require_room(field: str, buffer: str, need: int, have: int) -> None:
    """Raise EseError saying by how many words the network overflows a buffer."""
    if need > have:
        raise EseError(f"{field}: the {buffer} must hold {need} words for this network, but has "
                       f"{have}, {need - have} too few")


# Weights -----------------------------------------------------------------------------------------


def _tiles(layer: Layer, number: int, config: EngineConfig) -> Iterator[TileWeights]:
    parts = (layer.w_x, layer.w_y) if number == 0 else (layer.w_y, layer.w_x)
    gates = np.concatenate(parts, axis=1)
    by_cell = gates.reshape(LSTM.size, layer.cells, -1)
    for first, count in _split(layer.cells, config.cells_per_tile):
        rows = by_cell[:, first:first + count].transpose(1, 0, 2)
        yield coordinates(rows.reshape(LSTM.size * count, -1))
    if layer.w_m is not None:
        for first, count in _split(layer.projection, config.rows_per_tile):
            yield coordinates(layer.w_m[first:first + count])


def coordinates(matrix: NDArray[Any]) -> TileWeights:
    """The non-zero weights of a tile's matrix (rows, columns), by column, then row."""
    columns, rows = np.nonzero(matrix.T)
    return TileWeights(rows, columns, matrix[rows, columns])


def _params(network: Network) -> tuple[NDArray[Any], NDArray[Any]]:
    biases, peepholes = [], []
    for layer in network.layers:
        kind = layer.w_x.dtype
        bias = np.zeros(LSTM.size * layer.cells, kind) if layer.bias is None else layer.bias
        biases += [bias.reshape(LSTM.size, layer.cells).T.ravel(), np.zeros(layer.projection, kind)]
        peephole = np.zeros((layer.cells, LSTM.size), kind)
        if layer.peepholes is not None:
            peephole[:, LSTM.peepholes] = layer.peepholes.T
        peepholes += [peephole.ravel(), np.zeros(layer.projection, kind)]
    return np.concatenate(biases), np.concatenate(peepholes)
