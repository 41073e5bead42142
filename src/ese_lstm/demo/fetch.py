"""Fetch the demo's checkpoint and speech by package name; every file used is verified.

The checkpoint is ``resemblyzer/pretrained.pt`` of the PyPI package resemblyzer (Apache-2.0): three
LSTM layers 40 → 256 of a speaker encoder. The speech is a set of Asterisk's recorded prompts
(Debian packages, CC BY-SA 3.0): one speaker, G.722, 16 kHz. Nothing is installed and no root is
needed: packages are downloaded, the few files used are taken out and checked against the SHA-256
recorded here. A wheel or .deb of the right name already lying in the cache folder is used as it
is, so a machine without pip's index or apt can be supplied by hand.
"""

import gzip
import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import EseError
from ..contract.files import write_atomically
from ..registry import apt_download, obtain, pip_download, unpack

CHECKPOINT_PACKAGE = "resemblyzer"
CHECKPOINT_VERSION = "0.1.4"
CHECKPOINT_MEMBER = "resemblyzer/pretrained.pt"
CHECKPOINT_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"

SPEECH_PACKAGE = "asterisk-core-sounds-en-g722"
TEXT_PACKAGE = "asterisk-core-sounds-en"
SPEECH_FOLDER = "usr/share/asterisk/sounds/en_US_f_Allison"
TEXT_MEMBER = "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"

PROMPTS = {  # longest first; name: SHA-256 of the .g722 file
    "demo-instruct": "e40a4040fede5c81ab011f1cfe15971cec7af399b31177f4acfa014a97acb4b5",
    "priv-callee-options": "922a6b576a60fe1474111369222b537d595be8b5a0d33a3c92bd607e89239b6a",
    "demo-congrats": "10b6a51a7509ebcff379dd9f9c08e8abf8d1cc9a5c751b13ec7f0ffb91c6fac5",
    "basic-pbx-ivr-main": "4620856630c5902d611998c75238f550efbbc581fce2cf13d786f536c41a6be0",
    "demo-echotest": "0d95db19f17d00e658e3b9ba528bba13d685376ac506d8188a40b74464af7408",
    "screen-callee-options": "2890f8660193017727aa47065698e9c618ff0658cfeadc5f55a47364c0e8681a",
    "vm-options": "b6df6d0f0fc3c4ff484f3b8c6f305a3f227ef3fef2de300fe17ec24e2244609a",
    "demo-abouttotry": "33aab33615876bcac14a0059bea1715a274be81971c17740bafcc2b2c28dac16",
    "demo-moreinfo": "c6174cec65d78dc2f649bd34295c7e6c8e4178065484eacf64e6976fb49e2129",
    "vm-msginstruct": "32165fcacf209e1a99f768c8fe41d92756343c6beb1d28a5e32f009517107fdd",
    "conf-usermenu": "0e85ded11c246ce7405b4620619ae2d9e97c42c652cda64b24c5840cf1f2e58d",
    "dir-intro": "9da4f3c502ea0ff5d7dfeeac98d10e6a64070d030eeb90996d01aef0888280a2",
}


@dataclass(frozen=True)
class Sources:
    """Verified files: the checkpoint, prompts by name (longest first), their words by name."""

    checkpoint: Path
    prompts: dict[str, Path]
    texts: dict[str, str]


def fetch(cache: Path, note: Callable[[str], None] = lambda text: None) -> Sources:
    """Make sure that checkpoint and prompts lie in ``cache``; downloads only what is missing.

    ``note`` is told in a few words what is being fetched. Raises EseError if a package cannot be
    downloaded or a file differs from the recorded SHA-256.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EseError(f"cache: {cache} must be a writable folder, but {error.strerror}") from None
    return Sources(fetch_checkpoint(cache, note), fetch_prompts(cache, note),
                   fetch_texts(cache, note))


def fetch_checkpoint(cache: Path, note: Callable[[str], None] = lambda text: None) -> Path:
    """``pretrained.pt`` of resemblyzer, out of its wheel; 17 MB, pickled tensors."""
    target = cache / f"{CHECKPOINT_PACKAGE}-{CHECKPOINT_VERSION}" / "pretrained.pt"
    if not _is(target, CHECKPOINT_SHA256):
        wheel = obtain(cache, CHECKPOINT_PACKAGE, f"*esemblyzer-{CHECKPOINT_VERSION}-*.whl",
                       pip_download(f"{CHECKPOINT_PACKAGE}=={CHECKPOINT_VERSION}", cache), note)
        try:
            with zipfile.ZipFile(wheel) as archive:
                data = archive.read(CHECKPOINT_MEMBER)
        except (zipfile.BadZipFile, KeyError):
            raise EseError(f"checkpoint: {wheel} must be a wheel that holds {CHECKPOINT_MEMBER}, "
                           f"but it is damaged; delete it and try again") from None
        _store(target, data, CHECKPOINT_SHA256)
    return target


def fetch_prompts(cache: Path,
                  note: Callable[[str], None] = lambda text: None) -> dict[str, Path]:
    """The prompts of :data:`PROMPTS` as .g722 files, by name."""
    folder = cache / SPEECH_PACKAGE
    targets = {name: folder / f"{name}.g722" for name in PROMPTS}
    missing = [name for name, target in targets.items() if not _is(target, PROMPTS[name])]
    if missing:
        package = obtain(cache, SPEECH_PACKAGE, f"{SPEECH_PACKAGE}_*.deb",
                         apt_download(SPEECH_PACKAGE, cache), note)
        members = unpack(package, {f"{SPEECH_FOLDER}/{name}.g722" for name in missing})
        for name in missing:
            _store(targets[name], members[f"{SPEECH_FOLDER}/{name}.g722"], PROMPTS[name])
    return targets


def fetch_texts(cache: Path,
                note: Callable[[str], None] = lambda text: None) -> dict[str, str]:
    """What is said in each prompt; empty for a prompt without a transcript."""
    target = cache / TEXT_PACKAGE / "core-sounds-en.txt"
    if not target.is_file():
        package = obtain(cache, TEXT_PACKAGE, f"{TEXT_PACKAGE}_*.deb",
                         apt_download(TEXT_PACKAGE, cache), note)
        text = gzip.decompress(unpack(package, {TEXT_MEMBER})[TEXT_MEMBER])
        write_atomically(target, lambda temporary: temporary.write_bytes(text))
    lines = target.read_text(encoding="utf-8", errors="replace").splitlines()
    words = dict(line.split(": ", 1) for line in lines if ": " in line and line[0] != ";")
    return {name: words.get(name, "").strip() for name in PROMPTS}


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _store(path: Path, data: bytes, sha256: str) -> None:
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise EseError(f"{path.name}: must have the SHA-256 {sha256}, got {digest}")
    write_atomically(path, lambda temporary: temporary.write_bytes(data))
