"""The way back from a program's tiles to the matrices of a network; see :mod:`compile`."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.cells import LSTM
from ..contract.image import Image, LayerInfo
from ..contract.program import Epilogue, TileWeights
from .network import Layer, Network


def decompile(image: Image, epilogues: Sequence[Epilogue], tiles: Sequence[TileWeights],
              biases: NDArray[Any], peepholes: NDArray[Any]) -> Network:
    """The network of an image (inputs scaled by the manifest's exponents).

    epilogues, tiles: of its program, in order. biases, peepholes: (words of the param memory,).
    Weights are integers or real numbers, as the tiles' are.
    """
    todo = iter(zip(epilogues, tiles, strict=True))
    layers = [_layer(info, number, todo, biases, peepholes)
              for number, info in enumerate(image.manifest.layers)]
    return Network(tuple(layers), image.manifest.source, image.manifest.source_sha256)


def _layer(info: LayerInfo, number: int, todo: Iterator[tuple[Epilogue, TileWeights]],
           biases: NDArray[Any], peepholes: NDArray[Any]) -> Layer:
    outputs = info.projection or info.cells
    kind = biases.dtype
    by_cell = np.zeros((info.cells, LSTM.size, info.inputs + outputs), kind)
    bias, peephole = (np.zeros((info.cells, LSTM.size), kind) for _ in range(2))
    done = 0
    while done < info.cells:
        epilogue, tile = next(todo)
        part = slice(done, done + epilogue.count)
        params = slice(epilogue.param_base, epilogue.param_base + epilogue.rows)
        by_cell[part].reshape(epilogue.rows, -1)[tile.rows, tile.columns] = tile.weights
        bias[part] = biases[params].reshape(-1, LSTM.size)
        peephole[part] = peepholes[params].reshape(-1, LSTM.size)
        done += epilogue.count
    gates = by_cell.transpose(1, 0, 2).reshape(LSTM.size * info.cells, -1)
    first, second = np.split(gates, [info.inputs if number == 0 else outputs], axis=1)
    w_x, w_y = (first, second) if number == 0 else (second, first)
    w_m = np.zeros((info.projection, info.cells), kind) if info.projection else None
    done = 0
    while w_m is not None and done < info.projection:
        epilogue, tile = next(todo)
        w_m[done + tile.rows, tile.columns] = tile.weights
        done += epilogue.count
    return Layer(w_x, w_y, bias.T.ravel() if info.bias else None,
                 peephole.T[list(LSTM.peepholes)] if info.peepholes else None, w_m)
