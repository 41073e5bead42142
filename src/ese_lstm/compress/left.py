"""What a file holds beside the LSTM: learned initial states are refused, the rest is noted."""

import re
from collections.abc import Iterable, Sequence

from ..contract.errors import EseError
from .names import (
    Part,
    Tensors,
    find_parts,
    hint,
    is_changed,
    quoted,
    several,
    words_of,
)
from .tensor_file import TensorFile

_STATE = {"h", "c", "hx", "cx", "hc", "hidden", "hiddens", "cell", "cells", "state", "states",
          "carry", "memory"}
_FIRST = {"init", "initial", "start", "learned", "learnt", "learnable"}
_OWNER = {"lstm", "rnn", "encoder", "decoder", "enc", "dec", "prev", "last", "layer", "l"}
"""Words of a state's name: what it is, that it is the first, whose it is."""


def refuse_lost(file: TensorFile, parts: Sequence[Part], source: str) -> None:
    """Raise EseError if a tensor beside or above the parts changes what they compute: a learned
    initial state that isn't 0 (streams start from 0), or a reparametrised matrix of theirs."""
    starts = {start for part in parts for start in _above(file.root + part.prefix)}
    everything: list[tuple[str, str, Tensors]] = [
        *((file.root + name, name, file.tensors) for name in file.tensors),
        *((name, name, file.beside) for name in file.beside)]
    known = find_parts(file.tensors).values()
    changed = []
    for place, name, tensors in everything:
        if tensors is file.tensors and any(part.place(name) for part in known):
            continue
        inner = [place[len(start):] for start in starts if place.startswith(start)]
        if any(is_initial_state(rest) for rest in inner) and tensors[name].any():
            raise EseError(f"checkpoint: {source} must start from states of 0, as the engine's "
                           f"streams do, but has the learned state {name} beside "
                           f"{quoted(parts)}; if it is none, name the LSTM's tensors with "
                           f"--key-map")
        if any(is_changed(rest) for rest in inner):
            changed.append(name)
    if changed:
        raise EseError(f"checkpoint: {source} must hold the weights of {quoted(parts)} alone, but "
                       f"has {several(changed)} beside them{hint(changed)}")


def _above(prefix: str) -> list[str]:
    """``""``, ``a.``, ``a.b.`` of ``a.b.``."""
    return [prefix[:end] for end in (0, *(dot.end() for dot in re.finditer(r"\.", prefix)))]


def is_initial_state(name: str) -> bool:
    """Whether a tensor (or the module that it is of, as ``init_h.weight``) is by its name a state
    in which an LSTM starts: h0, c_0, hx, initial_state, learned_hidden …, also numbered."""
    first, *rest = name.split(".")
    words = words_of(first)
    if _FIRST & set(words) and _STATE & set(words):
        return True
    if any(re.fullmatch("init(ial)?(h|c|hidden|cell|state)s?", word) for word in words):
        return True
    own = [word for word in words if not word.isdigit()]
    return (all(part.isdigit() for part in rest) and bool(_STATE & set(own))
            and all(word in _STATE or word in _OWNER for word in own))


def note_left(left: Iterable[str], where: str, source: str) -> tuple[str, ...]:
    """The sentence on tensors that are left to the host, by name; none if there are none."""
    names = list(left)
    return (f"tensors of {source} {where}, left to the host: {', '.join(names)}",) if names else ()
