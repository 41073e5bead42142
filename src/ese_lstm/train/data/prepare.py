"""Filling a dataset folder from a corpus: parallel, resumable, nothing fatal in one recording.

``progress.jsonl`` gets a line a finished recording, used or not, so that the same command goes on
where an interrupted one stopped; ``skipped.jsonl`` names at the end every recording left out and
why.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ...contract.errors import EseError
from ...contract.files import write_atomically
from ...registry import apt_download, obtain, unpack
from .align import PHONES, align
from .audio import SAMPLE_RATE, decode_audio
from .dataset import Utterance, save_utterance, split_of, write_header, write_manifest
from .features import FRAME_MS, INPUTS, features
from .queen import CLIPS, MEMBER, PACKAGE, TRANSCRIBED, QueenFile
from .timit import PHONES as TIMIT_PHONES
from .timit import read_labels, sentences

STRIDE = 2
"""Every second frame of 10 ms is kept."""
CHUNK = 8
MIN_FRAMES = 4


@dataclass(frozen=True)
class Recording:
    """A clip of a corpus: its file's bytes from offset on, and its text."""

    name: str
    text: str
    path: Path
    offset: int
    size: int


@dataclass(frozen=True)
class Prepared:
    """What preparation did. skipped: (name, reason) of recordings left out."""

    recordings: int
    used: int
    frames: int
    held_out: int
    skipped: tuple[tuple[str, str], ...]
    resumed: int
    """Recordings that an earlier run had finished."""

    @property
    def minutes(self) -> float:
        """Length of the used recordings."""
        return self.frames * FRAME_MS * STRIDE / 60000

    def reasons(self) -> dict[str, int]:
        """Recordings left out, by the kind of reason."""
        return dict(Counter(reason.split(":")[0] if "align" not in reason else "alignment"
                            for _, reason in self.skipped))


def queen_recordings(cache: Path, note: Callable[[str], None] = lambda text: None
                     ) -> list[Recording]:
    """The transcribed clips of Flight of the Amazon Queen, fetched if need be.

    Raises EseError if the package cannot be had, or does not hold the known numbers of clips.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EseError(f"cache: {cache} must be a writable folder, but {error.strerror}") from None
    target = cache / PACKAGE / "queen.1c"
    if not target.is_file():
        package = obtain(cache, PACKAGE, f"{PACKAGE}_*.deb", apt_download(PACKAGE, cache), note)
        data = unpack(package, {MEMBER})[MEMBER]
        write_atomically(target, lambda path: path.write_bytes(data))
    corpus = QueenFile(target)
    clips = corpus.clips()
    if (len(corpus.clip_names), len(clips)) != (CLIPS, TRANSCRIBED):
        raise EseError(f"data: {target} must hold {TRANSCRIBED} transcribed of {CLIPS} clips, "
                       f"got {len(clips)} of {len(corpus.clip_names)}")
    return [Recording(clip.name, clip.text, target, clip.offset, clip.size) for clip in clips]


def prepare(recordings: list[Recording], folder: Path, processes: int = 2,
            progress: Callable[[int, int], None] = lambda done, total: None) -> Prepared:
    """Align and compute features of every recording that ``folder`` does not have yet.

    Raises EseError if the folder was made otherwise or can't be written (what is done stays), or
    if no recording is usable.
    """
    _check_folder(folder)
    done = _read_progress(folder)
    wanted = {recording.name: recording for recording in recordings}
    todo = [recording for name, recording in wanted.items() if name not in done]
    resumed = len(wanted) - len(todo)
    progress(resumed, len(wanted))
    try:
        with (folder / "progress.jsonl").open("a", encoding="utf-8") as log:
            for number, result in enumerate(_results(todo, folder, processes), start=1):
                done[result["name"]] = result
                log.write(json.dumps(result) + "\n")
                log.flush()
                progress(resumed + number, len(wanted))
    except OSError as error:
        raise EseError(f"output: {folder} must be writable, but {error.strerror}; what is done "
                       f"stays, and the same command goes on from there") from None
    return _finish(folder, wanted, done, resumed)


def prepare_timit(corpus: Path, folder: Path, limit: int | None = None,
                  progress: Callable[[int, int], None] = lambda done, total: None) -> Prepared:
    """TIMIT with its own labels; the TEST side is held out. Raises EseError as :func:`prepare`."""
    found = list(sentences(corpus))
    found = found if limit is None else [found[k * len(found) // limit]
                                         for k in range(min(limit, len(found)))]
    write_header(folder, INPUTS, float(FRAME_MS * STRIDE), TIMIT_PHONES, corpus="TIMIT")
    used, skipped = [], []
    for number, sentence in enumerate(found):
        progress(number, len(found))
        try:
            samples = decode_audio(sentence.wav.read_bytes(), sentence.name)
            values = features(samples)[::STRIDE]
            labels = read_labels(sentence.phones, len(values), SAMPLE_RATE * FRAME_MS * STRIDE
                                 // 1000)
            if len(values) < MIN_FRAMES:
                raise EseError(f"audio: {sentence.name} must have at least {MIN_FRAMES} frames, "
                               f"got {len(values)}")
        except EseError as error:
            skipped.append((sentence.name, str(error)))
            continue
        save_utterance(folder, sentence.name, values.astype("float16"), labels)
        used.append(Utterance(sentence.name, len(values), sentence.split))
    _write_skipped(folder, skipped)
    if not used:
        raise EseError(f"timit: at least one sentence must be usable, but none of {len(found)} "
                       f"is; the first: {skipped[0][1]}")
    write_manifest(folder, used)
    return Prepared(len(found), len(used), sum(utterance.frames for utterance in used),
                    sum(utterance.split == "held-out" for utterance in used), tuple(skipped), 0)


def _results(todo: list[Recording], folder: Path, processes: int) -> Iterator[dict[str, Any]]:
    jobs = ((recording, folder) for recording in todo)
    if processes == 1 or len(todo) < CHUNK:
        yield from map(_one, jobs)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(_one, jobs, chunksize=CHUNK)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one(job: tuple[Recording, Path]) -> dict[str, Any]:
    """One recording; its progress line. An unwritable folder raises, all else is a reason."""
    recording, folder = job
    name = recording.name
    try:
        with recording.path.open("rb") as file:
            file.seek(recording.offset)
            data = file.read(recording.size)
        samples = decode_audio(data, name)
        labels = align(samples, recording.text, name)
        values = features(samples)
    except EseError as error:
        return {"name": name, "skipped": str(error)}
    length = min(len(values), len(labels))
    values, labels = values[:length:STRIDE], labels[:length:STRIDE]
    if len(values) < MIN_FRAMES:
        return {"name": name, "skipped": f"audio: {name} must have at least {MIN_FRAMES} frames, "
                                         f"got {len(values)}"}
    save_utterance(folder, name, values.astype("float16"), labels)
    return {"name": name, "frames": len(values)}


def _check_folder(folder: Path) -> None:
    made = {"corpus": "queen.1c", "stride": STRIDE, "features": "fbank50+energy, deltas"}
    path = folder / "dataset.json"
    if path.is_file():
        try:
            header = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, RecursionError):
            header = {}
        if any(header.get(key) != value for key, value in made.items()):
            raise EseError(f"output: {folder} must be a new folder, or one that the same "
                           f"preparation began, but {path.name} says otherwise")
    else:
        write_header(folder, INPUTS, float(FRAME_MS * STRIDE), PHONES, **made)


def _read_progress(folder: Path) -> dict[str, dict[str, Any]]:
    """Finished recordings; a line that an interruption cut off does not count."""
    path = folder / "progress.jsonl"
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    whole = text[:text.rfind("\n") + 1]
    if whole != text:
        write_atomically(path, lambda temporary: temporary.write_text(whole, encoding="utf-8"))
    found = {}
    for line in whole.splitlines():
        try:
            values = json.loads(line)
            found[values["name"]] = values
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return found


def _finish(folder: Path, wanted: dict[str, Recording], done: dict[str, dict[str, Any]],
            resumed: int) -> Prepared:
    used, skipped = [], []
    for name, recording in wanted.items():
        result = done[name]
        if "frames" in result:
            used.append(Utterance(name, result["frames"], split_of(name), recording.text))
        else:
            skipped.append((name, str(result.get("skipped"))))
    _write_skipped(folder, skipped)
    if not used:
        reason = skipped[0][1] if skipped else "there is none"
        raise EseError(f"data: at least one recording must be usable, but none of {len(wanted)} "
                       f"is; the first: {reason}")
    write_manifest(folder, used)
    held_out = sum(utterance.split == "held-out" for utterance in used)
    return Prepared(len(wanted), len(used), sum(utterance.frames for utterance in used), held_out,
                    tuple(skipped), resumed)


def _write_skipped(folder: Path, skipped: Iterable[tuple[str, str]]) -> None:
    text = "".join(json.dumps({"name": name, "reason": reason}) + "\n"
                   for name, reason in skipped)
    write_atomically(folder / "skipped.jsonl",
                     lambda path: path.write_text(text, encoding="utf-8"))
