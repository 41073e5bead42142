"""Names of tensors brought to PyTorch's: a key map, LSTMCells as layers, directions apart."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ..contract.errors import EseError

_CELL_NAME = re.compile(r"(?P<prefix>(?:.*\.)?)(?P<name>weight_ih|weight_hh|bias_ih|bias_hh)")
_REVERSE_NAME = re.compile(r"(?P<prefix>(?:.*\.)?)\w+_l(?P<layer>\d+)(?P<reverse>_reverse)?")

Tensors = Mapping[str, NDArray[Any]]


def apply_key_map(tensors: Tensors, key_map: Mapping[str, str],
                  source: str) -> dict[str, NDArray[Any]]:
    """The tensors named in ``key_map`` (our name → the file's) under our names, no others.

    Raises EseError if the file has no tensor of that name."""
    missing = [theirs for theirs in key_map.values() if theirs not in tensors]
    if missing:
        there = list(tensors)
        raise EseError(f"key_map: must name tensors of {source}, but it has no {missing[0]!r}, "
                       f"only {', '.join(there[:6])}{' …' if len(there) > 6 else ''}")
    return {ours: tensors[theirs] for ours, theirs in key_map.items()}


def stack_cells(tensors: Tensors, prefix: str | None, source: str) -> Tensors:
    """LSTMCells (``weight_ih`` without a layer's number) renamed to layers of one LSTM.

    Prefixes that differ in one number alone (``cells.0``, ``cells.1``) are layers in the order of
    that number; others need ``prefix``, comma-separated in the order of the layers. Files
    without cells come back unchanged. Raises EseError if the order can't be known.
    """
    found = {match["prefix"]: None for key in tensors if (match := _CELL_NAME.fullmatch(key))}
    if not found:
        return tensors
    prefixes = list(found)
    if prefix is not None:
        wanted = [part if not part or part.endswith(".") else f"{part}."
                  for part in prefix.split(",")]
        if len(wanted) == 1 and wanted[0] not in prefixes:
            prefixes = [name for name in prefixes if name.startswith(wanted[0])]
        elif all(name in prefixes for name in wanted):
            prefixes = wanted
        else:
            prefixes = []
        if not prefixes:
            if any(re.search(r"_l\d+(_reverse)?$", key) for key in tensors):
                return tensors
            raise EseError(f"prefix: must be among {_listed(found)} in {source}, got {prefix!r}")
    if prefix is None or "," not in prefix:
        prefixes = _numbered(prefixes, source)
    renamed = {}
    for layer, start in enumerate(prefixes):
        for key, tensor in tensors.items():
            match = _CELL_NAME.fullmatch(key)
            if match and match["prefix"] == start:
                renamed[f"{match['name']}_l{layer}"] = tensor
    return renamed


def _numbered(prefixes: Sequence[str], source: str) -> list[str]:
    """Prefixes in the order of the one number in which they differ."""
    if len(prefixes) == 1:
        return list(prefixes)
    parts = [re.split(r"(\d+)", name) for name in prefixes]
    same = len({len(part) for part in parts}) == 1
    different = [k for k in range(len(parts[0])) if len({part[k] for part in parts}) > 1] \
        if same else []
    if len(different) != 1 or different[0] % 2 == 0:
        raise EseError(f"prefix: must list the LSTMCells of {source} in the order of the layers "
                       f"(prefix,prefix,…), because their names don't tell it: "
                       f"{_listed(prefixes)}")
    return [name for _, name in sorted(zip(
        [int(part[different[0]]) for part in parts], prefixes, strict=True))]


def _listed(prefixes: Any) -> str:
    return ", ".join(repr(name.removesuffix(".")) for name in sorted(prefixes))


def directions(tensors: Tensors, prefix: str | None) -> dict[tuple[int, bool], Tensors] | None:
    """The tensors of each (layer, reverse?) of a bidirectional LSTM, each named as layer 0.

    None if no tensor (under ``prefix``, if given) belongs to a reverse direction.
    """
    start = None if prefix is None else (prefix if not prefix or prefix.endswith(".")
                                         else f"{prefix}.")
    parts: dict[tuple[int, bool], dict[str, NDArray[Any]]] = {}
    for key, tensor in tensors.items():
        match = _REVERSE_NAME.fullmatch(key)
        if match and start in (None, match["prefix"]):
            name = re.sub(r"_l\d+(_reverse)?$", "_l0", key)
            parts.setdefault((int(match["layer"]), bool(match["reverse"])), {})[name] = tensor
    return dict(sorted(parts.items())) if any(reverse for _, reverse in parts) else None
