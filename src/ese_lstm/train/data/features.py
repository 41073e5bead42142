"""The 153 inputs of a frame: 50 log-mel energies and the frame's energy, with Δ and ΔΔ."""

import numpy as np
from numpy.typing import NDArray

from .audio import SAMPLE_RATE

MELS = 50
LOW_HZ = 60
HIGH_HZ = 5400
FRAME_MS = 10
WINDOW_MS = 25
INPUTS = 3 * (MELS + 1)
DELTA_REACH = 2


def features(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames of 10 ms with windows of 25 ms, shape (frames, 153); samples at 16 kHz in ±1.

    The mean of every input over the recording is removed.
    """
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.frame_opts.frame_shift_ms = FRAME_MS
    options.frame_opts.frame_length_ms = WINDOW_MS
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = MELS
    options.mel_opts.low_freq = LOW_HZ
    options.mel_opts.high_freq = HIGH_HZ
    options.use_energy = True
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(SAMPLE_RATE, (samples * 32768.0).tolist())
    bank.input_finished()
    frames = [bank.get_frame(number) for number in range(bank.num_frames_ready)]
    if not frames:
        return np.zeros((0, INPUTS), np.float32)
    static = np.stack(frames).astype(np.float32)
    first = deltas(static)
    joined = np.concatenate([static, first, deltas(first)], axis=1)
    return joined - joined.mean(axis=0)


def deltas(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Slope over ±2 frames, Σ k·(x[t+k] − x[t−k]) / (2·Σ k²); the edges repeat."""
    padded = np.pad(frames, ((DELTA_REACH, DELTA_REACH), (0, 0)), mode="edge")
    total = np.zeros_like(frames)
    for reach in range(1, DELTA_REACH + 1):
        ahead = padded[DELTA_REACH + reach:len(padded) - DELTA_REACH + reach]
        behind = padded[DELTA_REACH - reach:len(padded) - DELTA_REACH - reach]
        total += reach * (ahead - behind)
    return total / np.float32(2 * sum(k * k for k in range(1, DELTA_REACH + 1)))
