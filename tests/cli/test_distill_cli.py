"""``ese distill`` on a checkpoint with a head, in windows, then sparser from there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from ese_lstm.cli.main import main

ENGINE = ("--config", "tiny", "--epochs", "1", "--streams", "2", "--threads", "1")


def ese(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path, seed: int) -> Path:
    torch.manual_seed(seed % 1000)
    lstm, linear = torch.nn.LSTM(4, 8, 2), torch.nn.Linear(8, 6)
    torch.save({**{f"lstm.{k}": v for k, v in lstm.state_dict().items()},
                **{f"linear.{k}": v for k, v in linear.state_dict().items()}}, tmp_path / "net.pt")
    rng = np.random.default_rng(seed)
    for name in ("mel", "other"):
        (tmp_path / name).mkdir()
        for k in range(3):
            np.save(tmp_path / name / f"{k}.npy", rng.normal(size=(20, 4)))
    return tmp_path


def test_windows_head_and_a_second_round(folder: Path) -> None:
    words = ("distill", folder / "net.pt", folder / "mel", "--held-out", folder / "other",
             "--window", 8, "--steps", 8, "--head", "linear", "--targets", folder / "targets",
             *ENGINE)
    half = ese(*words, "--density", 0.5, "-o", folder / "half")
    assert half.exit_code == 0, half.output
    assert "(9 windows)" in half.stderr
    less = ese(*words, "--density", 0.25, "--matrix-density", "l0.Wix=0.5", "--schedule",
               "one-shot", "--from", folder / "half/model.safetensors", "-o", folder / "less")
    assert less.exit_code == 0, less.output
    packed = ese("compress", folder / "less/model.safetensors", "--config", "tiny", "-o",
                 folder / "less.ese")
    assert packed.exit_code == 0, packed.output


@pytest.mark.parametrize("words, message", [
    (("mel/0.npy",), "at least 8 utterances, of which one is held out, got 1 (or give --held-out)"),
    (("empty",), "frames: empty must hold .npy files, but has none"),
    (("mel", "--held-out", "other", "--window", "30"), "at least one utterance of 30 frames"),
    (("mel", "--held-out", "other", "--head", "top"), "must hold a tensor top.weight"),
    (("mel", "--held-out", "other", "--matrix-density", "l9.Wix=1"), "got 'l9.Wix'")])
def test_mistakes_are_one_sentence(folder: Path, words: tuple[str, ...], message: str,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    done = ese("distill", "net.pt", *words, "-o", "out", *ENGINE)
    assert done.exit_code == 2
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
