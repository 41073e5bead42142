"""Samples of a recording at the aligner's rate."""

import io

import numpy as np
from numpy.typing import NDArray

from ...contract.errors import EseError

SAMPLE_RATE = 16000
MIN_SECONDS = 0.1


def decode_audio(data: bytes, name: str) -> NDArray[np.float32]:
    """Samples of one recording at 16 kHz in ±1, shape (samples,); several channels are averaged.

    Reads what libsndfile reads (MP3, WAV, FLAC, Ogg, NIST SPHERE). Raises EseError naming the
    recording if it is damaged or shorter than 0.1 s.
    """
    import soundfile
    from scipy.signal import resample_poly

    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise EseError(f"audio: {name} must be a readable recording, but {error}") from None
    mono = samples.mean(axis=1)
    if len(mono) < MIN_SECONDS * rate:
        raise EseError(f"audio: {name} must be at least {MIN_SECONDS} s long, got "
                       f"{len(mono) / rate:.3f} s")
    if not np.isfinite(mono).all():
        raise EseError(f"audio: {name} must be finite, but holds NaN or Inf")
    if rate != SAMPLE_RATE:
        common = int(np.gcd(SAMPLE_RATE, rate))
        mono = resample_poly(mono, SAMPLE_RATE // common, rate // common)
    return np.asarray(mono, np.float32)
