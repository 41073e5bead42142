"""What compression costs at the outputs: figures by hand."""

import json

import numpy as np
import pytest

from ese_lstm.cli.against import (
    image_network,
    pruned_network,
)
from ese_lstm.cli.knobs import Setting, measure_outputs, number_knobs
from ese_lstm.cli.loss import MOST_FRAMES, PIECES, STEPS, measure_loss, some_frames
from ese_lstm.compress.inputs import scale_inputs
from ese_lstm.compress.network import Layer, Network
from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.frames import quantise_frames, real_outputs
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel

TINY = PRESETS["tiny"].replace(stream_depth=4096, activation_depth=512)
SHAPES = [LayerShape(cells=13, projection=11, peepholes=True), LayerShape(cells=9)]


def plain_lstm(network, frames):
    """One stream by the equations, one frame and one layer at a time."""
    def sigma(v):
        return 1 / (1 + np.exp(-v))
    states = [(np.zeros(layer.outputs), np.zeros(layer.cells)) for layer in network.layers]
    outputs = []
    for frame in frames:
        x = np.asarray(frame, np.float64)
        for k, layer in enumerate(network.layers):
            y, c = states[k]
            n = layer.cells
            total = layer.w_x @ x + layer.w_y @ y + (0 if layer.bias is None else layer.bias)
            p = np.zeros((3, n)) if layer.peepholes is None else layer.peepholes
            i, f = sigma(total[:n] + p[0] * c), sigma(total[n:2 * n] + p[1] * c)
            c = f * c + i * np.tanh(total[2 * n:3 * n])
            m = sigma(total[3 * n:] + p[2] * c) * np.tanh(c)
            y = m if layer.w_m is None else layer.w_m @ m
            states[k] = y, c
            x = y
        outputs.append(x)
    return np.array(outputs)


def case(seed, density=0.6, config=TINY, shapes=SHAPES, **options):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 5, shapes)
    frames = [random_frames(rng, length, 5) for length in (9, 4, 6)]
    image, report = compress_network(network, config, density, frames, CompressOptions(**options))
    return network, image, report, frames


def by_hand(network, outputs, frames):
    truth = [plain_lstm(network, stream) for stream in frames]
    signal = sum(np.square(t).sum() for t in truth)
    noise = sum(np.square(o - t).sum() for o, t in zip(outputs, truth, strict=True))
    return 10 * np.log10(signal / noise)


@pytest.mark.parametrize("options", [{}, {"input_scaling": "column"}, {"share_bits": 3}])
def test_every_step_is_against_the_original(seed, options):
    network, image, report, frames = case(seed, **options)
    loss = measure_loss(network, report.pruned, report.rounded, image, frames)
    scale = np.ldexp(1.0, np.array(image.manifest.input_exponents))
    fixed = [real_outputs(GoldenModel(decode_image(image), 1).run(
        quantise_frames(stream, image.manifest)[0][:, :, None]).outputs[:, :, 0], image.manifest)
        for stream in frames]
    found = [by_hand(network, outputs, frames) for outputs in (
        [plain_lstm(report.pruned, stream) for stream in frames],
        [plain_lstm(report.rounded, stream * scale) for stream in frames], fixed)]
    assert [step.name for step in loss.steps] == list(STEPS)
    assert [step.snr_db for step in loss.steps] == pytest.approx(found, abs=1e-6)
    assert loss.frames == 19 and loss.streams == 3
    for step in loss.steps:
        assert step.snr_db == pytest.approx(20 * np.log10(loss.signal_rms / step.error_rms))


def exact_network(rng, scale=1 / 16):
    """Weights of few bits, that no rounding changes."""
    def draw(*shape):
        return rng.integers(-15, 16, shape) * scale
    return Network((Layer(draw(32, 5), draw(32, 8), draw(32)),))


def test_pruning_alone(seed):
    rng = np.random.default_rng(seed)
    network, frames = exact_network(rng), [random_frames(rng, 9, 5)]
    image, report = compress_network(network, TINY, 0.5, frames)
    loss = measure_loss(network, report.pruned, report.rounded, image, frames)
    pruning, weights, activations = loss.steps
    assert weights.snr_db == pruning.snr_db and activations.snr_db != weights.snr_db
    assert loss.dominating == "pruning"
    image, report = compress_network(network, TINY, 1.0, frames)
    loss = measure_loss(network, report.pruned, report.rounded, image, frames)
    assert [step.error_rms == 0 for step in loss.steps] == [True, True, False]
    assert loss.steps[0].snr_db is None and loss.dominating == "activations" and not loss.poor


def test_an_original_without_outputs_has_no_ratio(seed):
    """All weights 0: every m is σ(0)·tanh(0)."""
    rng = np.random.default_rng(seed)
    network = Network((Layer(np.zeros((32, 5)), np.zeros((32, 8))),))
    setting = Setting(network, TINY, 1.0, [random_frames(rng, 9, 5)], CompressOptions())
    image, report = compress_network(network, TINY, 1.0, setting.calibration)
    loss, advice = measure_outputs(setting, image, report)
    assert loss.signal_rms == 0 and not loss.poor and advice is None
    text = json.dumps(loss.to_dict(), allow_nan=False)
    assert [step["snr_db"] for step in json.loads(text)["steps"]] == [None] * 3


def test_few_frames_are_measured(seed):
    rng = np.random.default_rng(seed)
    streams = [rng.normal(size=(length, 3)) for length in (1000, 30, 5000)]
    pieces = some_frames(streams, 1000)
    assert [len(piece) for piece in pieces] == [MOST_FRAMES] * PIECES
    assert np.shares_memory(pieces[0], streams[0]) and np.shares_memory(pieces[-1], streams[2])
    assert sum(map(len, some_frames(streams, 10 ** 9))) < 400
    assert [len(piece) for piece in some_frames([streams[1]], 1000)] == [30]


@pytest.mark.parametrize("options", [{}, {"input_scaling": "column"}])
@pytest.mark.parametrize("mode", ["absolute", "relative4"])
def test_an_image_holds_the_rounded_network(seed, mode, options):
    _, image, report, _ = case(seed, 0.6, TINY.replace(index_mode=mode), **options)
    for mine, its in zip(image_network(image).layers, report.rounded.layers, strict=True):
        for name, value in vars(its).items():
            assert np.array_equal(vars(mine)[name], value), name


def test_the_pruned_weights_of_an_image(seed):
    """Only weights that rounding would make 0 as well are not known to be pruned."""
    network, image, report, _ = case(seed, 0.5, input_scaling="column")
    found = pruned_network(image, network, image_network(image))
    scaled = scale_inputs(network, image.manifest.input_exponents)
    for info, before, want, got in zip(image.manifest.layers, scaled.layers, report.pruned.layers,
                                       found.layers, strict=True):
        for name, frac in (("w_x", info.gate_weight_frac[0]), ("w_y", info.gate_weight_frac[1])):
            other = vars(want)[name] != vars(got)[name]
            assert np.all(np.abs(vars(before)[name][other]) <= 0.5 * 2.0 ** -frac)
            assert other.mean() < 0.1 and (vars(got)[name] == 0).mean() > 0.4


def test_an_input_limit_is_told_to_its_last_digit(seed):
    """Six digits of 2**20 were a little more than it, and cost a bit."""
    values = np.random.default_rng(seed).uniform(0.6, 0.9, (3000, 5)) * 2.0 ** 20
    values[0, 0] = 2.0 ** 30
    network = random_network(np.random.default_rng(seed), 5, SHAPES)
    setting = Setting(network, TINY, 1.0, [values], CompressOptions())
    _, report = compress_network(network, TINY, 1.0, [values / 2.0 ** 20], CompressOptions())
    (knob,) = [knob for knob in number_knobs(setting, report, "weights")
               if knob.text.startswith("--input-limit ")]
    assert float(knob.text.split()[1]) == knob.options["input_limit"] == 2.0 ** 20
