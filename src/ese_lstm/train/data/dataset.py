"""The dataset folder: what preparation writes, training reads, and any other corpus can provide.

| file | content |
|---|---|
| ``dataset.json`` | {"format": "ese-dataset", "version": 1, "inputs", "frame_ms", "phones": […]} |
| ``manifest.jsonl`` | one utterance a line: {"name", "frames"}; "split", "text" are optional |
| ``features/NAME.npy`` | (frames, inputs), float16 or float32, mean of the utterance removed |
| ``labels/NAME.npy`` | (frames,), uint8 or another integer: numbers into phones; 0 is silence |

"split" is ``train`` or ``held-out``; without it, a hash of the name decides.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.errors import EseError
from ...contract.files import write_atomically

FORMAT = "ese-dataset"
VERSION = 1
SPLITS = ("train", "held-out")
HELD_OUT_EVERY = 13


@dataclass(frozen=True)
class Utterance:
    """One line of the manifest."""

    name: str
    frames: int
    split: str
    text: str = ""

    def to_json(self) -> str:
        """The line without its end."""
        return json.dumps({"name": self.name, "frames": self.frames, "split": self.split,
                           "text": self.text}, ensure_ascii=False)


def split_of(name: str) -> str:
    """``held-out`` for one name in 13, by SHA-256; the same on every machine."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return SPLITS[number % HELD_OUT_EVERY == 0]


class Dataset:
    """A dataset folder. Raises EseError naming file and rule if it is not complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        header = _read_header(folder)
        self.inputs = int(header["inputs"])
        self.frame_ms = float(header["frame_ms"])
        self.phones: tuple[str, ...] = tuple(header["phones"])
        self.utterances = _read_manifest(folder)

    def split(self, name: str) -> list[Utterance]:
        """Utterances of ``train`` or ``held-out``, in the manifest's order; at least one."""
        found = [utterance for utterance in self.utterances if utterance.split == name]
        if not found:
            raise EseError(f"dataset: {self.folder} must hold utterances of the split {name}, "
                           f"but all {len(self.utterances)} are of the other")
        return found

    def features(self, utterance: Utterance) -> NDArray[np.float32]:
        """(frames, inputs). Raises EseError naming the file."""
        path = self.folder / "features" / f"{utterance.name}.npy"
        values = _load(path)
        if values.shape != (utterance.frames, self.inputs) or values.dtype.kind != "f":
            raise EseError(f"dataset: {path} must be floating point of shape "
                           f"({utterance.frames}, {self.inputs}), got {values.dtype} of "
                           f"{values.shape}")
        if not np.isfinite(values).all():
            raise EseError(f"dataset: {path} must be finite, but holds NaN or Inf")
        return values.astype(np.float32)

    def labels(self, utterance: Utterance) -> NDArray[np.int64]:
        """(frames,), numbers of phones. Raises EseError naming the file."""
        path = self.folder / "labels" / f"{utterance.name}.npy"
        values = _load(path)
        if values.shape != (utterance.frames,) or values.dtype.kind not in "iu":
            raise EseError(f"dataset: {path} must be integers of shape ({utterance.frames},), "
                           f"got {values.dtype} of {values.shape}")
        if values.min() < 0 or values.max() >= len(self.phones):
            raise EseError(f"dataset: {path} must be 0 to {len(self.phones) - 1}, got "
                           f"{values.min()} to {values.max()}")
        return values.astype(np.int64)


def write_header(folder: Path, inputs: int, frame_ms: float, phones: tuple[str, ...],
                 **more: Any) -> None:
    """Write ``dataset.json``; ``more`` records how the data was made."""
    text = json.dumps({"format": FORMAT, "version": VERSION, "inputs": inputs,
                       "frame_ms": frame_ms, "phones": list(phones), **more}, indent=2) + "\n"
    write_atomically(folder / "dataset.json", lambda path: path.write_text(text))


def write_manifest(folder: Path, utterances: list[Utterance]) -> None:
    """Write ``manifest.jsonl``."""
    text = "".join(f"{utterance.to_json()}\n" for utterance in utterances)
    write_atomically(folder / "manifest.jsonl",
                     lambda path: path.write_text(text, encoding="utf-8"))


def save_utterance(folder: Path, name: str, features: NDArray[np.floating],
                   labels: NDArray[np.integer]) -> None:
    """Write both arrays of one utterance, the labels last."""
    save_array(folder / "features" / f"{name}.npy", features)
    save_array(folder / "labels" / f"{name}.npy", labels)


def save_array(path: Path, values: NDArray[Any]) -> None:
    """Write an array, all or nothing."""
    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, values)
    write_atomically(path, write)


def _load(path: Path) -> NDArray[Any]:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError):
        raise EseError(f"dataset: {path} must be a complete .npy file of numbers") from None


def _read_header(folder: Path) -> dict[str, Any]:
    path = folder / "dataset.json"
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise EseError(f"dataset: {folder} must be a dataset folder, but has no readable "
                       f"dataset.json (ese data prepare makes one)") from None
    except json.JSONDecodeError as error:
        raise EseError(f"dataset: {path} must be JSON, but line {error.lineno} is not") from None
    except (ValueError, RecursionError) as error:
        raise EseError(f"dataset: {path} must be JSON in UTF-8, but {error}") from None
    if not isinstance(header, dict) or (header.get("format"), header.get("version")) != (
            FORMAT, VERSION):
        raise EseError(f"dataset: {path} must have format {FORMAT!r} version {VERSION}")
    for key, kind in (("inputs", int), ("frame_ms", (int, float)), ("phones", list)):
        if not isinstance(header.get(key), kind):
            raise EseError(f"dataset: {path} must give {key}, got {header.get(key)!r}")
    return header


def _read_manifest(folder: Path) -> list[Utterance]:
    path = folder / "manifest.jsonl"
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        raise EseError(f"dataset: {folder} must have a readable manifest.jsonl (preparation "
                       f"that was interrupted is resumed by the same command)") from None
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            name, frames = values["name"], values["frames"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise EseError(f"dataset: {path} line {number} must be a JSON object with name and "
                           f"frames") from None
        split = values.get("split") or split_of(name)
        if split not in SPLITS or not isinstance(frames, int) or frames < 1:
            raise EseError(f"dataset: {path} line {number} must have a split of "
                           f"{' or '.join(SPLITS)} and at least one frame, got {split!r} and "
                           f"{frames!r}")
        found.append(Utterance(name, frames, split, values.get("text", "")))
    if not found:
        raise EseError(f"dataset: {path} must list at least one utterance, got none")
    return found
