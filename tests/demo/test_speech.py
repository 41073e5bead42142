"""Features and the schedule of utterances on channels."""

from pathlib import Path

import numpy as np
import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.demo import speech


def utterances(count: int, frames: int) -> dict[str, np.ndarray]:
    return {f"u{number}": np.full((frames, speech.MELS), number + 1, dtype=np.float32)
            for number in range(count)}


def test_volume_is_raised_to_the_target() -> None:
    wave = (0.001 * np.sin(np.arange(16000) * 0.1)).astype(np.float32)
    loud = speech.normalise_volume(wave)
    rms = np.sqrt(np.mean(loud.astype(np.float64) ** 2))
    assert 20 * np.log10(rms) == pytest.approx(speech.TARGET_DBFS, abs=1e-4)


def test_louder_wave_and_silence_stay() -> None:
    wave = (0.5 * np.sin(np.arange(16000) * 0.1)).astype(np.float32)
    np.testing.assert_array_equal(speech.normalise_volume(wave), wave)
    silence = np.zeros(400, dtype=np.float32)
    np.testing.assert_array_equal(speech.normalise_volume(silence), silence)


def test_mel_powers_of_a_tone() -> None:
    pytest.importorskip("librosa")
    wave = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    mel = speech.mel_powers(wave)
    assert mel.shape == (101, 40)
    assert mel.dtype == np.float32
    peak = mel[50].argmax()
    quiet = speech.mel_powers(wave / 2)
    assert peak == quiet[50].argmax()
    np.testing.assert_allclose(quiet[50, peak], mel[50, peak] / 4, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_schedule_covers_every_channel(channels: int) -> None:
    frames = 24
    given = utterances(speech.utterances_for(channels), frames)
    plan = speech.schedule(given, channels, frames)
    assert plan.frames.shape == (frames, speech.MELS, channels)
    assert {span.utterance for span in plan.spans} == set(given), "every utterance is heard"
    for channel in range(channels):
        spans = [span for span in plan.spans if span.channel == channel]
        assert spans
        assert plan.start[:, channel].sum() == len(spans)
        expected = np.zeros(frames)
        for span in spans:
            expected[span.first:span.end] = given[span.utterance][0, 0]
        np.testing.assert_array_equal(plan.frames[:, 0, channel], expected)
        np.testing.assert_array_equal(plan.active[:, channel], expected > 0)


def test_schedule_has_all_kinds_of_change() -> None:
    plan = speech.schedule(utterances(6, 40), 4, 40)
    late = plan.active[:, 1]
    assert not late[0] and late[-1]
    assert plan.active[:, 2].all() and plan.start[:, 2].sum() == 2, "back to back"
    ends = plan.active[:, 3]
    assert np.count_nonzero(np.diff(ends.astype(int))) == 2 and ends[-1], "idles in between"


def test_schedule_refuses() -> None:
    with pytest.raises(EseError, match="frames: must be at least 20, got 19"):
        speech.schedule(utterances(6, 40), 4, 19)
    with pytest.raises(EseError, match="channels: 4 need 6 utterances, got 5"):
        speech.schedule(utterances(5, 40), 4, 40)
    with pytest.raises(EseError, match="frames: utterance u0 has 30, but 40 are wanted"):
        speech.schedule(utterances(6, 30), 4, 40)


def test_unreadable_speech(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with pytest.raises(EseError, match="must be a readable G.722 file"):
        speech.decode_g722(tmp_path / "missing.g722")
