"""Checkpoint files to tensors, without ever executing code from a file.

``.pt``, ``.pth``, ``.ckpt``, ``.bin``: ``torch.load(weights_only=True)``, needs PyTorch.
``.safetensors``: read with numpy; PyTorch only if the file holds bfloat16.
"""

import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ..contract.errors import EseError
from .network import Network
from .state_dict import TORCH_GATE_ORDER, network_from_tensors

TORCH_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
SUFFIXES = (*TORCH_SUFFIXES, ".safetensors")
NESTED_KEYS = ("state_dict", "model_state", "model_state_dict", "model")
"""Where training scripts put a state dict inside a checkpoint, in the order tried."""


def load_network(path: Path, prefix: str | None = None,
                 gate_order: str = TORCH_GATE_ORDER) -> Network:
    """The LSTM stack in a checkpoint; see :func:`state_dict.network_from_tensors`.

    Raises EseError, naming the file, if it can't be read as data alone or holds no such stack.
    """
    tensors = load_tensors(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    network = network_from_tensors(tensors, prefix, gate_order, path.name)
    return Network(network.layers, path.name, digest)


def load_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Every tensor of the state dict that holds the LSTM, by name. Raises EseError as
    :func:`load_network`."""
    if not path.is_file():
        raise EseError(f"checkpoint: must be a file, got {str(path)!r}")
    if path.suffix not in SUFFIXES:
        raise EseError(f"checkpoint: must end in {', '.join(SUFFIXES)}, got {path.name!r}")
    return (_read_safetensors(path) if path.suffix == ".safetensors"
            else _find_tensors(_read_torch(path), path.name))


def _read_torch(path: Path) -> Any:
    try:
        import torch
    except ImportError:
        raise EseError(f"checkpoint: reading {path.name} needs PyTorch, which is not installed "
                       f"(pip install 'ese-lstm[compress]'); .safetensors files don't") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 (torch raises any kind for a file not its own)
        text = str(error)
        name = re.search(r"GLOBAL (\S+)", text)
        if "weights_only" in text or name:
            what = f"load {name[1]}" if name else "execute code or is not a plain state dict"
            raise EseError(f"checkpoint: {path.name} must hold only tensors and plain containers, "
                           f"but reading it would {what}, which is refused; save the "
                           f"state_dict() alone") from None
        said = text.split(". ")[0].splitlines()[0] if text else "it is empty"
        raise EseError(f"checkpoint: {path.name} must be a complete PyTorch file, but reading "
                       f"says: {type(error).__name__}: {said}") from None


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with safe_open(path, framework="numpy") as file:
            try:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            except TypeError:  # numpy has no bfloat16
                pass
        with safe_open(path, framework="pt") as file:
            return {name: _array(file.get_tensor(name))
                    for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise EseError(f"checkpoint: {path.name} must be a complete safetensors file, but "
                       f"reading says: {error}") from None


def _find_tensors(content: Any, name: str) -> dict[str, NDArray[Any]]:
    found: list[str] = []
    for state in _state_dicts(content):
        tensors = {key: value for key, value in state.items()
                   if isinstance(key, str) and hasattr(value, "detach")}
        found += list(tensors)
        if any(re.search(r"(weight_[ih]h_l\d+|W[ifco][xr])", key) for key in tensors):
            return {key: _array(value) for key, value in tensors.items()}
    if not found:
        keys = list(content)[:6] if isinstance(content, Mapping) else type(content).__name__
        raise EseError(f"checkpoint: {name} must hold a state dict, at the top or under "
                       f"{', '.join(NESTED_KEYS)}, but holds {keys}")
    raise EseError(f"checkpoint: {name} must hold an LSTM (tensors such as weight_ih_l0, or Wix), "
                   f"but holds {', '.join(found[:6])}{' …' if len(found) > 6 else ''}")


def _state_dicts(content: Any, depth: int = 0) -> Iterator[Mapping[Any, Any]]:
    if isinstance(content, Mapping) and depth < 4:
        yield content
        for key in NESTED_KEYS:
            yield from _state_dicts(content.get(key), depth + 1)


def _array(tensor: Any) -> NDArray[Any]:
    tensor = tensor.detach().cpu()
    if tensor.is_quantized or tensor.is_sparse:
        tensor = tensor.dequantize() if tensor.is_quantized else tensor.to_dense()
    if tensor.is_floating_point():
        tensor = tensor.double()
    return np.asarray(tensor.numpy())
