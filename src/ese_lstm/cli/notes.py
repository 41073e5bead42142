"""Warnings about a user's files, as lines on standard error."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from ..contract.image import UnverifiedImage
from .show import console


@contextmanager
def notes() -> Iterator[None]:
    """Show every UnverifiedImage as one line, ``note: …``; other warnings as ever."""
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int,
             file: TextIO | None = None, line: str | None = None) -> None:
        if issubclass(category, UnverifiedImage):
            console.print(f"note: {message}", markup=False, highlight=False, soft_wrap=True)
        else:
            before(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UnverifiedImage)
        warnings.showwarning = show
        yield
