"""The curves on a small dataset: chain, equal treatment of both, resuming, tables."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ese_lstm.cli.bench import pruning_curve
from ese_lstm.cli.main import main
from ese_lstm.train.data.dataset import Dataset
from ese_lstm.train.options import TrainOptions

torch = pytest.importorskip("torch")
SMALL = ("--config", "tiny", "--densities", "0.5,0.25", "--epochs", "2", "--streams", "2",
         "--steps", "5", "--threads", "1", "--rate", "0.002", "--dropout", "0.1", "--brief")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory,
          make_dataset: Callable[[Path], Dataset]) -> Path:
    """A folder with a dataset and a dense model."""
    from ese_lstm.train.model import PhoneNet, save_model
    from ese_lstm.train.options import Shape

    folder = tmp_path_factory.mktemp("curve")
    data = make_dataset(folder / "data")
    torch.manual_seed(3)
    save_model(folder / "model.safetensors", PhoneNet(
        Shape(data.inputs, 16, 8, phones=data.phones)))
    return folder


def run(start: Path, folder: Path, *more: str) -> Result:
    return CliRunner().invoke(main, [
        "bench", "pruning-curve",
        str(start / "data"), "--from", str(start / "model.safetensors"), "-o",
        str(folder / "run"), "--results", str(folder / "results"), *SMALL, *more])


def test_both_curves_then_nothing_to_do(start: Path, tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    from ese_lstm.search import curve

    first = run(start, tmp_path, "--balance", "matrix")
    assert first.exit_code == 0, first.output
    assert len((tmp_path / "run/points.jsonl").read_text().splitlines()) == 1 + 2 + 2
    done = run(start, tmp_path)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in
             (tmp_path / "results/pruning-curve.jsonl").read_text().splitlines()]
    keys = [(line["name"], line["retrained"], line["density"]) for line in lines]
    assert keys == [("dense", False, 1.0), *(
        (name, retrained, density) for retrained in (False, True) for density in (0.5, 0.25)
        for name in ("balanced", "plain"))]
    assert all(0 < line["utilisation"] <= 1 and line["cycles"] > 0 and line["per"] >= 0
               for line in lines)
    assert max(line["cycles"] for line in lines) == lines[0]["cycles"], "dense takes longest"

    from ese_lstm.train.loop.checkpoint import read_progress
    from ese_lstm.train.model import load_model
    from ese_lstm.train.pruning import density_of, masks_of, network_from
    steps = set()
    for name in ("balanced", "plain"):
        nets = []
        for density in ("0.5", "0.25"):
            place = tmp_path / f"run/{name}-{density}"
            model = load_model(place / "model.safetensors")
            assert density_of(model.lstm)["all"] == pytest.approx(float(density), abs=0.02)
            steps.add(read_progress(place / "checkpoint.safetensors").step)
            assert not masks_of(model.lstm)
            nets.append(network_from(model.lstm).layers[0])
        assert not (nets[1].w_y != 0)[nets[0].w_y == 0].any(), "each is pruned from the one before"
    assert len(steps) == 1, "both curves take the same steps"

    for kind in ("csv", "md", "svg"):
        for study in ("pruning-curve", "pruning-curve-cycles"):
            assert (tmp_path / f"results/{study}.{kind}").stat().st_size > 100
    assert "| 25.0 |" in (tmp_path / "results/pruning-curve.md").read_text()
    assert "`ese bench pruning-curve " in (tmp_path / "results/pruning-curve.md").read_text()

    monkeypatch.setattr(curve, "simulate_model", None)
    monkeypatch.setattr(curve, "Trainer", None)
    again = run(start, tmp_path)
    assert again.exit_code == 0, "every point is known"

    other = run(start, tmp_path, "--seed", "2")
    assert other.exit_code == 2
    assert other.output.startswith("error: train: must be as in ")


def test_every_setting_of_training_is_an_option() -> None:
    names = {parameter.name for parameter in pruning_curve.params}
    assert {field.name for field in fields(TrainOptions)} <= names


@pytest.mark.parametrize(("more", "message"), [
    (("--densities", "0.2,0.5"), "densities: must fall from one to the next, got 0.2, 0.5"),
    (("--densities", "1.5"), "densities: must be over 0 and under 1, got 1.5"),
    (("--densities", "a"), "densities: must be numbers separated by commas, got 'a'"),
    (("--epochs", "0"), "epochs: must be at least 1, got 0"),
])
def test_mistakes(start: Path, tmp_path: Path, more: tuple[str, ...], message: str) -> None:
    done = run(start, tmp_path, *more)
    assert done.exit_code == 2
    assert done.output == f"error: {message}\n"
