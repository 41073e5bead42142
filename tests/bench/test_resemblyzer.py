"""Speech is prepared resumably; embeddings are compared and told apart."""

import json
from pathlib import Path

import numpy as np
import pytest

from ese_lstm.bench.resemblyzer import Speech, equal_error_rate, measure
from ese_lstm.bench.resemblyzer_speech import Clip, prepare, speaker_of
from ese_lstm.compress.network import Layer, Network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.demo.accuracy import Head
from ese_lstm.train.data.dataset import split_of

DOCS = Path(__file__).resolve().parents[2] / "docs"


def voice(seconds: float) -> np.ndarray:
    time = np.arange(int(16000 * seconds)) / 16000
    return (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def test_clips_are_prepared_once(tmp_path: Path) -> None:
    pytest.importorskip("librosa")
    computed = []

    def clip(name: str, seconds: float) -> Clip:
        return Clip(name, lambda: computed.append(name) or voice(seconds))

    found = [clip("a", 2), clip("b", 1), clip("asterisk-demo-instruct", 2)]
    speech = prepare(found, tmp_path)
    assert speech.short == 1 and sum(speech.clips.values()) == 2
    frames = np.load(tmp_path / split_of("a") / "a.npy")
    assert frames.shape[1] == 40 and len(frames) >= 160 and frames.dtype == np.float32
    assert (tmp_path / "held-out" / "asterisk-demo-instruct.npy").is_file()
    assert prepare(found, tmp_path) == speech
    assert computed == ["a", "b", "asterisk-demo-instruct"]


def test_speakers_of_dialogues() -> None:
    assert [speaker_of(name) for name in ("0200A4J1", "0200A4P2", "30XXXXP1", "JOE00411",
                                          "C10__011", "asterisk-hello")] == [
        "JOE", "02", "30", "", "", ""]


def test_equal_error_rate() -> None:
    angles = np.radians([0, 10, 80, 95])
    apart = np.array([np.cos(angles), np.sin(angles)])
    assert equal_error_rate(apart, ["a", "a", "b", "b"]) == 0
    # By angle, 95 d, 85 s, 80 s, 70 d, 15 d, 10 d: half of s missed, three quarters of d accepted.
    assert equal_error_rate(apart, ["a", "b", "a", "b"]) == 0.625
    with pytest.raises(EseError, match="pairs of one speaker and pairs of two"):
        equal_error_rate(apart, ["a", "a", "a", "a"])


def test_a_network_is_measured(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [f"02000{k}{who}1" for k in range(3) for who in "JP"]
    for split in ("train", "held-out"):
        (tmp_path / split).mkdir()
        for name in names:
            np.save(tmp_path / split / f"{name}.npy",
                    (10.0 ** rng.uniform(-4, 1, (160, 4))).astype(np.float32))
    teacher = Network(tuple(Layer(rng.normal(size=(32, width)), rng.normal(size=(32, 8)) / 2,
                                  rng.normal(size=32)) for width in (4, 8)))
    head = Head(rng.normal(size=(16, 8)), np.ones(16))
    speech = Speech(tmp_path, teacher, head, 5)
    row = measure("own", teacher, speech, PRESETS["tiny"].replace(stream_depth=4096))
    assert (row.windows, row.kept, row.weights) == (5, 1.0, 12)
    assert row.float_mean == pytest.approx(1) and row.mean > 0.99
    assert row.smaller > 1 and row.huffman > 0 and row.cycles > 0
    with pytest.raises(EseError, match="must hold train/ and held-out/"):
        Speech(tmp_path / "train", teacher, head, 5)


def test_committed_figures_are_shown() -> None:
    values = json.loads((DOCS / "results/resemblyzer.json").read_text())
    wide = [row for row in values["rows"] if row["inputs"] == "wide" and row["kept"] == 1]
    assert wide and all(row["windows"] >= 100 and row["mean"] >= 0.999 and row["weights"] == 12
                        for row in wide)
    page = (DOCS / "compression.md").read_text()
    table = (DOCS / "results/resemblyzer.md").read_text().splitlines()
    lines = [line for line in table if line.startswith("|")]
    assert len(lines) > 4
    assert not [line for line in lines if line not in page]
