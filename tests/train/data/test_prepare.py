"""Preparation: nothing is fatal in one recording, an interruption costs nothing."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ese_lstm.contract.errors import EseError
from ese_lstm.train.data import prepare as module
from ese_lstm.train.data.align import align, words
from ese_lstm.train.data.audio import SAMPLE_RATE, decode_audio
from ese_lstm.train.data.dataset import Dataset, split_of
from ese_lstm.train.data.features import INPUTS, deltas, features
from ese_lstm.train.data.prepare import Recording, prepare, prepare_timit


def wav(seconds: float, rate: int = SAMPLE_RATE, seed: int = 1) -> bytes:
    samples = np.random.default_rng(seed).normal(size=int(seconds * rate)) * 0.1
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


@pytest.fixture
def recordings(tmp_path: Path) -> list[Recording]:
    found, data = [], b""
    for name, text, content in (
            ("good1", "hello", wav(0.5)), ("corrupt", "hello", b"no audio at all"),
            ("silent", "...", wav(0.5)), ("good2", "hello", wav(0.7, 11025)),
            ("short", "hello", wav(0.05)), ("strange", "xyzzyq", wav(0.5))):
        found.append(Recording(name, text, tmp_path / "corpus", len(data), len(content)))
        data += content
    (tmp_path / "corpus").write_bytes(data)
    return found


@pytest.fixture
def fast_align(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Alignment of a dictionary word succeeds at once; the names that were aligned."""
    aligned: list[str] = []

    def fake(samples: np.ndarray, text: str, name: str) -> np.ndarray:
        if text != "hello":
            return align(samples, text, name)
        aligned.append(name)
        return np.arange(len(samples) // 160).astype(np.uint8) % 40

    monkeypatch.setattr(module, "align", fake)
    return aligned


def test_bad_recordings_are_named_and_skipped(recordings: list[Recording], tmp_path: Path,
                                              fast_align: list[str]) -> None:
    result = prepare(recordings, tmp_path / "out", processes=1)
    assert (result.recordings, result.used, len(result.skipped)) == (6, 2, 4)
    assert result.reasons() == {"audio": 2, "transcript": 2}
    reasons = dict(result.skipped)
    assert "corrupt must be a readable recording" in reasons["corrupt"]
    assert "silent must have at least one word, got '...'" in reasons["silent"]
    assert "short must be at least 0.1 s long, got 0.050 s" in reasons["short"]
    assert "must have words of the dictionary only, got 'xyzzyq'" in reasons["strange"]
    lines = (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()
    assert {json.loads(line)["name"]: json.loads(line)["reason"] for line in lines} == reasons
    data = Dataset(tmp_path / "out")
    assert [utterance.name for utterance in data.utterances] == ["good1", "good2"]
    for utterance in data.utterances:
        assert data.features(utterance).shape == (utterance.frames, INPUTS)
        np.testing.assert_array_equal(data.labels(utterance),
                                      np.arange(0, 2 * utterance.frames, 2) % 40)
    assert data.utterances[0].frames == 24


def test_interruption_costs_nothing(recordings: list[Recording], tmp_path: Path,
                                    fast_align: list[str]) -> None:
    folder = tmp_path / "out"

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(recordings, folder, 1, stop)
    with (folder / "progress.jsonl").open("a") as file:
        file.write('{"name": "sho')  # as a cut-off write leaves it
    with pytest.raises(EseError, match="manifest"):
        Dataset(folder)
    assert fast_align == ["good1", "good2"]
    result = prepare(recordings, folder, 1)
    assert (result.resumed, result.used, len(result.skipped)) == (4, 2, 4)
    assert fast_align == ["good1", "good2"]


def test_a_full_disk_is_one_sentence_and_resumable(
        recordings: list[Recording], tmp_path: Path, fast_align: list[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.save_utterance

    def full(folder: Path, name: str, *arrays: np.ndarray) -> None:
        if name == "good2":
            raise EseError(f"output: {folder} must be writable, but No space left on device")
        real(folder, name, *arrays)

    monkeypatch.setattr(module, "save_utterance", full)
    with pytest.raises(EseError, match="No space left on device"):
        prepare(recordings, tmp_path / "out", 1)
    monkeypatch.setattr(module, "save_utterance", real)
    result = prepare(recordings, tmp_path / "out", 1)
    assert (result.resumed, result.used) == (3, 2)


def test_nothing_usable_is_fatal(recordings: list[Recording], tmp_path: Path) -> None:
    with pytest.raises(EseError, match="none of 1 is; the first: audio: corrupt must be"):
        prepare(recordings[1:2], tmp_path / "out", 1)


def test_a_folder_of_other_data_is_left_alone(recordings: list[Recording],
                                              dataset: Dataset) -> None:
    with pytest.raises(EseError, match="must be a new folder, or one that the same preparation"):
        prepare(recordings, dataset.folder, 1)


def test_words() -> None:
    assert words("Don't panic -- it's 'fine', Joe...") == ["don't", "panic", "it's", "fine'", "joe"]


def test_resampling_keeps_length_and_pitch() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.sin(2 * np.pi * 500 * np.arange(11025) / 11025) * 0.5, 11025,
                    format="WAV")
    samples = decode_audio(file.getvalue(), "tone")
    assert len(samples) == SAMPLE_RATE
    assert int(np.abs(np.fft.rfft(samples)).argmax()) == 500


def test_features_have_no_mean_and_exact_deltas() -> None:
    values = features(decode_audio(wav(1.0), "noise"))
    assert values.shape == (98, INPUTS)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
    ramp = np.arange(10, dtype=np.float32)[:, None] * 3
    np.testing.assert_allclose(deltas(ramp)[2:-2], 3, rtol=1e-6)


def test_the_split_is_fixed() -> None:
    held_out = [number for number in range(130) if split_of(f"clip{number}") == "held-out"]
    assert held_out == [13, 41, 48, 53, 79, 81, 85, 89, 91, 107, 117]


def test_timit_folders(tmp_path: Path) -> None:
    for side, sentence in (("TRAIN", "SI1"), ("TRAIN", "SA1"), ("TEST", "SX2"), ("TEST", "SX3")):
        folder = tmp_path / "timit" / side / "DR1" / "FABC0"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{sentence}.WAV").write_bytes(wav(0.5))
        (folder / f"{sentence}.PHN").write_text(
            "0 1600 h#\n1600 4800 ix\n4800 8000 tcl\n" if sentence != "SX3" else "0 8000 huh\n")
    result = prepare_timit(tmp_path / "timit", tmp_path / "out")
    assert (result.used, result.held_out) == (2, 1)
    assert "SX3.PHN line 1 must be begin, end and a TIMIT phone" in dict(result.skipped)[
        "DR1-FABC0-SX3"]
    data = Dataset(tmp_path / "out")
    assert [u.name for u in data.utterances] == ["DR1-FABC0-SX2", "DR1-FABC0-SI1"]
    labels = data.labels(data.utterances[0])
    assert [data.phones[k] for k in labels] == ["SIL"] * 5 + ["IH"] * 10 + ["SIL"] * 9


def test_no_timit(tmp_path: Path) -> None:
    with pytest.raises(EseError, match="must hold TRAIN and TEST folders"):
        prepare_timit(tmp_path, tmp_path / "out")
