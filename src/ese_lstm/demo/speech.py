"""Recorded prompts to Resemblyzer's features, and their schedule on the engine's channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError

SAMPLE_RATE = 16000
WINDOW = 400
"""Samples of an analysis window: 25 ms."""
HOP = 160
"""Samples between frames: 10 ms."""
MELS = 40
TARGET_DBFS = -30.0
PARTIAL_FRAMES = 160
"""Frames of the window over which Resemblyzer computes one embedding."""
ONSET_POWER = 1e-2
"""Summed mel power of a frame that counts as speech; recorded silence stays below 1e-4."""
MIN_FRAMES = 20
IDLE_FRAMES = 3


def decode_g722(path: Path) -> NDArray[np.float32]:
    """Samples of a G.722 file at 16 kHz in ±1, shape (samples,). Raises EseError."""
    import av  # with the demo extra only

    try:
        with av.open(str(path), format="g722") as container:
            stream = container.streams.audio[0]
            if stream.rate != SAMPLE_RATE:
                raise EseError(f"speech: {path} must have {SAMPLE_RATE} samples a second, got "
                               f"{stream.rate}")
            parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(stream)]
    except (av.FFmpegError, OSError) as error:
        raise EseError(f"speech: {path} must be a readable G.722 file, but {error}") from None
    if not parts:
        raise EseError(f"speech: {path} must hold samples, but is empty")
    samples: NDArray[np.int16] = np.concatenate(parts)
    return samples.astype(np.float32) / np.float32(32768)


def normalise_volume(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Raise the root mean square to −30 dBFS; a louder wave stays as it is."""
    rms = float(np.sqrt(np.mean(wave.astype(np.float64) ** 2)))
    gain = 10.0 ** (TARGET_DBFS / 20.0) / rms if rms else 1.0
    return (wave * gain).astype(np.float32) if gain > 1.0 else wave


def mel_powers(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Resemblyzer's features: 40 mel powers (not their logarithm), shape (frames, 40)."""
    import librosa  # with the demo extra only

    mel = librosa.feature.melspectrogram(y=wave, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP,
                                         n_mels=MELS)
    return np.ascontiguousarray(mel.T, dtype=np.float32)


def features(path: Path) -> NDArray[np.float32]:
    """Features of one prompt from its first frame of speech on, shape (frames, 40)."""
    mel = mel_powers(normalise_volume(decode_g722(path)))
    voiced = np.flatnonzero(mel.sum(axis=1) > ONSET_POWER)
    if len(voiced) == 0 or len(mel) - voiced[0] < MIN_FRAMES:
        raise EseError(f"speech: {path} must hold at least {MIN_FRAMES} frames of speech, got "
                       f"{len(mel) - voiced[0] if len(voiced) else 0}")
    return mel[voiced[0]:]


@dataclass(frozen=True)
class Span:
    """Frames ``first … end − 1`` of a channel carry the beginning of one utterance."""

    channel: int
    first: int
    end: int
    utterance: str


@dataclass(frozen=True)
class Schedule:
    """Streams of all channels. frames: (frames, 40, channels); active and start: (frames,
    channels) bool; start marks the first frame of an utterance."""

    spans: tuple[Span, ...]
    frames: NDArray[np.float32]
    active: NDArray[np.bool_]
    start: NDArray[np.bool_]


def utterances_for(channels: int) -> int:
    """Different utterances that a schedule on ``channels`` channels takes."""
    return channels + (channels > 2) + (channels > 3)


def schedule(utterances: Mapping[str, NDArray[np.float32]], channels: int,
             frames: int) -> Schedule:
    """A different utterance on every channel, with streams that end and start while others run.

    Channel 1 starts late, channel 2 goes from one utterance to the next without a pause, channel
    3 ends, idles for three frames and starts another; all other channels run throughout.
    Utterances are taken in order; each must be as long as ``frames``. Raises EseError.
    """
    if frames < MIN_FRAMES:
        raise EseError(f"frames: must be at least {MIN_FRAMES}, got {frames}")
    names = list(utterances)
    if len(names) < utterances_for(channels):
        raise EseError(f"channels: {channels} need {utterances_for(channels)} utterances, got "
                       f"{len(names)}")
    spans = [Span(channel, frames // 8 if channel == 1 else 0, frames, names[channel])
             for channel in range(channels)]
    if channels > 2:
        turn = 2 * frames // 3
        spans[2] = Span(2, 0, turn, names[2])
        spans.append(Span(2, turn, frames, names[channels]))
    if channels > 3:
        turn = frames // 2
        spans[3] = Span(3, 0, turn, names[3])
        spans.append(Span(3, turn + IDLE_FRAMES, frames, names[channels + 1]))
    spans.sort(key=lambda span: (span.channel, span.first))
    data = np.zeros((frames, MELS, channels), dtype=np.float32)
    active = np.zeros((frames, channels), dtype=np.bool_)
    start = np.zeros((frames, channels), dtype=np.bool_)
    for span in spans:
        utterance = utterances[span.utterance]
        if len(utterance) < span.end - span.first:
            raise EseError(f"frames: utterance {span.utterance} has {len(utterance)}, but "
                           f"{span.end - span.first} are wanted")
        data[span.first:span.end, :, span.channel] = utterance[:span.end - span.first]
        active[span.first:span.end, span.channel] = True
        start[span.first, span.channel] = True
    return Schedule(tuple(spans), data, active, start)
