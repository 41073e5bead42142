"""The training commands end to end on a small dataset."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load_file

from ese_lstm.cli.main import main
from ese_lstm.contract.image import read_image
from ese_lstm.train.data.dataset import Utterance, save_utterance, write_header, write_manifest

PHONES = ("SIL", "A", "B")
ENGINE = ["--config", "tiny"]


def ese(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(1)
    utterances = []
    for number in range(10):
        labels = np.repeat(rng.integers(0, 3, 5), 3)
        save_utterance(folder, f"u{number}", rng.normal(size=(15, 4)) + labels[:, None], labels)
        utterances.append(Utterance(f"u{number}", 15, "held-out" if number > 6 else "train"))
    write_header(folder, 4, 20.0, PHONES)
    write_manifest(folder, utterances)
    return folder


def test_train_prune_compress_evaluate(data: Path, tmp_path: Path) -> None:
    small = ("--cells", 8, "--projection", 4, "--streams", 2, "--steps", 5, "--epochs", 2)
    done = ese("train", data, "-o", tmp_path / "dense", *small)
    assert done.exit_code == 0 and "held out: FER" in done.stderr
    again = ese("train", data, "-o", tmp_path / "dense", *small)
    assert again.exit_code == 0 and "going on from step" in again.stderr
    dense, pruned = (tmp_path / name / "model.safetensors" for name in ("dense", "pruned"))
    done = ese("sensitivity", dense, data, "-o", tmp_path / "scan.jsonl", "--densities", "0.5",
               *ENGINE)
    assert done.exit_code == 0 and "--matrix-density Wix=" in done.stdout
    assert len((tmp_path / "scan.jsonl").read_text().splitlines()) == 11
    done = ese("sensitivity", dense, data, "-o", tmp_path / "widths.jsonl", "--bits", "4,8",
               "--utterances", 2, *ENGINE)
    assert done.exit_code == 0 and "--act-bits 8" in done.stdout.splitlines()[-1]
    assert "activations (2 utterances)" in done.stdout
    done = ese("train", data, "-o", tmp_path / "pruned", "--from", dense, "--density", 0.5,
               "--train-weight-bits", 12, *small[4:], *ENGINE)
    assert done.exit_code == 0
    image = tmp_path / "pruned.ese"
    done = ese("compress", pruned, "--frames", tmp_path / "pruned/calibration.npy", "-o", image,
               "--weight-bits-of", "Wix=10", *ENGINE)
    assert done.exit_code == 0 and "Wix=10" in read_image(image).manifest.command
    assert read_image(image).manifest.matrices[0].weight_bits == 10
    wrong = ese("compress", pruned, "-o", tmp_path / "no.ese", "--weight-bits-of", "Wix=a")
    assert wrong.exit_code == 2
    assert wrong.stderr == ("error: --weight-bits-of: must be NAME=BITS with a whole number, got "
                            "'Wix=a'\n")
    found = {}
    for name, options in (("float", ()), ("fixed", ("--image", image))):
        report = tmp_path / f"{name}.json"
        done = ese("evaluate", pruned, data, "--report", report, *options)
        assert done.exit_code == 0
        found[name] = json.loads(report.read_text())
    assert found["fixed"]["arithmetic"] == "fixed point, bit-exact"
    assert abs(found["fixed"]["fer"] - found["float"]["fer"]) < 5
    assert sum(map(sum, found["fixed"]["confusion"])) == found["fixed"]["frames"] == 45
    done = ese("train", data, "-o", tmp_path / "shared", "--from", pruned, "--share-bits", 2,
               *small[4:], "--no-evaluate")
    assert done.exit_code == 0
    values = load_file(tmp_path / "shared/model.safetensors")["lstm.weight_ih_l0"]
    for mine in np.split(values, 4):
        assert 1 < len(np.unique(mine[mine != 0])) <= 4 and np.mean(mine != 0) <= 0.5
    done = ese("train", data, "-o", tmp_path / "other", "--from", dense, "--share-bits", 2,
               "--density", 0.5, *small[4:], *ENGINE)
    assert done.exit_code == 2 and "with schedule one-shot, got 'gradual'" in done.stderr
    for k in range(10):
        np.save(tmp_path / f"f{k}.npy", np.random.default_rng(k).normal(size=(12, 4)))
    done = ese("distill", dense, *(tmp_path / f"f{k}.npy" for k in range(10)), "-o",
               tmp_path / "distilled", "--epochs", 1, *ENGINE)
    assert done.exit_code == 0 and "held out: cosine" in done.stderr


@pytest.mark.parametrize("words, message", [
    (("train", "nowhere", "-o", "out"), "must be a dataset folder"),
    (("evaluate", "nowhere", "nothing"), "model: must be a file, got 'nowhere'"),
    (("sensitivity", "m", "d", "-o", "s", "--densities", "x"), "numbers separated by commas"),
    (("sensitivity", "m", "d", "-o", "s", "--bits", "x"), "bits: must be numbers separated"),
    (("distill", "nowhere.pt", "f.npy", "-o", "out"), "checkpoint: must be a file")])
def test_mistakes_are_one_sentence(words: tuple[str, ...], message: str, tmp_path: Path,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = ese(*words)
    assert done.exit_code == 2
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
