"""PyTorch's files, by ``torch.load(weights_only=True)``: state dicts in containers of any kind."""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....contract.errors import EseError
from ..names import find_parts
from ..reader import Arrays, Reader, TensorFile

DEEPEST = 64
"""Containers within one another that are looked into."""

CONVERSION = ("where the file is trusted, run torch.save(torch.load(FILE, weights_only=False)"
              ".state_dict(), 'weights.pt') in its own environment (['state_dict'] in place of "
              ".state_dict() for a Lightning checkpoint)")
"""How a file that needs code becomes one that doesn't."""


def _read(path: Path, prefix: str | None, wanted: Collection[str]) -> TensorFile:
    """The state dict with recurrent parts, or with the tensors ``wanted``. Raises EseError if
    reading it needs code or if it holds no such state dict."""
    content = _load(path)
    found: dict[str, tuple[str, Any]] = {}
    dicts: dict[str, list[str]] = {}
    counted: Counter[str] = Counter()
    listed: set[str] = set()
    for place, key, tensor, by_name in _walk(content, path.name):
        name = f"{place}{key}"
        if name in found:
            raise EseError(f"checkpoint: {path.name} must name a tensor once, but has two of the "
                           f"name {name}")
        found[name] = place, tensor
        dicts.setdefault(place, []).append(key)
        if not by_name:
            listed.add(name)
    if not found:
        keys = list(content)[:6] if isinstance(content, Mapping) else type(content).__name__
        raise EseError(f"checkpoint: {path.name} must hold a state dict, but holds {keys}")
    chosen = [place for place, keys in dicts.items()
              if (set(wanted) & set(keys) if wanted else find_parts(keys))]
    root = chosen[0] if len(chosen) == 1 else ""
    tensors, beside = {}, {}
    for name, (place, tensor) in found.items():
        if chosen and name in listed and not any(place.startswith(start) for start in chosen):
            counted[name.partition(".")[0]] += 1
        elif name.startswith(root):
            tensors[name[len(root):]] = _maker(tensor, name)
        else:
            beside[name] = _maker(tensor, name)
    note = ", ".join(f"{key} ({count} tensors)" for key, count in counted.items())
    return TensorFile(Arrays(tensors), root, Arrays(beside),
                      (f"not read of {path.name}: {note}",) if note else ())


def _load(path: Path) -> Any:
    try:
        import torch
    except ImportError:
        raise EseError(f"checkpoint: reading {path.name} needs PyTorch, which is not installed "
                       f"(pip install 'ese-lstm[compress]'); .safetensors files don't") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with torch.serialization.safe_globals(_numbers_of_numpy()):
                return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 (torch raises any kind for a file not its own)
        text = str(error)
        name = re.search(r"GLOBAL (\S+)", text)
        if "weights_only" in text or name:
            what = f"load {name[1]}" if name else "execute code or is not a plain state dict"
            raise EseError(f"checkpoint: {path.name} must hold only tensors and plain containers, "
                           f"but reading it would {what}, which is refused; save the "
                           f"state_dict() alone: {CONVERSION}") from None
        said = text.split(". ")[0].splitlines()[0] if text else "it is empty"
        raise EseError(f"checkpoint: {path.name} must be a complete PyTorch file, but reading "
                       f"says: {type(error).__name__}: {said}") from None


def _numbers_of_numpy() -> list[Any]:
    """What a file of numpy's numbers and arrays of numbers names, also numpy 1's: a training
    loop's best loss, a normalisation. None of it runs code, and objects in arrays stay refused."""
    makers: list[Any] = [np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]]
    named = [(maker, f"numpy.{core}.multiarray.{maker.__name__}")
             for maker in makers for core in ("core", "_core")]
    return [*named, np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd")]


def _walk(content: Any, source: str, place: str = "", by_name: bool = True, depth: int = 0
          ) -> Iterator[tuple[str, str, Any, bool]]:
    """Every tensor: its container's place ("" or ending in a dot), its key, itself, and whether
    names alone lead to it (an optimiser's lie in lists, or by number)."""
    if depth > DEEPEST and isinstance(content, Mapping | list | tuple):
        raise EseError(f"checkpoint: {source} must hold at most {DEEPEST} containers within one "
                       f"another, but has more below {place.partition('.')[0]!r}")
    items: Any = ()
    if isinstance(content, Mapping):
        items = content.items()
    elif isinstance(content, list | tuple):
        items = enumerate(content)
    for key, value in items:
        if hasattr(value, "detach") or isinstance(value, np.ndarray):
            yield place, str(key), value, by_name and isinstance(key, str)
        else:
            yield from _walk(value, source, f"{place}{key}.", by_name and isinstance(key, str),
                             depth + 1)


def _maker(tensor: Any, name: str) -> Callable[[], NDArray[Any]]:
    return lambda: plain_array(tensor, name)


def plain_array(tensor: Any, name: str) -> NDArray[Any]:
    """A tensor of PyTorch or numpy in numpy, PyTorch's floating point in double precision. Raises
    EseError if it holds no numbers that numpy has."""
    try:
        if isinstance(tensor, np.ndarray):
            return tensor
        tensor = tensor.detach().cpu()
        tensor = tensor.dequantize() if tensor.is_quantized else tensor.to_dense()
        if tensor.is_floating_point():
            tensor = tensor.double()
        return np.asarray(tensor.numpy())
    except (RuntimeError, TypeError, NotImplementedError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise EseError(f"checkpoint: {name} must hold plain numbers, but reading says: "
                       f"{said}") from None


READER = Reader((".pt", ".pth", ".ckpt", ".bin"), _read)
