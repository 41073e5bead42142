"""Formats of files that networks are read from: a module each, found by itself.

A module or package here has a ``READER``, a :class:`read.reader.Reader`: the suffixes it accepts
and the function that reads them. Adding one needs no edit elsewhere.

| module | files |
|---|---|
| ``pytorch`` | ``.pt``, ``.pth``, ``.ckpt``, ``.bin``: PyTorch's, needs PyTorch |
| ``safetensors`` | ``.safetensors`` |
| ``onnx`` | ``.onnx``, needs the onnx package |
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from ....contract.errors import EseError
from ..reader import Reader


def readers() -> tuple[Reader, ...]:
    """Of every format: those of plain tensors first, then by the modules' names."""
    found: list[Reader] = [import_module(f".{module.name}", __name__).READER
                           for module in iter_modules(__path__)]
    return tuple(sorted(found, key=lambda reader: reader.stated is not None))


def reader_of(path: Path) -> Reader:
    """The reader of a file, by its suffix. Raises EseError unless it is a file that has one."""
    if not path.is_file():
        raise EseError(f"checkpoint: must be a file, got {str(path)!r}")
    known = readers()
    for reader in known:
        if path.suffix in reader.suffixes:
            return reader
    suffixes = ", ".join(suffix for reader in known for suffix in reader.suffixes)
    raise EseError(f"checkpoint: must end in {suffixes}, got {path.name!r}")
