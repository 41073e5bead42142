"""TIMIT as its owner has it: ``TRAIN|TEST/DR*/SPEAKER/SENTENCE.WAV`` with ``.PHN`` beside it.

The 61 phones are folded to 39 as Lee and Hon (1989) do, named as CMU names them, so that models
and scores are comparable; closures join silence, the glottal stop's frames count as silence. The
two sentences that every speaker reads (SA) are left out, as in the published results.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...contract.errors import EseError

PHONES = (
    "SIL", "AA", "AE", "AH", "AW", "AY", "B", "CH", "D", "DH", "DX", "EH", "ER", "EY", "F", "G",
    "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH",
    "UH", "UW", "V", "W", "Y", "Z")
_FOLD = {
    "AO": "AA", "AX": "AH", "AX-H": "AH", "AXR": "ER", "HV": "HH", "IX": "IH", "EL": "L",
    "EM": "M", "EN": "N", "NX": "N", "ENG": "NG", "ZH": "SH", "UX": "UW", "PCL": "SIL",
    "TCL": "SIL", "KCL": "SIL", "BCL": "SIL", "DCL": "SIL", "GCL": "SIL", "H#": "SIL",
    "PAU": "SIL", "EPI": "SIL", "Q": "SIL"}
_NUMBERS = {phone: number for number, phone in enumerate(PHONES)}
SAMPLE_RATE = 16000


@dataclass(frozen=True)
class TimitSentence:
    """Files of one sentence. name: unique, DR1-FCJF0-SI1027 and the like."""

    name: str
    split: str
    wav: Path
    phones: Path


def sentences(folder: Path) -> Iterator[TimitSentence]:
    """Every sentence but SA, in order; names in any case. Raises EseError if there is none."""
    found = False
    for wav in sorted(path for path in folder.rglob("*") if path.suffix.upper() == ".WAV"):
        parts = [part.upper() for part in wav.relative_to(folder).parts]
        side = next((part for part in parts if part in ("TRAIN", "TEST")), None)
        phones = next((path for path in (wav.with_suffix(".PHN"), wav.with_suffix(".phn"))
                       if path.is_file()), None)
        stem = wav.stem.split(".")[0].upper()
        if side is None or phones is None or stem.startswith("SA") or len(parts) < 3:
            continue
        found = True
        yield TimitSentence("-".join([*parts[-3:-1], stem]),
                            "train" if side == "TRAIN" else "held-out", wav, phones)
    if not found:
        raise EseError(f"timit: {folder} must hold TRAIN and TEST folders with .WAV and .PHN "
                       f"files, but none was found")


def read_labels(path: Path, frames: int, frame_samples: int) -> NDArray[np.uint8]:
    """Label of each frame by the phone at its middle, shape (frames,).

    Raises EseError naming file and line for a line that is not ``begin end phone``.
    """
    labels = np.zeros(frames, np.uint8)
    middles = (np.arange(frames) + 0.5) * frame_samples
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        parts = line.split()
        try:
            begin, end, phone = int(parts[0]), int(parts[1]), parts[2].upper()
            label = _NUMBERS[_FOLD.get(phone, phone)]
        except (IndexError, ValueError, KeyError):
            raise EseError(f"timit: {path} line {number} must be begin, end and a TIMIT phone, "
                           f"got {line!r}") from None
        labels[(middles >= begin) & (middles < end)] = label
    return labels
