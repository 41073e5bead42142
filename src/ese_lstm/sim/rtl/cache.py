"""Where built simulators are kept: ``$XDG_CACHE_HOME/ese-lstm/verilator``.

``~/.cache`` stands for an unset ``$XDG_CACHE_HOME``.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEPT_SIMULATORS = 40


def cache_directory() -> Path:
    """The folder, made if it is missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(base) / "ese-lstm" / "verilator"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """While it is entered, no other process is inside for the same path."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_room(cache: Path) -> None:
    """Forget the simulators unused for longest."""
    kept = sorted((path for path in cache.iterdir() if path.is_dir() and "." not in path.name),
                  key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[KEPT_SIMULATORS:]:
        shutil.rmtree(path, ignore_errors=True)
