"""Python's shared library, which cocotb loads into the simulator."""

import os
import sys
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path

import find_libpython

from ... import registry
from ...contract.errors import EseError
from ...contract.files import write_atomically

VARIABLE = "LIBPYTHON_LOC"
"""Where cocotb looks first."""

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES = (f"libpython{VERSION}", f"libpython{VERSION}t64")
"""Debian's and Ubuntu's names of the package that holds it."""

FILES = tuple(f"usr/lib/{machine}-linux-gnu/libpython{VERSION}.so.1.0"
              for machine in ("x86_64", "aarch64"))


def provide(cache: Path, note: Callable[[str], None] = lambda text: None) -> None:
    """See to it that cocotb finds the library.

    Debian's and Ubuntu's Python come without it: it is then taken out of their package into
    ``cache``, without root. Raises EseError if it is neither here nor to be had.
    """
    if os.environ.get(VARIABLE) or find_libpython.find_libpython():
        return
    target = cache / Path(FILES[0]).name
    if not target.is_file():
        _fetch(cache, target, note)
    os.environ[VARIABLE] = str(target)


def _fetch(cache: Path, target: Path, note: Callable[[str], None]) -> None:
    reason: EseError | None = None
    for name in PACKAGES:
        try:
            package = registry.obtain(cache, name, f"{name}_*.deb",
                                      registry.apt_download(name, cache), note)
        except EseError as error:
            reason = error
            continue
        for file in FILES:
            try:
                data = registry.unpack(package, [file])[file]
            except EseError as error:
                reason = error
                continue
            write_atomically(target, methodcaller("write_bytes", data))
            return
    raise EseError(f"simulation: Python's shared library must be installed (Debian: "
                   f"{PACKAGES[0]}); fetching it failed: {reason}")
