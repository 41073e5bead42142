"""Small random networks, their program and an encoder of images, independent of compress."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ese_lstm.contract.cells import LINEAR, LSTM
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.image import (
    Image,
    LayerInfo,
    Manifest,
    checksum,
    section_layouts,
    split_words,
)
from ese_lstm.contract.program import Epilogue, Program, Segment, TileWeights


@dataclass
class Layer:
    """One LSTM layer; gates i, f, g, o. Arrays of integers or of real numbers."""

    wx: np.ndarray
    """(4, cells, inputs)"""
    wr: np.ndarray
    """(4, cells, outputs)"""
    bias: np.ndarray
    """(4, cells)"""
    peephole: np.ndarray
    """(4, cells); 0 for g"""
    shift: int
    wp: np.ndarray | None = None
    """(projection, cells)"""
    bias_p: np.ndarray | None = None
    shift_p: int = 0

    @property
    def cells(self) -> int:
        return int(self.wx.shape[1])

    @property
    def outputs(self) -> int:
        return self.cells if self.wp is None else len(self.wp)


def random_layers(rng: np.random.Generator, config: EngineConfig, inputs: int,
                  sizes: list[tuple[int, int]], density: float, peepholes: bool) -> list[Layer]:
    """Integer layers (cells, projection or 0) with empty rows, empty columns and edge weights;
    every row sums to less than an accumulator."""
    limit = 1 << (config.weight_bits - 1)

    def matrix(rows: int, columns: int) -> np.ndarray:
        weights = rng.integers(-limit, limit, (rows, columns))
        edge = rng.random((rows, columns)) < 0.1
        weights = np.where(edge, rng.choice([-limit, limit - 1, 1, -1], (rows, columns)), weights)
        weights = np.where(rng.random((rows, columns)) < density, weights, 0)
        weights[rng.random(rows) < 0.1] = 0
        weights[:, rng.random(columns) < 0.1] = 0
        room = (1 << (config.acc_bits - config.act_bits)) - 1
        while (np.abs(weights).sum(axis=1) > room).any():
            weights = np.where(np.abs(weights).sum(axis=1)[:, None] > room, weights // 2, weights)
        return weights

    layers = []
    for cells, projection in sizes:
        outputs = projection or cells
        gates = matrix(4 * cells, inputs + outputs).reshape(4, cells, -1)
        shift = int(rng.integers(9, 15))
        top = 1 << min(int(rng.integers(shift + 8, shift + 14)), config.acc_bits - 1)
        peephole = np.zeros((4, cells), dtype=np.int64)
        if peepholes:
            edge = 1 << (config.peephole_bits - 1)
            peephole = rng.integers(-edge, edge, (4, cells)) >> int(rng.integers(0, 8))
            peephole[2] = 0
        layer = Layer(gates[:, :, :inputs], gates[:, :, inputs:],
                      rng.integers(-top, top, (4, cells)), peephole, shift)
        if projection:
            layer.wp = matrix(projection, cells)
            layer.bias_p = rng.integers(-1 << 14, 1 << 14, projection)
            layer.shift_p = int(rng.integers(9, 13))
        layers.append(layer)
        inputs = outputs
    return layers


def build(config: EngineConfig, layers: list[Layer]
          ) -> tuple[Program, list[TileWeights], np.ndarray, np.ndarray]:
    """The program of a stack, its tiles' weights, biases and peepholes."""
    width = layers[0].wx.shape[2]
    free = 2 * width
    results = sum(layer.cells + (0 if layer.wp is None else layer.outputs) for layer in layers)
    source, source_need, source_wait = (0, width), 0, False
    segments: list[Segment] = []
    epilogues: list[Epilogue] = []
    of_layer: list[int] = []
    tiles: list[TileWeights] = []
    bias: list[np.ndarray] = []
    peephole: list[np.ndarray] = []
    done = cell_base = param_base = 0

    def add_tile(parts: list[Segment], dense: np.ndarray, biases: np.ndarray,
                 peepholes: np.ndarray, epilogue: Epilogue) -> None:
        nonlocal param_base
        segments.extend(parts[:-1])
        last = parts[-1]
        segments.append(Segment(last.base_even, last.base_odd, last.length, last.need, last.wait,
                                last.recurrent, True))
        epilogues.append(epilogue)
        columns, rows = np.nonzero(dense.T)
        tiles.append(TileWeights(rows, columns, dense[rows, columns]))
        bias.append(biases)
        peephole.append(peepholes)
        param_base += len(biases)

    for number, layer in enumerate(layers):
        top = number == len(layers) - 1
        m = free
        free += 0 if layer.wp is None else layer.cells
        dest = (free, free + layer.outputs)
        free += 2 * layer.outputs
        m_dest = dest if layer.wp is None else (m, m)
        m_first = done
        y_first = m_first + (0 if layer.wp is None else layer.cells)
        x_part = Segment(*source, layer.wx.shape[2], source_need, source_wait, False, False)
        y_part = Segment(dest[1], dest[0], layer.outputs, y_first + 1 - results, True, True, False)
        parts = [x_part, y_part] if number == 0 else [y_part, x_part]
        gates = np.concatenate([layer.wx, layer.wr] if number == 0 else [layer.wr, layer.wx], 2)
        for first in range(0, layer.cells, config.cells_per_tile):
            cells = slice(first, min(first + config.cells_per_tile, layer.cells))
            count = cells.stop - first
            output = top and layer.wp is None
            add_tile(parts, gates[:, cells].transpose(1, 0, 2).reshape(4 * count, -1),
                     layer.bias[:, cells].T.reshape(-1), layer.peephole[:, cells].T.reshape(-1),
                     Epilogue(LSTM.kind, count, layer.shift, m_dest[0] + first, m_dest[1] + first,
                              cell_base + first, param_base, output,
                              output and cells.stop == layer.cells))
            done += count
        cell_base += layer.cells
        if layer.wp is not None:
            assert layer.bias_p is not None
            part = Segment(m, m, layer.cells, m_first + 1, True, False, False)
            for first in range(0, layer.outputs, config.rows_per_tile):
                rows = slice(first, min(first + config.rows_per_tile, layer.outputs))
                add_tile([part], layer.wp[rows], layer.bias_p[rows],
                         np.zeros_like(layer.bias_p[rows]),
                         Epilogue(LINEAR.kind, rows.stop - first, layer.shift_p, dest[0] + first,
                                  dest[1] + first, 0, param_base, top,
                                  top and rows.stop == layer.outputs))
                done += rows.stop - first
        of_layer += [number] * (len(epilogues) - len(of_layer))
        source, source_need, source_wait = dest, y_first + 1, True
    assert done == results and free <= config.activation_depth
    program = Program(tuple(segments), tuple(epilogues), tuple(of_layer), 0, width, width)
    return program, tiles, np.concatenate(bias), np.concatenate(peephole)


def lane_entries(config: EngineConfig, program: Program, tiles: list[TileWeights], lane: int
                 ) -> list[list[list[tuple[int, int]]]]:
    """(weight, index) of one lane's entries by tile and column, fillers and nulls included."""
    stream = []
    for (segments, epilogue), tile in zip(program.tiles(), tiles, strict=True):
        columns: list[list[tuple[int, int]]] = [
            [] for _ in range(sum(segment.length for segment in segments))]
        group = epilogue.cell.size
        for row, column, weight in zip(tile.rows.tolist(), tile.columns.tolist(),
                                       tile.weights.tolist(), strict=True):
            unit, gate = divmod(row, group)
            if unit % config.lanes == lane:
                columns[column].append((weight, unit // config.lanes * group + gate))
        for column, entries in enumerate(columns):
            assert entries == sorted(entries, key=lambda entry: entry[1])
            if config.index_mode == "relative4":
                packed, at = [], -1
                for weight, row in entries:
                    while row - at - 1 > 15:
                        packed.append((0, 15))
                        at += 16
                    packed.append((weight, row - at - 1))
                    at = row
                columns[column] = packed
            columns[column] = columns[column] or [(0, 0)]
        stream.append(columns)
    return stream


def encode(config: EngineConfig, program: Program, tiles: list[TileWeights], bias: np.ndarray,
           peephole: np.ndarray) -> Image:
    """A packed image."""
    layouts = section_layouts(config)
    count = len(program.segments)
    words: dict[str, list[int]] = {
        "header": [layouts["header"].pack({
            "input_even": program.input_even, "input_odd": program.input_odd,
            "input_width": program.input_width, "results": program.results})],
        "segments": [layouts["segments"].pack(segment.fields(config, end=number == count - 1))
                     for number, segment in enumerate(program.segments)],
        "epilogues": [layouts["epilogues"].pack(
            {**vars(epilogue), "end": number == len(program.epilogues) - 1})
            for number, epilogue in enumerate(program.epilogues)],
        "params": [layouts["params"].pack({"bias": int(b), "peephole": int(p)})
                   for b, p in zip(bias, peephole, strict=True)]}
    entries, lengths = [], []
    for lane in range(config.lanes):
        before = len(entries)
        for columns in lane_entries(config, program, tiles, lane):
            for column in columns:
                for position, (weight, index) in enumerate(column):
                    entries.append(layouts["entries"].pack({
                        "weight": weight, "index": index, "last": position == len(column) - 1}))
        lengths.append(len(entries) - before)
    sections = {name: split_words(rows, layouts[name]) for name, rows in words.items()}
    sections["entries"] = np.array(entries, dtype=np.uint32)
    sections["lane_lengths"] = np.array(lengths, dtype=np.uint32)
    cells = [sum(epilogue.count for epilogue, layer in zip(program.epilogues, program.layers,
                                                           strict=True)
                 if layer == number and epilogue.cell is LSTM)
             for number in range(program.layers[-1] + 1)]
    layers = tuple(LayerInfo(inputs=program.input_width, cells=count, projection=0,
                             peepholes=False, bias=True, input_frac=0, output_frac=0,
                             gate_weight_frac=(0, 0), projection_weight_frac=0, cell_base=0)
                   for count in cells)
    manifest = Manifest(
        config=config.model_dump(), source="test", source_sha256="", command="test",
        layers=layers, matrices=(), input_exponents=(0,) * program.input_width,
        entries=len(entries), null_entries=0, filler_entries=0,
        published_fillers=0, dense_weights=0,
        sections={name: checksum(part) for name, part in sections.items()})
    return Image(manifest, config, sections)


@pytest.fixture(scope="session")
def nets() -> Any:
    """The functions of this file (test files cannot import each other)."""
    return SimpleNamespace(Layer=Layer, random_layers=random_layers, build=build, encode=encode,
                           lane_entries=lane_entries)
