"""The golden model against a loop over layers, cells and weights, in Python integers."""

import time
from collections import Counter
from typing import Any

import numpy as np
import pytest

from ese_lstm.contract.cells import LSTM
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.program import Epilogue, Program, Segment, TileWeights
from ese_lstm.contract.tables import activation_table
from ese_lstm.sim.golden.decode import DecodedModel, decode_image
from ese_lstm.sim.golden.model import GoldenModel

CONFIG = EngineConfig(lanes=3, channels=2, acc_rows=8, activation_depth=256, cell_depth=64,
                      param_depth=512, stream_depth=4096)


class Naive:
    """The LSTM equations, one layer after the other; no tiles, no arrays."""

    def __init__(self, config: EngineConfig, layers: list[Any], channels: int) -> None:
        self.config, self.layers = config, layers
        self.table = activation_table(config)
        self.channels = channels
        self.y = [[[0] * layer.outputs for layer in layers] for _ in range(channels)]
        self.c = [[[0] * layer.cells for layer in layers] for _ in range(channels)]
        self.frame = 0
        self.counts: Counter[str] = Counter()

    def limited(self, kind: str, value: int, shift: int, bits: int) -> int:
        value = (value + (1 << shift) // 2) >> shift if shift else value
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        self.counts[kind] += not low <= value <= high
        return min(max(value, low), high)

    def curve(self, function: int, x: int) -> int:
        one = 1 << (self.config.act_bits - 1)
        a = min(abs(x), one - 1)
        index, rest = a >> self.table.rest_bits, a & ((1 << self.table.rest_bits) - 1)
        half = (1 << self.table.rest_bits) // 2
        v = self.table.base[function][index] + (
            (self.table.slope[function][index] * rest + half) >> self.table.rest_bits)
        return v if x >= 0 else (-v if function else one - v)

    def step(self, frame: list[list[int]], active: list[bool], start: list[bool]
             ) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
        """outputs, cells, results of the frame, each a list a channel."""
        outputs, cells, results = [], [], []
        for channel in range(self.channels):
            fresh = start[channel] or self.frame == 0
            x = frame[channel]
            all_cells: list[int] = []
            all_results: list[int] = []
            for number, layer in enumerate(self.layers):
                if not active[channel]:
                    c, m = [0] * layer.cells, [0] * layer.cells
                    y = m if layer.wp is None else [0] * layer.outputs
                else:
                    y_prev = [0] * layer.outputs if fresh else self.y[channel][number]
                    c_prev = [0] * layer.cells if fresh else self.c[channel][number]
                    c, m = self.cells(layer, x, y_prev, c_prev)
                    y = m if layer.wp is None else self.project(layer, m)
                self.y[channel][number], self.c[channel][number] = y, c
                all_cells += c
                all_results += m if layer.wp is None else m + y
                x = y
            outputs.append(x)
            cells.append(all_cells)
            results.append(all_results)
        self.frame += 1
        return outputs, cells, results

    def cells(self, layer: Any, x: list[int], y_prev: list[int], c_prev: list[int]
              ) -> tuple[list[int], list[int]]:
        bits, frac = self.config.act_bits, self.config.cell_frac
        states, hidden = [], []
        for k in range(layer.cells):
            def gate(number: int, c: int, k: int = k) -> int:
                total = int(layer.bias[number, k]) + int(layer.peephole[number, k]) * c
                for j, value in enumerate(x):
                    total += int(layer.wx[number, k, j]) * value
                for j, value in enumerate(y_prev):
                    total += int(layer.wr[number, k, j]) * value
                return self.limited("gate_input", total, layer.shift, bits)

            i, f = self.curve(0, gate(0, c_prev[k])), self.curve(0, gate(1, c_prev[k]))
            g = self.curve(1, gate(2, 0))
            common = max(bits - 1 + frac, 2 * (bits - 1))
            total = ((f * c_prev[k] << (common - (bits - 1) - frac))
                     + (i * g << (common - 2 * (bits - 1))))
            c = self.limited("cell", total, common - frac, self.config.cell_bits)
            o = self.curve(0, gate(3, c))
            level = self.limited("tanh_input", c, frac - (bits - 4), bits)
            states.append(c)
            hidden.append(self.limited("result", o * self.curve(1, level), bits - 1, bits))
        return states, hidden

    def project(self, layer: Any, m: list[int]) -> list[int]:
        rows = []
        for row in range(layer.outputs):
            total = int(layer.bias_p[row])
            for k, value in enumerate(m):
                total += int(layer.wp[row, k]) * value
            rows.append(self.limited("result", total, layer.shift_p, self.config.act_bits))
        return rows


CASES = [
    # inputs, (cells, projection) a layer, density, peepholes, changes of the configuration
    (5, [(13, 0)], 0.4, False, {}),
    (5, [(13, 7)], 0.4, True, {}),
    (4, [(7, 0), (8, 5), (3, 0)], 0.5, True, {}),
    (3, [(9, 29)], 0.6, True, {"index_mode": "relative4"}),
    (6, [(20, 4), (6, 0)], 0.2, False, {"lanes": 1, "acc_rows": 64, "index_mode": "relative4"}),
    (1, [(1, 0)], 1.0, True, {"lanes": 4, "channels": 1}),
    (4, [(6, 3)], 0.0, True, {}),
    (5, [(10, 6)], 0.7, True, {"act_bits": 8, "cell_bits": 12, "cell_frac": 4, "weight_bits": 4,
                               "acc_bits": 16, "peephole_bits": 6}),
    (5, [(6, 4)], 0.5, True, {"act_bits": 18, "cell_bits": 27, "cell_frac": 23, "weight_bits": 18,
                              "acc_bits": 48}),
    (5, [(6, 4)], 0.5, True, {"act_bits": 18, "cell_frac": 14}),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_bit_exact_with_the_naive_loop(case: int, nets: Any, seed: int) -> None:
    inputs, sizes, density, peepholes, changes = CASES[case]
    config = CONFIG.replace(**changes)
    rng = np.random.default_rng([seed, case])
    layers = nets.random_layers(rng, config, inputs, sizes, density, peepholes)
    program, tiles, bias, peephole = nets.build(config, layers)
    golden = GoldenModel(decode_image(nets.encode(config, program, tiles, bias, peephole)))
    naive = Naive(config, layers, config.channels)
    compare(config, program, golden, naive, rng, 6, 0.8, 0.2)


def test_every_saturation_is_counted(nets: Any, seed: int) -> None:
    """Open gates let |c| grow by almost 1 a frame, beyond ±8 in a 20-bit cell state."""
    config = CONFIG.replace(cell_bits=20)
    rng = np.random.default_rng(seed)
    layers = nets.random_layers(rng, config, 4, [(7, 6)], 0.9, False)
    layers[0].bias[:3] = 1 << 30
    layers[0].bias[2, 1::2] = -1 << 30
    layers[0].shift, layers[0].shift_p = 12, 8
    program, tiles, bias, peephole = nets.build(config, layers)
    golden = GoldenModel(decode_image(nets.encode(config, program, tiles, bias, peephole)))
    naive = Naive(config, layers, config.channels)
    counts = compare(config, program, golden, naive, rng, 24, 1.0, 0.0)
    assert all(counts[kind] > 0 for kind in ("gate_input", "cell", "tanh_input", "result")), counts


def compare(config: EngineConfig, program: Any, golden: GoldenModel, naive: Naive,
            rng: np.random.Generator, frames: int, active_share: float, start_share: float
            ) -> Counter[str]:
    """Run both on random frames, compare every value, count and address; the counts."""
    top = 1 << (config.act_bits - 1)
    inputs = program.input_width
    compared = 0
    counts: Counter[str] = Counter()
    for number in range(frames):
        frame = rng.integers(-top, top, (inputs, config.channels))
        frame = np.where(rng.random(frame.shape) < 0.2, rng.choice([-top, top - 1], frame.shape),
                         frame)
        active = rng.random(config.channels) < active_share
        start = rng.random(config.channels) < start_share
        got = golden.step(frame, active, start)
        outputs, cells, results = naive.step(frame.T.tolist(), active.tolist(), start.tolist())
        for values, want in ((got.outputs, outputs), (got.trace_cell.values, cells),
                             (got.trace_result.values, results)):
            np.testing.assert_array_equal(values, np.array(want).T, err_msg=f"frame {number}")
            compared += values.size
        counts.update(vars(got.saturations))
        assert_addresses(program, number, got)
    assert dict(counts) == {kind: naive.counts[kind] for kind in counts}
    assert compared >= frames * 3 * config.channels
    print(f"{compared} values, saturations {dict(counts)}")
    return counts


def assert_addresses(program: Any, frame: int, got: Any) -> None:
    results: list[int] = []
    cells: list[int] = []
    for epilogue in program.epilogues:
        base = epilogue.dest_odd if frame % 2 else epilogue.dest_even
        results += range(base, base + epilogue.count)
        if epilogue.cell is LSTM:
            cells += range(epilogue.cell_base, epilogue.cell_base + epilogue.count)
    assert got.trace_result.addresses.tolist() == results
    assert got.trace_cell.addresses.tolist() == cells


@pytest.fixture
def small(nets: Any) -> tuple[Any, DecodedModel]:
    layers = nets.random_layers(np.random.default_rng(3), CONFIG, 5, [(7, 4)], 0.6, True)
    program, tiles, bias, peephole = nets.build(CONFIG, layers)
    image = nets.encode(CONFIG, program, tiles, bias, peephole)
    return image, decode_image(image)


def frames_of(count: int, channels: int = 2, width: int = 5) -> np.ndarray:
    return np.random.default_rng(4).integers(-32768, 32768, (count, width, channels))


def test_start_equals_a_fresh_model_and_leaves_others_alone(small: Any) -> None:
    frames = frames_of(6)
    start = np.zeros((6, 2), dtype=bool)
    start[3, 1] = True
    model = GoldenModel(small[1])
    outputs = model.run(frames, start=start).outputs
    fresh = GoldenModel(small[1])
    undisturbed = fresh.run(frames).outputs
    fresh.reset()
    later = fresh.run(frames[3:]).outputs
    np.testing.assert_array_equal(outputs[:, :, 0], undisturbed[:, :, 0])
    np.testing.assert_array_equal(outputs[3:, :, 1], later[:, :, 1])
    assert (outputs[3:, :, 1] != undisturbed[3:, :, 1]).any()


def test_inactive_channel_writes_zeros_and_starts_over(small: Any) -> None:
    frames = frames_of(6)
    active = np.ones((6, 2), dtype=bool)
    active[2, 0] = False
    model = GoldenModel(small[1])
    steps = [model.step(frame, mask) for frame, mask in zip(frames, active, strict=True)]
    for trace in (steps[2].trace_cell, steps[2].trace_result):
        assert not trace.values[:, 0].any() and trace.values[:, 1].any()
    fresh = GoldenModel(small[1])
    later = fresh.run(frames[3:]).outputs
    for number in range(3):
        np.testing.assert_array_equal(steps[3 + number].outputs[:, 0], later[number, :, 0])
    model.step(frames[0], np.zeros(2, dtype=bool))
    assert not model.cells.any()


def test_inactive_channels_are_not_counted(small: Any) -> None:
    frames = np.full((2, 5, 2), 32767)
    active = np.array([[True, False]] * 2)
    one = GoldenModel(small[1], channels=1).run(frames[:, :, :1]).saturations
    both = GoldenModel(small[1]).run(frames).saturations
    assert GoldenModel(small[1]).run(frames, active=active).saturations == one
    assert both == one + one
    assert both.gate_input > 0


def test_reset_and_run(small: Any) -> None:
    frames = frames_of(5)
    model = GoldenModel(small[1])
    first = model.run(frames)
    assert model.frame == 5 and first.outputs.shape == (5, 4, 2)
    model.reset()
    np.testing.assert_array_equal(model.run(frames).outputs, first.outputs)
    assert model.run(frames[:0]).outputs.shape == (0, 4, 2)


def test_one_flipped_weight_bit_is_seen(small: Any) -> None:
    image, decoded = small
    frames = frames_of(3)
    want = GoldenModel(decoded).run(frames).outputs
    last_weight = np.flatnonzero(image.sections["entries"] & 0xFFF)[-1]
    image.sections["entries"][last_weight] ^= 1 << 9
    assert (GoldenModel(decode_image(image)).run(frames).outputs != want).any()


def test_accumulator_overflow_is_raised() -> None:
    config = CONFIG.replace(acc_bits=28)
    model = GoldenModel(overflowing(config))
    with pytest.raises(EseError, match=r"^accumulator: tile 0 row 5 channel 1 must fit "
                                       r"acc_bits=28, got -?\d+$"):
        model.step(np.array([[0, 32767], [0, 32767], [0, 32767]]))


def overflowing(config: EngineConfig) -> DecodedModel:
    program = Program((Segment(0, 3, 3, 0, False, False, True),),
                      (Epilogue(LSTM.kind, 2, 12, 6, 8, 0, 0, True, True),), (0,), 0, 3, 3)
    tile = TileWeights(np.array([5, 5, 5]), np.array([0, 1, 2]), np.array([2047] * 3))
    zeros = np.zeros(8, dtype=np.int64)
    return DecodedModel(config, program, (tile,), zeros, zeros)


@pytest.mark.parametrize("call, message", [
    (lambda m: m.step(np.zeros((4, 2), int)),
     r"frame: must have the shape \(input_width, channels\) = \(5, 2\), got \(4, 2\)"),
    (lambda m: m.step(np.zeros((5, 2), int), active=[1, 0]), "active: must be 2 booleans, got int"),
    (lambda m: m.step(np.zeros((5, 2), int), start=[True]), "start: must be 2 booleans, got bool"),
    (lambda m: m.run(np.zeros((5, 2), int)), "frames: must have the shape"),
    (lambda m: m.run(np.zeros((1, 5, 2), int), active=np.ones(2, bool)),
     r"active: must have the shape \(frames, channels\) = \(1, 2\), got \(2,\)"),
    (lambda m: GoldenModel(m.decoded, 0), "channels: must be at least 1, got 0"),
])
def test_bad_calls(small: Any, call: Any, message: str) -> None:
    with pytest.raises(EseError, match="^" + message):
        call(GoldenModel(small[1]))


def test_a_frame_of_the_google_lstm_takes_well_under_a_second(nets: Any) -> None:
    config = EngineConfig(lanes=32, channels=32)
    rng = np.random.default_rng(5)

    def matrix(*shape: int) -> np.ndarray:
        return np.where(rng.random(shape) < 0.112, rng.integers(-300, 300, shape), 0)

    layer = nets.Layer(matrix(4, 1024, 153), matrix(4, 1024, 512), matrix(4, 1024),
                       matrix(4, 1024), 12, matrix(512, 1024), matrix(512), 12)
    program, tiles, bias, peephole = nets.build(config, [layer])
    assert len(tiles) == 5
    model = GoldenModel(DecodedModel(config, program, tuple(tiles), bias, peephole))
    frames = rng.integers(-32768, 32768, (3, 153, 32))
    best = 1e9
    for frame in frames:
        begin = time.perf_counter()
        result = model.step(frame)
        best = min(best, time.perf_counter() - begin)
    print(f"{best:.3f} s a frame")
    assert result.outputs.any()
    assert best < 0.6
