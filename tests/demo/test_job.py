"""The whole job on an invented checkpoint and invented speech, small enough for a test."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ese_lstm.boards.memory_init import write_memories
from ese_lstm.cli.main import main
from ese_lstm.cli.terminal import Steps
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import read_image
from ese_lstm.demo import accuracy, job, speech
from ese_lstm.demo.fetch import PROMPTS, Sources
from ese_lstm.demo.summary import as_json, as_text, write_summary
from ese_lstm.sim.compare import Mismatch
from ese_lstm.sim.rtl.verilator import SimulationError

torch = pytest.importorskip("torch")

CELLS, LAYERS, CHANNELS, FRAMES = 8, 2, 4, 20
CONFIG = EngineConfig(lanes=2, channels=CHANNELS, queue_depth=4, acc_rows=8, stream_depth=1024,
                      activation_depth=256, cell_depth=64, param_depth=512, segment_depth=32,
                      epilogue_depth=32, output_depth=32)
KEYS = {"values_compared", "mismatches", "frames", "channels", "cycles_per_frame", "utilisation",
        "entries", "null_entries", "stored_bits", "compression_ratio"}


def checkpoint(path: Path) -> Path:
    """A checkpoint like Resemblyzer's, with random weights and few cells."""
    torch.manual_seed(11)
    lstm = torch.nn.LSTM(speech.MELS, CELLS, LAYERS)
    linear = torch.nn.Linear(CELLS, CELLS)
    state = {f"lstm.{name}": value for name, value in lstm.state_dict().items()}
    state |= {f"linear.{name}": value for name, value in linear.state_dict().items()}
    torch.save({"model_state": state}, path)
    return path


def noise_features(path: Path) -> np.ndarray:
    """As widely spread as mel powers, different for every file name."""
    generator = np.random.default_rng(sum(path.name.encode()))
    return np.exp(generator.normal(-2, 2, (speech.PARTIAL_FRAMES, speech.MELS))).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def outcome(folder: Path) -> job.Outcome:
    """The job's outcome, run once for all tests."""
    config = folder / "engine.json"
    config.write_text(CONFIG.to_json())
    sources = Sources(checkpoint(folder / "invented.pt"), {name: Path(name) for name in PROMPTS},
                      dict.fromkeys(PROMPTS, "words"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "fetch", lambda cache, note: sources)
        patch.setattr(job, "features", noise_features)
        return job.run_job(job.Options(folder / "out", folder, str(config), FRAMES, 0.3),
                           Steps())


def test_rtl_equals_golden(outcome: job.Outcome) -> None:
    per_frame = CHANNELS * CELLS * (2 * LAYERS + 1)
    assert outcome.comparison.values_compared == FRAMES * per_frame > 0
    assert outcome.comparison.equal
    assert np.count_nonzero(outcome.rtl.outputs) > FRAMES * CELLS, "outputs are not trivial"
    assert outcome.rtl.cycles_per_frame == outcome.model.cycles_per_frame
    assert outcome.rtl.steady_frames == FRAMES - 2
    assert outcome.rtl.count("products") == outcome.model.weights * (FRAMES - 2)
    assert outcome.rtl.utilisation == outcome.model.utilisation


def test_idle_channel_gives_zeros(outcome: job.Outcome) -> None:
    idle = ~outcome.plan.active
    assert idle.any()
    outputs = np.moveaxis(outcome.rtl.outputs, 1, 2)
    assert not outputs[idle].any()
    assert outputs[outcome.plan.active].any(axis=1).all()


def test_written_files(outcome: job.Outcome, folder: Path) -> None:
    write_summary(outcome)
    out = folder / "out"
    names = {path.name for path in out.iterdir()}
    assert {"ese_engine.v", "ese_engine.json", "ese_engine.tcl", "ese_engine.xdc",
            "adm_pcie_ku3.xdc", job.IMAGE_NAME, job.SPEECH_NAME, "memory", "summary.json",
            "summary.txt"} == names
    image = read_image(out / job.IMAGE_NAME)
    expected = {path.name for path in write_memories(image, folder / "again")}
    assert {path.name for path in (out / "memory").iterdir()} == expected
    assert set(json.loads((out / "summary.json").read_text())) >= KEYS


def test_summary_says_what_was_counted(outcome: job.Outcome) -> None:
    values = as_json(outcome)
    assert values["mismatches"] == 0 and values["values_compared"] > 0
    assert (values["frames"], values["channels"]) == (FRAMES, CHANNELS)
    assert 0 < values["utilisation"] <= 1
    assert values["stored_bits"] == outcome.calibrated.image.stored_bits
    assert values["saturations"]["input"] == outcome.input_saturated
    text = as_text(outcome)
    assert f"values compared         {values['values_compared']:,}" in text
    assert max(len(line) for line in text.splitlines()) <= 110
    assert not any(str(number) == "nan" for number in values["fixed_vs_float"].values())


def test_chosen_input_limit_has_the_smallest_error(outcome: job.Outcome) -> None:
    tried = outcome.calibrated.tried
    assert len(tried) == len(accuracy.INPUT_LIMITS)
    assert tried[outcome.calibrated.input_limit] == min(tried.values())


def test_float_outputs_start_every_utterance_anew(outcome: job.Outcome) -> None:
    outputs = accuracy.float_outputs(outcome.calibrated.pruned, outcome.plan)
    assert not np.moveaxis(outputs, 1, 2)[~outcome.plan.active].any()
    span = outcome.plan.spans[-1]
    assert span.first > 0
    alone = accuracy.run_float(outcome.calibrated.pruned,
                               outcome.plan.frames[span.first:span.end, :, span.channel])
    np.testing.assert_array_equal(outputs[span.first:span.end, :, span.channel],
                                  alone.outputs[:, :, 0])


def test_difference() -> None:
    head = accuracy.Head(np.eye(2), np.zeros(2))
    reference = np.array([[[3.0], [4.0]]])
    found = accuracy.difference(np.array([[[4.0], [3.0]]]), reference, head)
    assert found.values == 2
    assert found.rms == 1.0 and found.maximum == 1.0
    assert found.reference_rms == pytest.approx(12.5 ** 0.5)
    assert found.cosine_min == found.cosine_mean == pytest.approx(0.96)


def run_command(monkeypatch: pytest.MonkeyPatch, folder: Path, result: object) -> object:
    def run_job(options: job.Options, steps: object) -> object:
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(job, "run_job", run_job)
    return CliRunner().invoke(main, ["demo", "-o", str(folder / "out")])


def test_exit_code_of_success(monkeypatch: pytest.MonkeyPatch, outcome: job.Outcome,
                              folder: Path) -> None:
    result = run_command(monkeypatch, folder, outcome)
    assert result.exit_code == 0
    assert "mismatches              0" in result.output


def test_exit_code_of_a_mismatch(monkeypatch: pytest.MonkeyPatch, outcome: job.Outcome,
                                 folder: Path) -> None:
    wrong = replace(outcome.comparison, mismatches={"cell": 1, "result": 0, "output": 0},
                    first=Mismatch(3, "cell", 7, 1, 5, 4))
    result = run_command(monkeypatch, folder, replace(outcome, comparison=wrong))
    assert result.exit_code == 1
    assert "FAILED" in result.output and "frame=3" in result.output


def test_exit_code_of_nothing_compared(monkeypatch: pytest.MonkeyPatch, outcome: job.Outcome,
                                       folder: Path) -> None:
    nothing = dict.fromkeys(("cell", "result", "output"), 0)
    empty = replace(outcome.comparison, compared=nothing, mismatches=nothing)
    result = run_command(monkeypatch, folder, replace(outcome, comparison=empty))
    assert result.exit_code == 1


def test_exit_code_of_errors(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    result = run_command(monkeypatch, folder, EseError("frames: must be at least 20, got 3"))
    assert result.exit_code == 2
    assert result.output == "error: frames: must be at least 20, got 3\n"
    result = run_command(monkeypatch, folder, SimulationError("stuck"))
    assert result.exit_code == 1


@pytest.mark.parametrize(("config", "frames", "message"), [
    ("tiny", 20, "config: must have 4 to 9 channels for the demo's utterances, got 2"),
    ("xcku060-32x32", 20, r"config: must have 4 to 9 channels .* got 32"),
    ("demo-32x4", 19, "frames: must be at least 20, got 19"),
    ("none", 20, "config: must be a preset"),
])
def test_wrong_options(tmp_path: Path, config: str, frames: int, message: str) -> None:
    with pytest.raises(EseError, match=message):
        job.run_job(job.Options(tmp_path, tmp_path, config, frames), Steps())


def test_options_that_a_command_would_not_read(tmp_path: Path) -> None:
    before = CliRunner().invoke(main, ["demo", "--density", "0.2", "--cache", "c", "speech", "m",
                                       "d"])
    assert before.exit_code == 2 and before.output == (
        "error: demo: options of speech must stand after it, but --cache, --density stands "
        "before\n")
    board = CliRunner().invoke(main, ["demo", "--board", "none", "-o", str(tmp_path / "out")])
    assert board.exit_code == 2
    assert board.output == "error: board: must be one of adm_pcie_ku3, got 'none'\n"
    listed = CliRunner().invoke(main, ["board"])
    assert listed.exit_code == 0 and "adm_pcie_ku3" in listed.output
