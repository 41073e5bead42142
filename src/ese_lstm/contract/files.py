"""Output files: all or nothing, through links and into devices, and never over an input.

A temporary file beside the target takes the content and then its place, so that whoever reads
sees the old file or the new one. A link stays and its target is replaced; a device, a FIFO or
``/dev/stdout`` is opened and written. A new file has the mode that the umask leaves, a replaced
one keeps its own.
"""

import errno
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from safetensors import SafetensorError

from .errors import EseError

Write = Callable[[Path], object]
"""Fills the file at a path that exists and is empty."""

_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2, "/dev/fd/1": 1, "/dev/fd/2": 2,
             "/proc/self/fd/1": 1, "/proc/self/fd/2": 2}


def write_atomically(path: Path, write: Write) -> None:
    """Write one file; see :func:`write_together`."""
    write_together({path: write})


def write_together(outputs: Mapping[Path, Write]) -> None:
    """Write files, all or none of them; folders above them are made.

    Raises EseError naming the file that can't be written; what was there before then stays, and
    no temporary file is left, whatever ``write`` raises.
    """
    check_outputs(outputs)
    with ExitStack() as stack:
        drafts = [stack.enter_context(_draft(path)) for path in outputs]
        for draft, write in zip(drafts, outputs.values(), strict=True):
            with _writing(draft.path):
                write(draft.temporary)
        # What can fail once more comes before renaming, which can't.
        for draft in sorted(drafts, key=lambda draft: draft.target is not None):
            with _writing(draft.path):
                draft.finish()


def write_contents(contents: Mapping[Path, bytes | str]) -> None:
    """As :func:`write_together`, of these contents; texts in UTF-8."""
    data = {path: content.encode() if isinstance(content, str) else content
            for path, content in contents.items()}
    write_together({path: partial(_fill, part) for path, part in data.items()})


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path | None] = ()) -> None:
    """Raise EseError if a file to write is a folder, or the same file as another one to write or
    as one that is read, whatever their names; None is no file, and a character device is never
    the same."""
    taken = {_identity(path): f"the input {path}" for path in inputs
             if path is not None and path.is_file()}
    for path in outputs:
        if path is None:
            continue
        _place(path)
        if path.is_char_device():
            continue
        identity = _identity(path)
        if identity in taken:
            raise EseError(f"output: {path} must be another file than every input and output, but "
                           f"is {taken[identity]}")
        taken[identity] = f"the output {path}"


def is_standard_output(path: Path) -> bool:
    """What is written there comes out of this process' standard output."""
    return _STANDARD.get(str(path)) == 1


def beside(path: Path, suffix: str) -> Path:
    """The path with another suffix, for a file that belongs to the one at ``path``; a device or a
    FIFO, which nothing lies beside, takes both."""
    return path if path.exists() and not path.is_file() else path.with_suffix(suffix)


def check_folder(path: Path) -> None:
    """Raise EseError if ``path`` is no folder and can't become one, because a file is there."""
    for part in (path, *path.parents):
        if os.path.lexists(part):
            if not part.is_dir():
                raise EseError(f"output: {path} must be a folder, but {part} is a file")
            return


def make_folder(path: Path) -> Path:
    """The folder, made if missing with those above it. Raises EseError if it can't be."""
    check_folder(path)
    with _writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


@dataclass(frozen=True)
class _Draft:
    """A temporary file for ``path``, and the file that it replaces; target None: its bytes are
    written through to ``path``."""

    path: Path
    target: Path | None
    temporary: Path
    mode: int
    owner: tuple[int, int] | None
    """User and group of the file replaced."""

    def finish(self) -> None:
        if self.target is None:
            with self.temporary.open("rb") as file:
                self._write_through(file.read())
            return
        if self.owner is not None:
            with suppress(PermissionError):
                os.chown(self.temporary, *self.owner)
        self.temporary.chmod(self.mode)
        self.temporary.replace(self.target)

    def _write_through(self, data: bytes) -> None:
        number = _STANDARD.get(str(self.path))
        if number is None:
            with self.path.open("wb") as file:
                file.write(data)
            return
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        with os.fdopen(os.dup(number), "wb") as file:
            file.write(data)


@contextmanager
def _draft(path: Path) -> Iterator[_Draft]:
    before = _place(path)
    regular = before is None or stat.S_ISREG(before.st_mode)
    target = Path(os.path.realpath(path)) if regular and str(path) not in _STANDARD else None
    with _writing(path):
        if target is None:
            temporary = _empty_file(Path(tempfile.gettempdir()), path.name)
        else:
            if before is not None and not os.access(target, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = _empty_file(target.parent, target.name)
    mode = stat.S_IMODE((before if before is not None else temporary.stat()).st_mode)
    try:
        yield _Draft(path, target, temporary, mode, before and (before.st_uid, before.st_gid))
    finally:
        temporary.unlink(missing_ok=True)


def _fill(data: bytes, path: Path) -> None:
    path.write_bytes(data)


def _empty_file(folder: Path, name: str) -> Path:
    """A new file of its own name, with the mode that the umask leaves."""
    path = folder / f".{name[:32]}.{secrets.token_hex(8)}"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return path


def _place(path: Path) -> os.stat_result | None:
    """What is at ``path``, links followed; None: nothing. Raises EseError if no file can be."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unwritable(path, error) from None
    if stat.S_ISDIR(there.st_mode):
        raise EseError(f"output: {path} must be a file, but is a folder")
    return there


def _identity(path: Path) -> object:
    """Equal for two names of one file, existing or not."""
    try:
        there = path.stat()
    except OSError:
        return os.path.realpath(path)
    return there.st_dev, there.st_ino


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: Exception) -> EseError:
    reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
    return EseError(f"output: {path} must be writable, but {reason}")
