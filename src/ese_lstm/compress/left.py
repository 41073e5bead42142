"""What a file holds beside the LSTM: what changes its outputs is refused, the rest is noted."""

import re
from collections.abc import Iterable, Sequence

from ..contract.errors import EseError
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
)
from .tensor_file import TensorFile

_ESCAPE = "; if it is none of its, name the LSTM's own tensors with --key-map"


def refuse_lost(file: TensorFile, parts: Sequence[Part], source: str) -> None:
    """Raise EseError if a tensor beside or above the parts changes what they compute: a learned
    initial state that isn't 0 (streams start from 0), a reparametrised matrix of theirs, or by its
    name a peephole or a norm of their gates."""
    starts = {start for part in parts for start in _above(file.root + part.prefix)}
    everything: list[tuple[str, str, Tensors]] = [
        *((file.root + name, name, file.tensors) for name in file.tensors),
        *((name, name, file.beside) for name in file.beside)]
    known = find_parts(file.tensors).values()
    inside = []
    for place, name, tensors in everything:
        if tensors is file.tensors and any(part.place(name) for part in known):
            continue
        inner = [place[len(start):] for start in starts if place.startswith(start)]
        if any(is_initial_state(rest) for rest in inner) and tensors[name].any():
            raise EseError(f"checkpoint: {source} must start from states of 0, as the engine's "
                           f"streams do, but has the learned state {name} beside "
                           f"{quoted(parts)}{_ESCAPE}")
        if any(is_changed(rest) or is_inner(rest) for rest in inner):
            inside.append(name)
    if inside:
        raise EseError(f"checkpoint: {source} must hold the whole of {quoted(parts)} below that "
                       f"prefix, but has {several(inside)} beside it{hint(inside)}{_ESCAPE}")


def _above(prefix: str) -> list[str]:
    """``""``, ``a.``, ``a.b.`` of ``a.b.``."""
    return [prefix[:end] for end in (0, *(dot.end() for dot in re.finditer(r"\.", prefix)))]


def note_left(left: Iterable[str], where: str, source: str) -> tuple[str, ...]:
    """The sentence on tensors that are left to the host, by name; none if there are none."""
    names = list(left)
    return (f"tensors of {source} {where}, left to the host: {', '.join(names)}",) if names else ()
