"""Names of tensors: which are an LSTM's, where a file's recurrent parts stand, key maps."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

from ...contract.errors import EseError

Tensors = Mapping[str, NDArray[Any]]

_OURS = r"(?P<name>weight_[ih]h|weight_hr|weight_c[ifo]|bias_[ih]h|bias)"
_LAYER = r"_l(?P<layer>0|[1-9][0-9]*)"
_NAMES = {
    "LSTM": re.compile(rf"{_OURS}{_LAYER}(?P<reverse>_reverse)?"),
    "LSTMCell": re.compile(_OURS),
    "paper": re.compile(rf"(?P<name>W[ifco][xr]|W[ifo]c|Wym|b[ifco])(?:{_LAYER})?"),
}
"""What a part's tensors are called, by its kind."""

_MARK = re.compile(
    r"(?P<prefix>(?:.*\.)?)"
    r"(?:weight_[ih]h(?P<layer>_l[0-9]+(?:_reverse)?)?(?P<changed>_(?:orig|mask|[guv]|raw)|\..+)?"
    r"|(?P<paper>W[ifco][xr])(?:_l[0-9]+)?)", re.DOTALL)
"""A matrix that only a recurrent part has, or what a reparametrisation made of one."""

_PARAMETRISED = "parametrizations."
_TRANSPOSED = re.compile(r"transpose\((.*)\)", re.DOTALL)

_HINTS = (
    (r"_mask$", "torch.nn.utils.prune left it: call prune.remove(module, name) before saving"),
    (r"(^|\.)parametrizations\.", "a parametrisation left it: call torch.nn.utils.parametrize."
                                  "remove_parametrizations(module, name) before saving"),
    (r"_raw$", "weight dropping left it: save the LSTM's own weights without the wrapper"),
    (r"_u$", "spectral normalisation left it: call torch.nn.utils.remove_spectral_norm(module, "
             "name) before saving"),
    (r"_[gv]$", "weight normalisation left it: call torch.nn.utils.remove_weight_norm(module, "
                "name) before saving"),
    (r"_orig$", "a reparametrisation left it: make its weights permanent before saving"),
)

_STATE = {"h", "c", "hx", "cx", "hc", "hidden", "hiddens", "cell", "cells", "state", "states"}
_FIRST = {"init", "initial", "start", "learned", "learnt", "learnable", "trainable"}
_OWNER = {"lstm", "rnn", "encoder", "decoder", "enc", "dec", "prev", "last", "layer", "l"}
"""Words of a state's name: what it is, that it is the first, whose it is."""

_PEEPHOLES = {"peephole", "peepholes", "peep", "peeps"}
_NORM = {"ln", "bn", "norm", "layernorm", "batchnorm"}
_INNER = {"ih", "hh", "gate", "gates", "c", "cell", "h", "hidden", "i", "g", "o"}
"""A norm's name, and of what inside a cell it is."""


@dataclass(frozen=True)
class Part:
    """A recurrent module of a file. prefix: "" or ends in a dot; kind: a key of the names above."""

    prefix: str
    kind: str

    @property
    def title(self) -> str:
        """The prefix as a user writes it."""
        return self.prefix.removesuffix(".")

    def place(self, key: str) -> tuple[str, int, bool] | None:
        """Our name, layer and whether reverse, of a tensor of this part; None of any other."""
        if not key.startswith(self.prefix):
            return None
        match = _NAMES[self.kind].fullmatch(key[len(self.prefix):])
        if match is None:
            return None
        found = match.groupdict()
        return found["name"], int(found.get("layer") or 0), bool(found.get("reverse"))


def find_parts(names: Iterable[str]) -> dict[str, Part]:
    """Every recurrent part of any type (LSTM, GRU, plain RNN, cells) by its prefix."""
    parts: dict[str, Part] = {}
    for name in names:
        match = _MARK.fullmatch(name)
        if match:
            prefix = match["prefix"]
            if prefix == _PARAMETRISED or prefix.endswith(f".{_PARAMETRISED}"):
                prefix = prefix.removesuffix(_PARAMETRISED)
            kind = "paper" if match["paper"] else "LSTM" if match["layer"] else "LSTMCell"
            parts.setdefault(prefix, Part(prefix, kind))
    return parts


def is_changed(name: str) -> bool:
    """Whether it is what a reparametrisation made of a recurrent matrix (``weight_hh_l0_raw``),
    with no prefix."""
    match = _MARK.fullmatch(name)
    return (match is not None and match["changed"] is not None
            and match["prefix"] in ("", _PARAMETRISED))


def is_initial_state(name: str) -> bool:
    """Whether a tensor (or the module that it is of, as ``init_h.weight``) is by its name a state
    in which an LSTM starts: h0, c_0, hx, initial_state, learned_hidden …, also numbered, or with
    words around it (``h0_fwd``)."""
    first, *rest = name.split(".")
    words = words_of(first)
    if _FIRST & set(words) and _STATE & set(words):
        return True
    if any(re.fullmatch("init(ial)?(h|c|hidden|cell|state)s?", word) for word in words):
        return True
    own = [word for word in words if not word.isdigit()]
    zeroth = {word for word, number in pairwise(words) if number == "0"}
    if not all(part.isdigit() for part in rest):
        return "h" in zeroth and len(own) > 1
    if zeroth & {*_STATE, "s"} or (own and "start" not in own and set(own) <= _FIRST | _OWNER
                                   and _FIRST & set(own)):
        return True
    return bool(_STATE & set(own)) and all(word in _STATE or word in _OWNER for word in own)


def is_inner(name: str, cell: bool) -> bool:
    """Whether a tensor (or its module) is by its name inside a layer: a peephole (``W_ci``) or,
    beside a ``cell`` that a wrapper steps, a norm of gates or states (``ln_hh.weight``)."""
    first = name.partition(".")[0]
    words = set(words_of(first))
    return bool((cell and _NORM & words and _INNER & words) or words & _PEEPHOLES
                or re.fullmatch("[Ww](eight)?_?(c_?[ifo]|[ifo]_?c)(_l[0-9]+)?", first))


def words_of(name: str) -> list[str]:
    """The words, in small letters, and numbers of a name: lstm, cell, 0 of ``lstmCell_0``."""
    return [word.lower() for word in
            re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", name)]


def hint(names: Iterable[str]) -> str:
    """What left such tensors in a file, and what to do about it; "" if that isn't known."""
    listed = list(names)
    if any(is_initial_state(name.rpartition(".")[2]) for name in listed):
        return " (a learned state: the engine's streams start from 0)"
    return next((f" ({text})" for pattern, text in _HINTS
                 if any(re.search(pattern, name) for name in listed)), "")


def shape_of(tensors: Tensors, name: str) -> tuple[int, ...]:
    """() of a tensor that can't be read: what it is doesn't matter until it is used."""
    try:
        return tensors[name].shape
    except EseError:
        return ()


def quoted(parts: Iterable[Part]) -> str:
    """Prefixes as a message lists them."""
    return ", ".join(sorted(repr(part.title) for part in parts))


def several(names: Iterable[str], most: int = 6) -> str:
    """``the tensor a``, ``the tensors a, b`` or ``the tensors a, … and 9 more``."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return f"the tensor{'s' * (len(listed) > 1)} {', '.join(listed[:most])}{more}"


def mapped_name(theirs: str) -> str:
    """The file's name in a key map's value: ``transpose(NAME)`` or ``NAME``."""
    match = _TRANSPOSED.fullmatch(theirs)
    return match[1] if match else theirs


def apply_key_map(tensors: Tensors, key_map: Mapping[str, str],
                  source: str) -> dict[str, NDArray[Any]]:
    """The tensors named in ``key_map`` (our name → the file's, or ``transpose(…)`` of it) under
    our names, no others.

    Raises EseError if the file has no tensor of that name, if one is used twice, if one to
    transpose is no matrix, or if our name is none of an LSTM's."""
    found: dict[str, NDArray[Any]] = {}
    users: dict[str, str] = {}
    for ours, value in key_map.items():
        theirs = mapped_name(value)
        if theirs not in tensors:
            there = sorted(tensors, key=lambda name: not name.endswith(theirs))
            raise EseError(f"key_map: must name tensors of {source}, but it has no {theirs!r}, "
                           f"only {', '.join(there[:6])}{' …' if len(there) > 6 else ''}")
        if theirs in users:
            raise EseError(f"key_map: must use a tensor once, but {theirs!r} is both "
                           f"{users[theirs]} and {ours}; the only bias of a layer is bias_l0, "
                           f"bias_l1 …")
        users[theirs] = ours
        tensor = tensors[theirs]
        if theirs != value and tensor.ndim != 2:
            raise EseError(f"key_map: transpose({theirs}) must be of a matrix, but its shape is "
                           f"{tensor.shape}")
        found[ours] = tensor.T if theirs != value else tensor
    parts = find_parts(found).values()
    wrong = [ours for ours in found if not any(part.place(ours) for part in parts)]
    if wrong:
        raise EseError(f"key_map: must give an LSTM's names (weight_ih_l0, bias_l0, Wix, … and at "
                       f"least a matrix), got {wrong[0]!r}")
    return found
