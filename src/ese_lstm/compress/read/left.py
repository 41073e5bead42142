"""What a file holds beside the LSTM: what changes its outputs is refused, the rest is noted."""

import re
from collections.abc import Iterable, Sequence

from ...contract.errors import EseError
from .names import (
    Part,
    Tensors,
    find_parts,
    hint,
    is_changed,
    is_initial_state,
    is_inner,
    quoted,
    several,
    shape_of,
)
from .reader import TensorFile

_ESCAPE = "; if that is no part of it, name the LSTM's own tensors with --key-map"


def refuse_lost(file: TensorFile, parts: Sequence[Part], source: str) -> None:
    """Raise EseError if a tensor beside or above the parts changes what they compute: a learned
    initial state that isn't 0 (streams start from 0), a reparametrised matrix of theirs, or by
    name or size a peephole or a norm of their gates."""
    starts = {start for part in parts for start in _above(file.root + part.prefix)}
    everything: list[tuple[str, str, Tensors]] = [
        *((file.root + name, name, file.tensors) for name in file.tensors),
        *((name, name, file.beside) for name in file.beside)]
    known = find_parts(file.tensors).values()
    cell = any(part.kind == "LSTMCell" for part in parts)
    inside = []
    for place, name, tensors in everything:
        if tensors is file.tensors and any(part.place(name) for part in known):
            continue
        inner = [place[len(start):] for start in starts if place.startswith(start)]
        if any(is_initial_state(rest) for rest in inner) and tensors[name].any():
            raise EseError(f"checkpoint: {source} must start from states of 0, as the engine's "
                           f"streams do, but has the learned state {name} beside "
                           f"{shown(file, parts)}{_ESCAPE}")
        if any(is_changed(rest) or is_inner(rest, cell) for rest in inner):
            inside.append(name)
    gates = dict.fromkeys(name for part in parts for name in _of_gates(file.tensors, part))
    inside += [name for name in gates if name not in inside]
    if inside:
        raise EseError(f"checkpoint: {source} must hold the whole of {shown(file, parts)} below "
                       f"that prefix, but has {several(inside)} beside it{hint(inside)}{_ESCAPE}")


def shown(file: TensorFile, parts: Sequence[Part]) -> str:
    """The parts' prefixes as a message lists them; of one without, its state dict's place."""
    return quoted(part if part.prefix else Part(file.root, part.kind) for part in parts)


def _of_gates(tensors: Tensors, cell: Part) -> list[str]:
    """Vectors of 4·cells values beside an LSTMCell that are no bias of a matrix: they can only
    scale, norm or shift its gates."""
    key = f"{cell.prefix}weight_hh"
    if cell.kind != "LSTMCell" or key not in tensors:
        return []
    gates = tensors[key].shape[:1]
    parent, _, last = cell.title.rpartition(".")
    if last.isdigit():  # of a ModuleList: whoever has that list
        parent = parent.rpartition(".")[0]
    start = f"{parent}." if parent else ""
    near = {name: shape_of(tensors, name) for name in tensors
            if name.startswith(start) and not name.startswith(cell.prefix)}
    matrices = {name.rpartition(".")[0] for name, shape in near.items() if len(shape) > 1}
    return [name for name, shape in near.items() if shape == gates
            and (name.rpartition(".")[0] == parent or name.rpartition(".")[0] not in matrices)]


def _above(prefix: str) -> list[str]:
    """``""``, ``a.``, ``a.b.`` of ``a.b.``."""
    return [prefix[:end] for end in (0, *(dot.end() for dot in re.finditer(r"\.", prefix)))]


def note_left(left: Iterable[str], where: str, source: str) -> tuple[str, ...]:
    """The sentence on tensors that are left to the host, by name; none if there are none."""
    names = list(left)
    return (f"tensors of {source} {where}, left to the host: {', '.join(names)}",) if names else ()
