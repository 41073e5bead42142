"""The recogniser on a small network: bit-exact, and what it prints is what evaluation counts."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.image import read_image
from ese_lstm.sim.compare import Mismatch
from ese_lstm.sim.rtl.verilator import SimulationError

torch = pytest.importorskip("torch")

from ese_lstm.demo import recognise, speech_demo  # noqa: E402
from ese_lstm.train.data.dataset import Dataset, write_manifest  # noqa: E402
from ese_lstm.train.data.streams import Corpus  # noqa: E402
from ese_lstm.train.evaluate import fixed_answers, score_answers  # noqa: E402
from ese_lstm.train.model import PhoneNet, Shape, load_model, save_model  # noqa: E402

CONFIG = EngineConfig(lanes=2, channels=4, queue_depth=4, acc_rows=8, stream_depth=1024,
                      activation_depth=256, cell_depth=64, param_depth=512, segment_depth=32,
                      epilogue_depth=32, output_depth=32)
CELLS, PROJECTION = 8, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory,
           make_dataset: Callable[[Path], Dataset]) -> Path:
    """With data, of which six utterances are held out, model and engine."""
    folder = tmp_path_factory.mktemp("speech")
    data = make_dataset(folder / "data")
    write_manifest(data.folder, [replace(u, split="train" if k < 8 else "held-out")
                                 for k, u in enumerate(data.utterances)])
    torch.manual_seed(1)
    save_model(folder / "m.safetensors", PhoneNet(
        Shape(data.inputs, CELLS, PROJECTION, delay=2, phones=data.phones)))
    (folder / "engine.json").write_text(CONFIG.to_json())
    return folder


def run(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(speech_demo.main, [
        str(folder / "m.safetensors"), str(folder / "data"), "-o", str(folder / "out"),
        "--config", str(folder / "engine.json"), "--utterances", "5", "--density", "0.5", *more])


@pytest.fixture(scope="module")
def outcome(folder: Path) -> recognise.Outcome:
    """Run once for all tests."""
    found = []
    real = speech_demo.run_recogniser
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech_demo, "run_recogniser", lambda *a: found.append(real(*a)) or found[0])
        done = run(folder)
    assert done.exit_code == 0, done.output
    (folder / "printed.txt").write_text(done.stdout)
    return found[0]


def test_every_value_is_compared(outcome: recognise.Outcome, folder: Path) -> None:
    values = json.loads((folder / "out/summary.json").read_text())
    frames = values["frames"]
    assert values["values_compared"] == frames * 4 * (2 * CELLS + 2 * PROJECTION) > 0
    assert values["mismatches"] == 0
    assert values["cycles_per_frame"] == values["cycle_model"]["cycles_per_frame"]
    assert len({u["channel"] for u in values["utterances"]}) == 4
    assert max(u["first_frame"] for u in values["utterances"]) > 0, "one follows another"


def test_strings_and_rates_are_those_of_the_golden_model(outcome: recognise.Outcome,
                                                         folder: Path) -> None:
    data = Dataset(folder / "data")
    model = load_model(folder / "m.safetensors")
    image = read_image(folder / "out" / recognise.IMAGE_NAME)
    corpus = Corpus.load(data, [heard.utterance for heard in outcome.heard])
    answers, _, _ = fixed_answers(model, image, corpus, 1)
    expected = score_answers(model, corpus, answers)
    assert (outcome.scores.phone_errors, outcome.scores.phones) == (
        expected.phone_errors, expected.phones)
    np.testing.assert_array_equal(outcome.scores.confusion, expected.confusion)
    assert sum(heard.errors for heard in outcome.heard) == expected.phone_errors
    text = (folder / "printed.txt").read_text()
    assert len(outcome.heard) == 5
    for heard in outcome.heard:
        labels = data.labels(heard.utterance)
        runs = labels[np.flatnonzero(np.diff(labels, prepend=-1))]
        assert heard.truth == tuple(data.phones[k] for k in runs if k)
        assert heard.utterance.text in text and " ".join(heard.truth) in text
        assert " ".join(heard.found) in text


def test_exit_codes(outcome: recognise.Outcome, folder: Path,
                    monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(outcome.run.comparison, mismatches={"cell": 1, "result": 0, "output": 0},
                    first=Mismatch(3, "cell", 7, 1, 5, 4))
    bad = replace(outcome, run=replace(outcome.run, comparison=wrong))
    monkeypatch.setattr(speech_demo, "run_recogniser", lambda *rest: bad)
    done = run(folder)
    assert done.exit_code == 1 and "FAILED" in done.output and "frame=3" in done.output

    def fail(*rest: object) -> None:
        raise SimulationError("stuck")
    monkeypatch.setattr(speech_demo, "run_recogniser", fail)
    assert run(folder).exit_code == 1


@pytest.mark.parametrize(("more", "message"), [
    (("--channels", "3"), "channels: must be at least 4, got 3"),
    (("--utterances", "3"), "utterances: must be at least one on each of 4 channels, got 3"),
    (("--utterances", "7"), "utterances: must be at most the 6 of the held-out split, got 7"),
    (("--set", "stream_depth=8"), "stream_depth: "),
    (("--config", "none"), "config: must be a preset")])
def test_wrong_input(folder: Path, more: tuple[str, ...], message: str) -> None:
    done = run(folder, *more)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: {message}")
