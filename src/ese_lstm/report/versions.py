"""Versions that figures depend on."""

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

ABSENT = "not installed"


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of Python, as ``python``, and of each package, or ABSENT."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ABSENT
    return found
