"""What the commands say of the outputs' losses, and promises that are kept."""

import json
import re

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ese_lstm.cli.against import (
    loss_against,
    original_of,
)
from ese_lstm.cli.knobs import HELPS_DB
from ese_lstm.cli.loss import POOR_DB
from ese_lstm.cli.main import main
from ese_lstm.contract.image import read_image

TINY = ["--config", "tiny", "--set", "stream_depth=8192"]


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
    said = ese("compress", "my.pt", "--density", "0.1", *TINY, "--frames", "f.npy",
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
    command = ["compress", "my.pt", *TINY, "--frames", "f.npy", "-o", "my.ese",
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
    command = ["compress", "my.pt", *TINY, "--frames", "f.npy", "-o", "my.ese"]
    said = ese(*command, "--input-limit", "0.05")
    assert "fixed-point activations cost most" in said.stderr
    promise = re.search(r"without --input-limit would give ([\d.]+) dB\.", said.stderr)
    assert promise and rows(ese(*command).stdout, "+ activations") == promise[1]


def test_good_outputs_are_not_warned_of(folder, seed):
    write(recurrent_lstm(seed, gain=1.0), np.random.default_rng(seed).normal(size=(60, 5)))
    said = ese("compress", "my.pt", *TINY, "--frames", "f.npy", "-o", "my.ese")
    assert "warning" not in said.stderr and "Options tried" not in said.stdout
    assert rows(said.stdout, "after pruning") == "exact"
    assert float(rows(said.stdout, "+ activations")) > POOR_DB
    text = ese("compress", "my.pt", *TINY, "-o", "my.ese", "--report", "my.json").stdout
    assert rows(text, "outputs against the original ") == "not measured: no --frames"
    assert json.loads((folder / "my.json").read_text())["outputs"] is None


def test_an_image_against_its_checkpoint(folder, seed):
    """The figures that compress gave, from the image; another file is refused."""
    write(recurrent_lstm(seed), np.random.default_rng(seed).normal(size=(60, 5)))
    ese("compress", "my.pt", "--density", "0.1", *TINY, "--frames", "f.npy",
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
    ese("compress", "my.pt", "--density", "0.1", *TINY, "--frames", "f.npy", "-o", "my.ese")
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
    ese("compress", "my.pt", *TINY, "--frames", "small.npy", "-o", "my.ese")
    said = ese("simulate", "my.ese", "f.npy", "--against", "my.pt")
    promise = re.search(r"calibrated on these frames, they would have ([\d.]+) dB", said.stderr)
    again = ese("compress", "my.pt", *TINY, "--frames", "f.npy", "-o", "my.ese").stdout
    assert promise and promise[1] == rows(again, "+ activations")


def test_another_lstm_of_the_file_is_refused(folder, seed):
    one, other = (recurrent_lstm(seed + k).state_dict() for k in range(2))
    torch.save({f"{name}.{key}": value for name, part in (("a", one), ("b", other))
                for key, value in part.items()}, "two.pt")
    np.save("f.npy", np.random.default_rng(seed).normal(size=(20, 5)))
    ese("compress", "two.pt", "--prefix", "b", *TINY, "--frames", "f.npy", "-o", "b.ese")
    ese("simulate", "b.ese", "f.npy", "--against", "two.pt", "--prefix", "b")
    refused = ese("simulate", "b.ese", "f.npy", "--against", "two.pt", "--prefix", "a", code=2)
    assert "must hold an LSTM with this image's weights" in refused.stderr


def test_a_direction_is_found_by_its_weights(folder, seed):
    torch.manual_seed(seed)
    write(torch.nn.LSTM(5, 8, bidirectional=True),
          np.random.default_rng(seed).normal(size=(20, 5)))
    ese("compress", "my.pt", *TINY, "--frames", "f.npy", "-o", "my.ese")
    frames = [np.load("f.npy")]
    for direction in ("forward", "reverse"):
        image = read_image(folder / f"my.{direction}.ese")
        loss = loss_against(image, original_of(image, folder / "my.pt", None, "ifgo", {}), frames)
        assert loss.total.snr_db > POOR_DB


def test_the_page_has_the_same_figures(folder, seed):
    write(recurrent_lstm(seed), np.random.default_rng(seed).normal(size=(60, 5)))
    ese("compress", "my.pt", "--density", "0.1", *TINY, "--frames", "f.npy",
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
