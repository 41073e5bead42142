"""Checkpoint files to tensors, without ever executing code from a file.

``.pt``, ``.pth``, ``.ckpt``, ``.bin``: ``torch.load(weights_only=True)``, needs PyTorch.
``.safetensors``: read with numpy; PyTorch only if the file holds bfloat16.
``.onnx``: read by :mod:`onnx_file`, needs the onnx package.
"""

import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ..contract.errors import EseError
from .names import apply_key_map, directions, stack_cells
from .network import Network
from .onnx_file import ONNX_GATE_ORDER, read_onnx
from .state_dict import TORCH_GATE_ORDER, network_from_tensors, parse_gate_order

TORCH_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
SUFFIXES = (*TORCH_SUFFIXES, ".safetensors", ".onnx")
NESTED_KEYS = ("state_dict", "model_state", "model_state_dict", "model")
"""Where training scripts put a state dict inside a checkpoint, in the order tried."""

CONVERSION = ("where the file is trusted, run torch.save(torch.load(FILE, weights_only=False)"
              ".state_dict(), 'weights.pt') in its own environment (['state_dict'] in place of "
              ".state_dict() for a Lightning checkpoint)")
"""How a file that needs code becomes one that doesn't."""


@dataclass(frozen=True)
class Stack:
    """A network that one engine runs, and where it stands in the file.

    name: "" for the only one, else ``forward``, ``reverse``, or ``l{k}.forward`` … of a deeper
    bidirectional LSTM. reverse: it reads its frames last first, and so are its outputs.
    """

    name: str
    reverse: bool
    network: Network


def load_network(path: Path, prefix: str | None = None, gate_order: str | None = None,
                 key_map: Mapping[str, str] | None = None) -> Network:
    """The LSTM stack in a checkpoint; see :func:`state_dict.network_from_tensors`.

    prefix: which stack; or, of LSTMCells, their prefixes in order, separated by commas.
    gate_order: None for the format's own. key_map: our names of tensors to the file's. Raises
    EseError, naming the file, if it can't be read as data alone, holds no such stack, or a
    bidirectional one (:func:`load_stacks`); and for an order or names that ONNX itself fixes.
    """
    stacks = load_stacks(path, prefix, gate_order, key_map)
    if len(stacks) > 1 or stacks[0].reverse:
        raise EseError(f"checkpoint: {path.name} must hold a forward LSTM here, but it is "
                       f"bidirectional or reverse ({', '.join(s.name for s in stacks)})")
    return stacks[0].network


def load_stacks(path: Path, prefix: str | None = None, gate_order: str | None = None,
                key_map: Mapping[str, str] | None = None) -> tuple[Stack, ...]:
    """As :func:`load_network`, but a bidirectional LSTM gives one network per layer and
    direction: layer by layer, forward before reverse. A host joins them: the input of layer k+1
    is [forward | reverse] of layer k, the reverse outputs brought back into time's order."""
    _check_format(path, gate_order, key_map)
    tensors, notes = _read(path, key_map, prefix)
    if path.suffix == ".onnx":  # one stack, gates in our order
        prefix = gate_order = None
    order = TORCH_GATE_ORDER if gate_order is None else gate_order
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def network(part: Mapping[str, NDArray[Any]], start: str | None) -> Network:
        made = network_from_tensors(part, start, order, path.name)
        return Network(made.layers, path.name, digest, notes)

    if key_map:
        tensors = apply_key_map(tensors, key_map, path.name)
    renamed = stack_cells(tensors, prefix, path.name)
    if renamed is not tensors:
        return (Stack("", False, network(renamed, None)),)
    parts = directions(tensors, prefix)
    if parts is None:
        return (Stack("", False, network(tensors, prefix)),)
    deep = max(layer for layer, _ in parts) > 0
    stacks = tuple(
        Stack((f"l{layer}." if deep else "") + ("reverse" if reverse else "forward"), reverse,
              network(part, prefix)) for (layer, reverse), part in parts.items())
    _check_joined(stacks, list(parts), path.name)
    return stacks


def _check_format(path: Path, gate_order: str | None, key_map: Mapping[str, str] | None) -> None:
    """What an ONNX file says itself must not be said otherwise. Raises EseError if it is."""
    if path.suffix != ".onnx":
        return
    if gate_order is not None and parse_gate_order(gate_order) != parse_gate_order(
            ONNX_GATE_ORDER):
        raise EseError(f"gate_order: must be {ONNX_GATE_ORDER} or not be given for {path.name}, "
                       f"because ONNX fixes the order, got {gate_order!r}")
    if key_map:
        raise EseError(f"key_map: must not be given for {path.name}, because ONNX's LSTM nodes say "
                       f"which tensor is which, got {', '.join(key_map)}")


def _check_joined(stacks: tuple[Stack, ...], places: list[tuple[int, bool]], name: str) -> None:
    """Every layer reads the joined outputs of the one below. Raises EseError if not."""
    width: int | None = None
    for layer in range(places[-1][0] + 1):
        here = [stack.network for stack, place in zip(stacks, places, strict=True)
                if place[0] == layer]
        if not here or any(network.inputs != (width or network.inputs) for network in here):
            raise EseError(f"checkpoint: {name} layer {layer} must read the {width} joined outputs "
                           f"of layer {layer - 1}, but reads "
                           f"{', '.join(str(n.inputs) for n in here) or 'nothing'}")
        width = sum(network.outputs for network in here)


def load_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Every tensor of the state dict that holds the LSTM, by name. Raises EseError as
    :func:`load_network`."""
    return _read(path, None)[0]


def _read(path: Path, key_map: Mapping[str, str] | None, prefix: str | None = None
          ) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Tensors by name, and what to tell of the rest of the file."""
    if not path.is_file():
        raise EseError(f"checkpoint: must be a file, got {str(path)!r}")
    if path.suffix not in SUFFIXES:
        raise EseError(f"checkpoint: must end in {', '.join(SUFFIXES)}, got {path.name!r}")
    if path.suffix == ".onnx":
        found = read_onnx(path, prefix)
        return found.tensors, found.notes
    if path.suffix == ".safetensors":
        return _read_safetensors(path), ()
    return _find_tensors(_read_torch(path), path.name, set((key_map or {}).values())), ()


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
                           f"state_dict() alone: {CONVERSION}") from None
        said = text.split(". ")[0].splitlines()[0] if text else "it is empty"
        raise EseError(f"checkpoint: {path.name} must be a complete PyTorch file, but reading "
                       f"says: {type(error).__name__}: {said}") from None


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with safe_open(path, framework="numpy") as file:
            try:
                return {name: _plain(file.get_tensor(name))
                        for name in file.keys()}  # noqa: SIM118
            except TypeError:  # numpy has no bfloat16, unless ml_dtypes is there
                pass
        with safe_open(path, framework="pt") as file:
            return {name: _array(file.get_tensor(name))
                    for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise EseError(f"checkpoint: {path.name} must be a complete safetensors file, but "
                       f"reading says: {error}") from None


def _plain(tensor: NDArray[Any]) -> NDArray[Any]:
    return tensor.astype(np.float64) if tensor.dtype.name == "bfloat16" else tensor


def _find_tensors(content: Any, name: str, wanted: set[str]) -> dict[str, NDArray[Any]]:
    """The first state dict with one of the tensors ``wanted``, or else with an LSTM's names."""
    found: list[str] = []
    for state in _state_dicts(content):
        tensors = {key: value for key, value in state.items()
                   if isinstance(key, str) and hasattr(value, "detach")}
        found += list(tensors)
        if (wanted & tensors.keys() if wanted else
                any(re.search(r"(weight_[ih]h(_l\d+|$)|W[ifco][xr])", key) for key in tensors)):
            return {key: _array(value) for key, value in tensors.items()}
    if found and wanted:
        raise EseError(f"key_map: must name tensors of {name}, but it has none of "
                       f"{', '.join(sorted(wanted)[:6])}, only {', '.join(found[:6])}")
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
