"""The command line: what it writes, what it says, exit codes, nothing left after an error."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ese_lstm.cli.main import main
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.image import read_image
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel
from ese_lstm.sim.golden.noise import measure_noise
from ese_lstm.sim.rtl import runner

TINY = ["--config", "tiny", "--set", "stream_depth=2048"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a checkpoint and frames."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    lstm = torch.nn.LSTM(5, 6, num_layers=2)
    torch.save({"state_dict": {f"lstm.{k}": v for k, v in lstm.state_dict().items()}}, "my.pt")
    rng = np.random.default_rng(3)
    np.save("a.npy", rng.normal(size=(9, 5)).astype(np.float32))
    np.save("b.npy", rng.normal(size=(4, 5)))
    np.save("ab.npy", rng.normal(size=(6, 5, 2)))
    return tmp_path


def ese(*arguments, code=0):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def image(folder):
    ese("compress", "my.pt", "--density", "0.5", *TINY, "--frames", "a.npy", "-o", "my.ese",
        "--report", "my.json")
    return folder / "my.ese"


def test_compress(image):
    manifest = read_image(image).manifest
    assert manifest.source == "my.pt"
    assert manifest.command == ("ese compress my.pt --density 0.5 --config tiny "
                                "--set stream_depth=2048 --frames a.npy")
    report = json.loads(image.with_name("my.json").read_text())
    assert report["calibrated"] and report["calibration_frames"] == 9
    assert report["entries"] == manifest.entries > 0
    assert image.stat().st_mode & 0o777 == 0o644


def test_every_option_reaches_its_step(folder):
    result = ese("compress", "my.pt", "--density", "0.6", *TINY, "--lanes", "3", "--channels", "1",
                 "--index-mode", "relative4", "--weight-bits", "8", "--act-bits", "12",
                 "--balance", "tile", "--keep-one", "--frames", "a.npy", "--frames", "ab.npy",
                 "--input-scaling", "column", "--gate-order", "iofg", "--prefix", "lstm",
                 "-o", "my.ese")
    loaded = read_image(folder / "my.ese")
    assert loaded.config == PRESETS["tiny"].replace(
        lanes=3, channels=1, index_mode="relative4", weight_bits=8, act_bits=12,
        stream_depth=2048)
    assert loaded.manifest.null_entries == 0
    assert "21 frames, 0 input values saturated" in result.stdout
    assert "--keep-one --frames a.npy" in loaded.manifest.command
    plain = read_image_of(folder, "--density", "0.6", "--lanes", "3")
    assert plain.manifest.sections != loaded.manifest.sections


def read_image_of(folder, *options):
    ese("compress", "my.pt", *TINY, *options, "-o", "other.ese")
    return read_image(folder / "other.ese")


def test_input_limit_counts_what_saturates(folder):
    text = ese("compress", "my.pt", *TINY, "--frames", "a.npy", "--input-limit", "0.5",
               "-o", "my.ese", "--report", "my.json").stdout
    assert read_image(folder / "my.ese").manifest.layers[0].input_frac == 15
    steps = np.floor(np.load("a.npy").astype(float) * 2 ** 15 + 0.5)
    saturated = json.loads((folder / "my.json").read_text())["input_saturated"]
    assert saturated == np.count_nonzero((steps > 2 ** 15 - 1) | (steps < -2 ** 15)) > 0
    assert f"{saturated} input values saturated" in text


def test_shared_and_coded(folder):
    text = ese("compress", "my.pt", "--density", "0.5", *TINY, "--share-bits", "3", "--huffman",
               "-o", "small.ese", "--report", "small.json").stdout
    ese("compress", "my.pt", "--density", "0.5", *TINY, "--share-bits", "3", "-o", "plain.ese")
    small, plain = read_image(folder / "small.ese"), read_image(folder / "plain.ese")
    assert np.array_equal(small.sections["entries"], plain.sections["entries"])
    assert small.coded and not plain.coded
    assert "--share-bits 3 --huffman" in small.manifest.command
    assert "paper: 20× [pub]" in text and " huffman " in text and " shared " in text
    names = [stage["name"] for stage in json.loads((folder / "small.json").read_text())["stages"]]
    assert names == ["dense", "pruned", "quantised", "indexed", "shared", "huffman"]
    ese("simulate", "small.ese", "a.npy", "-o", "small.npy")
    ese("simulate", "plain.ese", "a.npy", "-o", "plain.npy")
    assert np.array_equal(np.load("small.npy"), np.load("plain.npy")) and np.load("small.npy").any()


def test_info_of_an_image(image):
    figures = json.loads(ese("info", image, "--json").stdout)
    loaded = read_image(image)
    assert figures["manifest"] == json.loads(json.dumps(loaded.manifest.model_dump()))
    assert figures["sizes"]["stored_bits"] == loaded.stored_bits
    assert figures["sizes"]["longest_lane"] == max(loaded.sections["lane_lengths"])
    text = ese("info", image).stdout
    for word in ("my.pt", "l0.Wix", "l1.Wor", f"{loaded.manifest.entries:,}",
                 loaded.manifest.source_sha256, loaded.manifest.command):
        assert word in text


def test_info_of_a_configuration(folder):
    figures = json.loads(ese("info", "xcku060-32x32", "--json").stdout)
    assert figures["derived"]["multipliers"] == 1024 and figures["config"]["lanes"] == 32
    (folder / "mine.json").write_text(PRESETS["tiny"].to_json())
    assert "queue_depth" in ese("info", "mine.json").stdout


def test_simulate_golden(image):
    result = ese("simulate", image, "a.npy", "-o", "out.npy")
    outputs = np.load("out.npy")
    assert outputs.shape == (9, 6, 1) and outputs.dtype == np.float32
    assert "golden" in result.stdout
    loaded = read_image(image)
    frames = np.load("a.npy").astype(float)
    steps = np.floor(frames * 2.0 ** loaded.manifest.layers[0].input_frac + 0.5).astype(np.int64)
    expected = GoldenModel(decode_image(loaded), 1).run(steps[:, :, None]).outputs
    assert np.array_equal(outputs * 2.0 ** 15, expected) and expected.any()


def test_simulate_sqnr(image):
    text = ese("simulate", image, "a.npy", "b.npy", "--channels", "2", "--sqnr").stdout
    found = measure_noise(read_image(image), [np.load("a.npy"), np.load("b.npy")])
    rows = [line for line in text.splitlines() if re.search(r"│ l[01] ", line)]
    assert len(rows) == len(found) == 1 + 7 + 7
    for row, tensor in zip(rows, found, strict=True):
        assert f"│ {tensor.sqnr_db:.1f}" in row.replace("  ", "")
        assert f"{tensor.values:,} │" in row and f"{tensor.saturated:,} │" in row
    assert "σ and tanh are flat" in text


def test_streams_of_several_files_run_apart(image):
    ese("simulate", image, "a.npy", "b.npy", "ab.npy", "--channels", "4", "-o", "all.npy")
    together = np.load("all.npy")
    assert together.shape == (9, 6, 4)
    np.save("b_of_ab.npy", np.load("ab.npy")[:, :, 1])
    compared = 0
    for stream, (name, length) in {0: ("a.npy", 9), 1: ("b.npy", 4), 3: ("b_of_ab.npy", 6)}.items():
        ese("simulate", image, name, "-o", "one.npy")
        alone = np.load("one.npy")[:, :, 0]
        assert np.array_equal(together[:length, :, stream], alone) and alone.any()
        assert not together[length:, :, stream].any()
        compared += alone.size
    assert compared == 6 * 19


def fake_rtl(monkeypatch, change=lambda values: None):
    """A simulation that answers with the golden model's frames, each changed in place."""
    seen = {}

    def run_image(loaded, frames, active, start, progress, memory):
        progress("simulate", 0.5)
        seen.update(frames=frames, active=active, start=start, memory=memory)
        model = GoldenModel(decode_image(loaded))
        answers = []
        for number, frame in enumerate(frames):
            step = model.step(frame, active[number], start[number])
            outputs = step.outputs.copy()
            change(outputs) if number == 8 else None
            answers.append(runner.RtlFrame(
                outputs, step.trace_cell, step.trace_result,
                {"cycles": 100 * number, "products": 150 * number}))
        return runner.RtlResult(loaded.config, tuple(answers), 900, 10)
    monkeypatch.setattr(runner, "run_image", run_image)
    return seen


def figure(text, name):
    """The value beside a name in a table."""
    (line,) = [line for line in text.splitlines() if f" {name} " in line]
    return line.split("│")[2].strip()


def test_simulate_rtl_compares_every_value(image, monkeypatch):
    """9 frames, 2 channels, 12 cell states, 12 hidden values, 6 outputs."""
    seen = fake_rtl(monkeypatch)
    text = ese("simulate", image, "a.npy", "b.npy", "--backend", "rtl").stdout
    assert figure(text, "values compared") == "540" and figure(text, "mismatches") == "0"
    assert figure(text, "cycles per frame") == "100"
    assert figure(text, "multiplier utilisation") == "75.0 %"
    assert seen["frames"].shape == (9, 5, 2)
    assert seen["active"][:, 1].tolist() == [True] * 4 + [False] * 5
    assert seen["start"][0].all() and not seen["start"][1:].any()


def test_simulate_rtl_mismatch_is_exit_code_1(image, monkeypatch):
    def flip(outputs):
        outputs[5, 0] ^= 1
    fake_rtl(monkeypatch, flip)
    text = ese("simulate", image, "a.npy", "--backend", "rtl", code=1).stdout
    assert figure(text, "mismatches") == "1"
    assert "frame=8, kind='output', address=5, channel=0" in figure(text, "first mismatch")


def test_verilog(folder):
    lines = ese("verilog", "--config", "tiny", "--channels", "1", "-o", "build").stdout.split()
    assert lines == ["build/ese_engine.v", "build/ese_engine.json"]
    assert "module ese_engine" in (folder / lines[0]).read_text()
    described = json.loads((folder / lines[1]).read_text())
    assert described["configuration"] == PRESETS["tiny"].replace(channels=1).model_dump()


def test_verilog_of_the_shell(folder):
    lines = ese("verilog", "--config", "tiny", "--channels", "1", "--shell", "tiny", "-o", "build"
                ).stdout.split()
    assert lines == [f"build/{name}" for name in (
        "ese_shell.v", "ese_shell.json", "ese_registers.h", "ese_registers.py", "ese_registers.md")]
    assert "module ese_shell" in (folder / lines[0]).read_text()
    assert all((folder / line).is_file() for line in lines)


SMALL = ["compress", "my.pt", "-o", "out.ese"]


@pytest.mark.parametrize("arguments, message", [
    ([*SMALL, *TINY, "--density", "1.5"], "density: must be 0 to 1, got 1.5"),
    ([*SMALL, *TINY, "--lanes", "0"], "lanes: input should be greater than or equal to 1, got 0"),
    ([*SMALL, *TINY, "--set", "colour=3"], "colour: is not a field of the engine configuration"),
    ([*SMALL, *TINY, "--set", "lanes"], "--set: must be FIELD=VALUE, got 'lanes'"),
    ([*SMALL, *TINY, "--index-mode", "csc"], "index_mode: input should be 'absolute' or"),
    ([*SMALL, "--config", "huge"], "config: must be a preset (tiny,"),
    ([*SMALL, *TINY, "--gate-order", "ifg"], "gate_order: must be a permutation of ifgo"),
    ([*SMALL, *TINY, "--prefix", "gru"], "prefix: must be one of 'lstm' in my.pt, got 'gru'"),
    ([*SMALL, *TINY, "--input-scaling", "column"], "input_scaling: must be none without"),
    ([*SMALL, *TINY, "--input-limit", "0"], "input_limit: must be finite and greater than 0"),
    ([*SMALL, *TINY, "--set", "stream_depth=8"], "stream_depth: the weight memory of a lane must "
                                                 "hold 276 entries"),
    ([*SMALL, *TINY, "--frames", "my.pt"], "frames: my.pt must be one .npy array of real numbers"),
    ([*SMALL, *TINY, "--frames", "no.npy"], "frames: must be a .npy file, got 'no.npy'"),
    ([*SMALL, *TINY, "--frames", "wide.npy"], "frames 0: must have the shape (T, 5)"),
    ([*SMALL, *TINY, "--frames", "nan.npy"], "frames: nan.npy must be finite, but 1 of 10"),
    ([*SMALL, *TINY, "--frames", "flat.npy"], "frames: flat.npy must have the shape (T, inputs)"),
    ([*SMALL, *TINY, "--frames", "words.npy"], "frames: words.npy must be one .npy array of real"),
    ([*SMALL, *TINY, "--frames", "objects.npy"], "frames: objects.npy must be a complete .npy"),
    (["compress", "no.pt", *TINY, "-o", "out.ese"], "checkpoint: must be a file, got 'no.pt'"),
    (["compress", "bomb.pt", *TINY, "-o", "out.ese"], "bomb.pt must hold only tensors"),
    (["compress", "my.pt", *TINY, "-o", "my.pt/out.ese"], "output: my.pt/out.ese must be writable"),
    ([*SMALL, *TINY, "--report", "my.pt/a.json"], "output: my.pt/a.json must be writable"),
    (["compress", "my.pt", *TINY, "-o", "my.pt/out.ese", "--report", "r.json"],
     "output: my.pt/out.ese must be writable"),
    (["info", "nothing"], "info: must be an image file, a JSON configuration or one of tiny,"),
    (["info", "a.npy"], "image: a.npy must be a complete safetensors file"),
    (["info", "no.json"], "config: must be a preset"),
    (["verilog", "--config", "tiny", "--lanes", "1000", "-o", "v"], "lanes: input should be less"),
    (["verilog", "--config", "tiny", "--shell", "no", "-o", "v"], "shell: must be a preset (tiny,"),
])
def test_wrong_input(folder, arguments, message):
    bad_files()
    before = sorted(path.name for path in folder.iterdir())
    result = ese(*arguments, code=2)
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert message in result.stderr and result.stdout == ""
    assert sorted(path.name for path in folder.iterdir()) == before


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def bad_files():
    np.save("wide.npy", np.zeros((2, 6)))
    np.save("nan.npy", np.where(np.arange(10).reshape(2, 5) == 7, np.nan, 0.0))
    np.save("flat.npy", np.zeros(5))
    np.save("words.npy", np.array([["a"] * 5]))
    np.save("objects.npy", np.array([[None] * 5]), allow_pickle=True)
    torch.save({"bomb": Bomb()}, "bomb.pt")


@pytest.mark.parametrize("frames, message", [
    (["wide.npy"], "frames: must have the shape (T, 5) or (T, 5, streams), got (2, 6)"),
    (["nan.npy"], "frames: nan.npy must be finite"),
    (["a.npy", "ab.npy"], "frames: must be at most channels=2 streams, got 3"),
])
def test_simulate_wrong_frames(image, frames, message):
    bad_files()
    result = ese("simulate", image, *frames, "-o", "out.npy", code=2)
    assert message in result.stderr and not image.with_name("out.npy").exists()


def test_simulate_damaged_image(image):
    image.write_bytes(image.read_bytes()[:-3])
    result = ese("simulate", image, "a.npy", code=2)
    assert "must be a complete safetensors file" in result.stderr


@pytest.mark.parametrize("arguments", [
    [], ["compress"], ["compress", "my.pt"], ["simulate", "my.ese"], ["nonsense"],
    ["compress", "my.pt", "--density", "x", "-o", "a"], ["compress", "--balance", "x"]])
def test_usage_errors(arguments):
    ese(*arguments, code=2)


@pytest.mark.parametrize("command", ["compress", "info", "simulate", "verilog"])
def test_help_has_an_example(command):
    assert f"ese {command} " in ese(command, "--help").stdout
    assert "Exit codes" in ese("--help").stdout


def test_the_installed_command_and_no_torch():
    """`ese` starts without PyTorch, and says so if a checkpoint needs it."""
    program = ("import sys; sys.modules['torch'] = None; from ese_lstm.cli.main import main; "
               "main(sys.argv[1:])")
    for arguments, code, text in ((["info", "tiny"], 0, "queue_depth"),
                                  (["verilog", "--help"], 0, "Verilog"),
                                  (["compress", "x.pt", "-o", "y"], 2, "must be a file")):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True,
                              text=True, check=False)
        assert done.returncode == code and text in done.stdout + done.stderr


def test_missing_torch_is_explained(folder):
    program = ("import sys; sys.modules['torch'] = None; from ese_lstm.cli.main import main; "
               "main(sys.argv[1:])")
    done = subprocess.run([sys.executable, "-c", program, "compress", "my.pt", "-o", "y.ese"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "reading my.pt needs PyTorch" in done.stderr
