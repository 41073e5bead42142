"""What compression costs at the outputs: figures by hand, and promises that are kept."""

import json
import re

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ese_lstm.cli.against import (
    image_network,
    loss_against,
    original_of,
    pruned_network,
)
from ese_lstm.cli.knobs import HELPS_DB, Setting, measure_outputs, number_knobs
from ese_lstm.cli.loss import MOST_FRAMES, PIECES, POOR_DB, STEPS, measure_loss, some_frames
from ese_lstm.cli.main import main
from ese_lstm.compress.inputs import scale_inputs
from ese_lstm.compress.network import Layer, Network
from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.frames import quantise_frames, real_outputs
from ese_lstm.contract.image import read_image
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel

TINY = PRESETS["tiny"].replace(stream_depth=4096, activation_depth=512)
TINY_OPTIONS = ["--config", "tiny", "--set", "stream_depth=8192"]
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


# The command line --------------------------------------------------------------------------------


def ese(*arguments, code=0):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result


def rows(text, step):
    """SNR of a step in a table."""
    (line,) = [line for line in text.splitlines() if f"│ {step}" in line]
    return line.split("│")[2].strip()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(lstm, frames):
    torch.save(lstm.state_dict(), "my.pt")
    np.save("f.npy", frames)


def recurrent_lstm(seed, cells=16, gain=3.0):
    """A random network whose outputs pruning at once ruins."""
    torch.manual_seed(seed)
    lstm = torch.nn.LSTM(5, cells)
    with torch.no_grad():
        for name, value in lstm.named_parameters():
            value *= gain if "weight" in name else 1.0
    return lstm


def wide_lstm(seed):
    """Inputs of two magnitudes, small ones with the large weights: the accumulator has few
    fraction bits left for the recurrent weights, as with raw magnitudes of speech."""
    rng = np.random.default_rng(seed)
    lstm = recurrent_lstm(seed, gain=1.0)
    with torch.no_grad():
        lstm.weight_ih_l0[:, :4] *= 20
        lstm.weight_ih_l0[:, 4] *= 0.002
        lstm.weight_hh_l0 *= 2
    return lstm, rng.normal(size=(60, 5)) * np.array([0.05] * 4 + [300.0])


def test_a_network_pruned_at_once_is_warned_of(folder, seed):
    write(recurrent_lstm(seed), np.random.default_rng(seed).normal(size=(60, 5)))
    said = ese("compress", "my.pt", "--density", "0.1", *TINY_OPTIONS, "--frames", "f.npy",
               "-o", "my.ese", "--report", "my.json")
    assert float(rows(said.stdout, "after pruning")) < 5
    assert float(rows(said.stdout, "+ activations")) < 5
    assert said.stderr.count("warning:") == 1
    assert "pruning costs most" in said.stderr and "ese train" in said.stderr
    outputs = json.loads((folder / "my.json").read_text())["outputs"]
    assert [trial["option"] for trial in outputs["advice"]["trials"]] == [
        "--density 0.2", "--density 0.4"]
    assert outputs["dominating"] == "pruning" and outputs["poor"]
    assert "--density 0.2" in said.stdout


@pytest.mark.parametrize("given", ["", "--set weight_bits=12 --act-bits 16 --set acc_bits=32"])
def test_the_option_promised_gives_what_is_promised(folder, given, seed):
    """Every option tried, given to ese compress after what was given, has the figure that was
    told of it; once --set weight_bits=… won over the promised --weight-bits."""
    lstm, frames = wide_lstm(seed)
    write(lstm, frames)
    command = ["compress", "my.pt", *TINY_OPTIONS, "--frames", "f.npy", "-o", "my.ese",
               "--report", "my.json", *given.split()]
    said = ese(*command)
    outputs = json.loads((folder / "my.json").read_text())["outputs"]
    base = outputs["steps"][-1]["snr_db"]
    assert base < POOR_DB and outputs["steps"][0]["snr_db"] is None
    assert outputs["dominating"] in ("weights", "activations")
    promise = re.search(r"(--\S+ (?:column|[\d.]+|\w+=\d+)(?: --set \S+)?) would give "
                        r"([\d.]+) dB", said.stderr)
    assert promise and float(promise[2]) >= base + HELPS_DB
    kept = 0
    for trial in outputs["advice"]["trials"]:
        if trial["refused"] or trial["option"].startswith("without"):
            continue
        ese(*command, *trial["option"].split())
        after = json.loads((folder / "my.json").read_text())["outputs"]
        assert after["steps"][-1]["snr_db"] == trial["snr_db"], trial["option"]
        kept += 1
        if trial["option"] == promise[1]:
            assert f"{trial['snr_db']:.1f}" == promise[2]
            assert after["poor"] == (trial["snr_db"] < POOR_DB)
    assert kept >= 5 and promise[1] in [t["option"] for t in outputs["advice"]["trials"]]


def test_an_input_limit_that_cuts_too_much(folder, seed):
    """Loss by activations: the engine is the same, an option too many was given."""
    write(recurrent_lstm(seed, gain=1.0), np.random.default_rng(seed).normal(size=(60, 5)))
    command = ["compress", "my.pt", *TINY_OPTIONS, "--frames", "f.npy", "-o", "my.ese"]
    said = ese(*command, "--input-limit", "0.05")
    assert "fixed-point activations cost most" in said.stderr
    promise = re.search(r"without --input-limit would give ([\d.]+) dB\.", said.stderr)
    assert promise and rows(ese(*command).stdout, "+ activations") == promise[1]


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


def test_good_outputs_are_not_warned_of(folder, seed):
    write(recurrent_lstm(seed, gain=1.0), np.random.default_rng(seed).normal(size=(60, 5)))
    said = ese("compress", "my.pt", *TINY_OPTIONS, "--frames", "f.npy", "-o", "my.ese")
    assert "warning" not in said.stderr and "Options tried" not in said.stdout
    assert rows(said.stdout, "after pruning") == "exact"
    assert float(rows(said.stdout, "+ activations")) > POOR_DB
    text = ese("compress", "my.pt", *TINY_OPTIONS, "-o", "my.ese", "--report", "my.json").stdout
    assert rows(text, "outputs against the original ") == "not measured: no --frames"
    assert json.loads((folder / "my.json").read_text())["outputs"] is None


def test_an_image_against_its_checkpoint(folder, seed):
    """The figures that compress gave, from the image; another file is refused."""
    write(recurrent_lstm(seed), np.random.default_rng(seed).normal(size=(60, 5)))
    ese("compress", "my.pt", "--density", "0.1", *TINY_OPTIONS, "--frames", "f.npy",
        "-o", "my.ese", "--report", "my.json")
    steps = json.loads((folder / "my.json").read_text())["outputs"]["steps"]
    said = ese("simulate", "my.ese", "f.npy", "--sqnr", "--against", "my.pt")
    assert rows(said.stdout, "+ activations") == f"{steps[2]['snr_db']:.1f}"
    assert rows(said.stdout, "+ weights") == f"{steps[1]['snr_db']:.1f}"
    assert float(rows(said.stdout, "after pruning")) == pytest.approx(steps[0]["snr_db"], abs=0.2)
    assert "pruning costs most" in said.stderr
    told = json.loads((folder / "my.json").read_text())["outputs"]["advice"]["text"]
    without_time = told[:told.rindex(" in ")]
    assert f"calibrated on these frames: {without_time}" in said.stderr
    assert "against the image's own rounded weights" in said.stdout
    torch.save(recurrent_lstm(seed + 1).state_dict(), "other.pt")
    refused = ese("simulate", "my.ese", "f.npy", "--sqnr", "--against", "other.pt", code=2)
    assert refused.stderr.startswith("error: against: must be the checkpoint that the image was")
    assert refused.stdout == ""


def test_a_report_against_the_checkpoint(folder, seed):
    """The page has the figures that simulate prints, and warns alike."""
    write(recurrent_lstm(seed), np.random.default_rng(seed).normal(size=(60, 5)))
    ese("compress", "my.pt", "--density", "0.1", *TINY_OPTIONS, "--frames", "f.npy", "-o", "my.ese")
    said = ese("simulate", "my.ese", "f.npy", "--against", "my.pt")
    told = ese("report", "my.ese", "--frames", "f.npy", "--against", "my.pt", "-o", "page")
    text = (folder / "page/index.html").read_text()
    for row in ("after pruning", "+ weights", "+ activations"):
        assert f">{rows(said.stdout, row)}<" in text[text.index(row):][:200]
    assert "pruning costs most" in told.stderr and "pruning costs most" in text
    assert "60 frames, against my.pt, in 1 pieces" in text
    ese("report", "my.ese", "--against", "my.pt", "-o", "none", code=2)
    torch.save(recurrent_lstm(seed + 1).state_dict(), "other.pt")
    ese("report", "my.ese", "--frames", "f.npy", "--against", "other.pt", "-o", "none", code=2)
    assert not (folder / "none").exists()


def test_an_image_calibrated_on_other_frames(folder, seed):
    """Frames of another range: what the same command gives if it is told of them."""
    frames = np.random.default_rng(seed).normal(size=(60, 5))
    write(recurrent_lstm(seed, gain=1.0), frames)
    np.save("small.npy", frames / 32)
    ese("compress", "my.pt", *TINY_OPTIONS, "--frames", "small.npy", "-o", "my.ese")
    said = ese("simulate", "my.ese", "f.npy", "--against", "my.pt")
    promise = re.search(r"calibrated on these frames, they would have ([\d.]+) dB", said.stderr)
    again = ese("compress", "my.pt", *TINY_OPTIONS, "--frames", "f.npy", "-o", "my.ese").stdout
    assert promise and promise[1] == rows(again, "+ activations")


def test_another_lstm_of_the_file_is_refused(folder, seed):
    one, other = (recurrent_lstm(seed + k).state_dict() for k in range(2))
    torch.save({f"{name}.{key}": value for name, part in (("a", one), ("b", other))
                for key, value in part.items()}, "two.pt")
    np.save("f.npy", np.random.default_rng(seed).normal(size=(20, 5)))
    ese("compress", "two.pt", "--prefix", "b", *TINY_OPTIONS, "--frames", "f.npy", "-o", "b.ese")
    ese("simulate", "b.ese", "f.npy", "--against", "two.pt", "--prefix", "b")
    refused = ese("simulate", "b.ese", "f.npy", "--against", "two.pt", "--prefix", "a", code=2)
    assert "must hold an LSTM with this image's weights" in refused.stderr


def test_a_direction_is_found_by_its_weights(folder, seed):
    torch.manual_seed(seed)
    write(torch.nn.LSTM(5, 8, bidirectional=True),
          np.random.default_rng(seed).normal(size=(20, 5)))
    ese("compress", "my.pt", *TINY_OPTIONS, "--frames", "f.npy", "-o", "my.ese")
    frames = [np.load("f.npy")]
    for direction in ("forward", "reverse"):
        image = read_image(folder / f"my.{direction}.ese")
        loss = loss_against(image, original_of(image, folder / "my.pt", None, "ifgo", {}), frames)
        assert loss.total.snr_db > POOR_DB


def test_the_page_has_the_same_figures(folder, seed):
    write(recurrent_lstm(seed), np.random.default_rng(seed).normal(size=(60, 5)))
    ese("compress", "my.pt", "--density", "0.1", *TINY_OPTIONS, "--frames", "f.npy",
        "-o", "my.ese", "--report", "my.json")
    ese("report", "my.ese", "--figures", "my.json", "-o", "out")
    text = (folder / "out/index.html").read_text()
    outputs = json.loads((folder / "my.json").read_text())["outputs"]
    for step in outputs["steps"]:
        assert f"<td>{step['snr_db']:.1f}</td><td>{step['error_rms']:.3g}</td>" in text
    for trial in outputs["advice"]["trials"]:
        assert f"<td>{trial['option']}</td>" in text
    ese("report", "my.ese", "-o", "out")
    assert "Not measured: it is among the figures" in (folder / "out/index.html").read_text()
