"""Models and checkpoints: safetensors files whose tensors and settings have one checksum.

The metadata's one key, a name with VERSION behind it, holds JSON of the settings and of ``sha256``,
which covers them and every tensor. Files from before it was there have the plain name.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..contract.errors import EseError
from ..contract.files import write_atomically

CHECKSUM = "sha256"
VERSION = ".2"

_DAMAGE = (SafetensorError, OSError, ValueError, TypeError, AttributeError, LookupError,
           ArithmeticError, MemoryError, RecursionError)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], key: str, values: Mapping[str, Any]
                 ) -> None:
    """Write tensors, and JSON values as the metadata. Raises EseError."""
    plain = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    values = {**values, CHECKSUM: _checksum(plain, values)}
    write_atomically(path, lambda temporary: save_file(
        plain, temporary, {key + VERSION: json.dumps(values)}))


def read_tensors(path: Path, key: str, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Inverse of :func:`save_tensors`; kind: what errors call the file. Raises EseError if it is
    damaged or no such file."""
    if not path.is_file():
        raise EseError(f"{kind}: must be a file, got {str(path)!r}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        old = metadata.keys() == {key}
        values = (json.loads(metadata[key if old else key + VERSION])
                  if old or metadata.keys() == {key + VERSION} else None)
        if not isinstance(values, dict):
            raise EseError(f"{kind}: {path} must be written by ese train, but holds "
                           f"{', '.join(sorted(tensors)[:4])} …")
        whole = old or values.pop(CHECKSUM, None) == _checksum(tensors, values)
    except EseError:
        raise
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise EseError(f"{kind}: {path} must be a complete safetensors file, but reading says: "
                       f"{reason}") from None
    if not whole:
        raise EseError(f"{kind}: {path} must match its SHA-256, but the file is corrupted")
    return values, tensors


def _checksum(tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        digest.update(f"\0{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
