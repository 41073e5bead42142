"""Mel frames of real speech for Resemblyzer's speaker encoder, a ``.npy`` file a clip.

Clips of Flight of the Amazon Queen (acted, resampled from 11,025 Hz: nothing above 5.5 kHz) and
Asterisk's prompts (one speaker, 16 kHz), with Resemblyzer's own volume and mel powers (40 a frame
of 10 ms), cut to what lies between first and last frame of speech. A clip's name decides whether
it is learned from or held out, as everywhere in ``train``; the demo's prompts are all held out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError
from ..contract.files import make_folder, write_atomically
from ..demo.fetch import (
    PROMPTS,
    SPEECH_FOLDER,
    SPEECH_PACKAGE,
    TEXT_PACKAGE,
    fetch_texts,
)
from ..demo.speech import (
    ONSET_POWER,
    PARTIAL_FRAMES,
    decode_g722,
    mel_powers,
    normalise_volume,
)
from ..registry import apt_download, obtain, unpack
from ..train.data.audio import decode_audio
from ..train.data.dataset import SPLITS, save_array, split_of
from ..train.data.prepare import Recording, queen_recordings

SHORT = "short.txt"
PROMPT = "asterisk-"
"""What names of prompts begin with."""
ABSENT = {"pls-try-call-later"}
"""Prompts that have a transcript but no recording."""


@dataclass(frozen=True)
class Clip:
    """A name, and what decodes its samples (samples,) at 16 kHz."""

    name: str
    wave: Callable[[], NDArray[np.float32]]

    @property
    def split(self) -> str:
        """``train`` or ``held-out``."""
        known = self.name.removeprefix(PROMPT) in PROMPTS
        return "held-out" if known else split_of(self.name)


def clips(cache: Path, note: Callable[[str], None] = lambda text: None) -> list[Clip]:
    """Every clip, fetched into ``cache`` if need be. Raises EseError."""
    return [*(Clip(recording.name, partial(_queen_wave, recording))
              for recording in queen_recordings(cache, note)),
            *(Clip(f"{PROMPT}{path.stem}", partial(decode_g722, path))
              for path in prompt_files(cache, note))]


def prompt_files(cache: Path, note: Callable[[str], None] = lambda text: None) -> list[Path]:
    """All transcribed prompts that are no single words (digits, letters), as .g722 files."""
    fetch_texts(cache, note)
    lines = (cache / TEXT_PACKAGE / "core-sounds-en.txt").read_text(
        encoding="utf-8", errors="replace").splitlines()
    names = {line.split(": ", 1)[0] for line in lines if ": " in line and line[0] != ";"} - ABSENT
    targets = [cache / SPEECH_PACKAGE / f"{name}.g722" for name in sorted(names)
               if "/" not in name]
    missing = [path for path in targets if not path.is_file()]
    if missing:
        package = obtain(cache, SPEECH_PACKAGE, f"{SPEECH_PACKAGE}_*.deb",
                         apt_download(SPEECH_PACKAGE, cache), note)
        found = unpack(package, {f"{SPEECH_FOLDER}/{path.name}" for path in missing})
        for path in missing:
            write_atomically(path, partial(Path.write_bytes,
                                           data=found[f"{SPEECH_FOLDER}/{path.name}"]))
    return targets


@dataclass(frozen=True)
class Speech:
    """A prepared folder: clips and frames by split, and clips left out as too short."""

    clips: dict[str, int]
    frames: dict[str, int]
    short: int


def prepare(found: Sequence[Clip], folder: Path,
            progress: Callable[[int, int], None] = lambda done, total: None) -> Speech:
    """Write ``train/NAME.npy`` and ``held-out/NAME.npy`` of shape (frames, 40), float32.

    Clips with fewer than 160 frames of speech, one embedding's window, are named in
    ``short.txt``. Finished clips are not computed again. Raises EseError.
    """
    names = folder / SHORT
    for split in SPLITS:
        make_folder(folder / split)
    try:
        short = set(names.read_text().split()) if names.is_file() else set()
    except OSError as error:
        raise EseError(f"output: {folder} must be writable, but {error.strerror}") from None
    known = len(short)
    for number, clip in enumerate(found):
        progress(number, len(found))
        target = folder / clip.split / f"{clip.name}.npy"
        if clip.name in short or target.is_file():
            continue
        frames = speech_frames(clip.wave())
        if len(frames) < PARTIAL_FRAMES:
            short.add(clip.name)
            continue
        save_array(target, frames)
    if len(short) > known:
        write_atomically(names, lambda path: path.write_text("\n".join(sorted(short)) + "\n"))
    lengths = {split: [len(np.load(path, mmap_mode="r"))
                       for path in sorted((folder / split).glob("*.npy"))] for split in SPLITS}
    return Speech({split: len(values) for split, values in lengths.items()},
                  {split: sum(values) for split, values in lengths.items()}, len(short))


def speech_frames(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mel powers from the first to the last frame of speech, (frames, 40); empty if silent."""
    mel = mel_powers(normalise_volume(wave))
    voiced = np.flatnonzero(mel.sum(axis=1) > ONSET_POWER)
    return mel[voiced[0]:voiced[-1] + 1] if len(voiced) else mel[:0]


def speaker_of(name: str) -> str:
    """Who speaks a clip of a dialogue: ``JOE``, the player, or the other side's number; empty for
    clips of cut scenes and descriptions, which don't say."""
    if not (len(name) == 8 and name[:2].isdigit() and name[6] in "JP"):
        return ""
    return "JOE" if name[6] == "J" else name[:2]


def _queen_wave(recording: Recording) -> NDArray[np.float32]:
    with recording.path.open("rb") as file:
        file.seek(recording.offset)
        return decode_audio(file.read(recording.size), recording.name)
