"""safetensors files: read with numpy; PyTorch only for types that numpy has not (bfloat16, float8).
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ....contract.errors import EseError
from ..reader import Arrays, Reader, TensorFile
from .pytorch import plain_array


def _read(path: Path, prefix: str | None, wanted: Collection[str]) -> TensorFile:
    """A safetensors file. Raises EseError unless it is complete."""
    try:
        file: Any = safe_open(path, framework="numpy")
        names = list(file.keys())
    except SafetensorError as error:
        raise EseError(f"checkpoint: {path.name} must be a complete safetensors file, but "
                       f"reading says: {error}") from None

    def maker(name: str) -> Callable[[], NDArray[Any]]:
        def make() -> NDArray[Any]:
            try:
                tensor = np.asarray(file.get_tensor(name))
                return tensor if tensor.dtype.kind in "fiubc" else tensor.astype(np.float64)
            except (TypeError, AttributeError, KeyError, SafetensorError):
                pass  # numpy has no such type
            try:
                with safe_open(path, framework="pt") as again:
                    return plain_array(again.get_tensor(name), name)
            except (ImportError, TypeError, AttributeError, KeyError, SafetensorError) as error:
                raise EseError(f"checkpoint: {name} must be of a type that PyTorch can read, but "
                               f"reading says: {error}") from None
        return make
    return TensorFile(Arrays({name: maker(name) for name in names}))


READER = Reader((".safetensors",), _read)
