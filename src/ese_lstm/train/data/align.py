"""Phones of a recording by forced alignment of its text (pocketsphinx)."""

import re
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.errors import EseError
from .audio import SAMPLE_RATE

SILENCE = "SIL"
PHONES = (
    SILENCE, "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G",
    "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH",
    "UH", "UW", "V", "W", "Y", "Z", "ZH")
"""CMU's 39 phones and silence (0), in the order of label numbers."""

_NUMBERS = {phone: number for number, phone in enumerate(PHONES)}
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?")


@cache
def _decoder() -> Any:
    from pocketsphinx import Decoder

    return Decoder(samprate=SAMPLE_RATE, lm=None, loglevel="FATAL")


def words(text: str) -> list[str]:
    """Words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower().replace("\u2019", "'").replace("`", "'"))


def align(samples: NDArray[np.float32], text: str, name: str) -> NDArray[np.uint8]:
    """Label (number in PHONES) of every frame of 10 ms; samples at 16 kHz in ±1.

    Raises EseError naming the recording if its text is empty, has a word that the dictionary
    lacks, or does not align.
    """
    decoder = _decoder()
    spoken = words(text)
    if not spoken:
        raise EseError(f"transcript: {name} must have at least one word, got {text!r}")
    known = []
    for word in spoken:
        if decoder.lookup_word(word) is None:
            word = word.rstrip("'")
        if decoder.lookup_word(word) is None:
            raise EseError(f"transcript: {name} must have words of the dictionary only, got "
                           f"{word!r}")
        known.append(word)
    data = (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
    try:
        decoder.set_align_text(" ".join(known))
        _decode(decoder, data)
        decoder.set_alignment()
        _decode(decoder, data)
        alignment = decoder.get_alignment()
    except RuntimeError:
        alignment = None
    if alignment is None:
        raise EseError(f"transcript: {name} must align with its recording, but does not")
    labels: list[int] = []
    for word in alignment:
        for phone in word:
            labels += [_NUMBERS.get(phone.name, 0)] * phone.duration
    if not any(labels):
        raise EseError(f"transcript: {name} must align with its recording, but does not")
    return np.array(labels, np.uint8)


def _decode(decoder: Any, data: bytes) -> None:
    decoder.start_utt()
    try:
        decoder.process_raw(data, full_utt=True)
    finally:
        decoder.end_utt()
