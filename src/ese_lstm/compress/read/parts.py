"""Which recurrent part of a file is the network: the only one, the one named, or cells stacked."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NoReturn

from ...contract.errors import EseError
from .names import (
    Part,
    Tensors,
    find_parts,
    hint,
    is_initial_state,
    quoted,
    several,
    shape_of,
    words_of,
)

_LAYERED = {"cell", "cells", "layer", "layers", "lstm", "lstms", "lstmp", "rnn", "rnns", "lstmcell",
            "lstmcells", "rnncell", "rnncells", "stack", "stacked", "encoder", "decoder", "enc",
            "dec"}
"""Words in front of a number that make it a layer's."""

_WRAPPERS = {"module", "_orig_mod"}
"""Names that torch's wrappers put in front of a module's own."""


@dataclass(frozen=True)
class Chosen:
    """parts: in the order of the layers. area: matches the start of every name that must be one
    of theirs."""

    parts: tuple[Part, ...]
    area: re.Pattern[str]


def choose(tensors: Tensors, prefix: str | None, source: str) -> tuple[Part, ...]:
    """The parts to read; ``prefix``: one, an LSTMCells' common one, or several with commas between.

    Raises EseError, naming the candidates, if that isn't plain from the file, and, naming the
    tensors, if some below a used prefix belong to no LSTM.
    """
    found = find_parts(tensors)
    if not found:
        names = list(tensors)
        raise EseError(f"checkpoint: {source} must hold an LSTM (tensors such as weight_ih_l0, or "
                       f"Wix), but holds {', '.join(names[:6]) or 'no tensor'}"
                       f"{' …' if len(names) > 6 else ''}")
    chosen = _chosen(tensors, found, prefix, source)
    unread = [key for key in tensors if chosen.area.match(key)
              and not any(part.place(key) for part in chosen.parts)
              and not (is_initial_state(key.rpartition(".")[2]) and not tensors[key].any())]
    if unread:
        named = f"at {quoted(chosen.parts)}" if chosen.parts[0].prefix else "at its top"
        explicit = ""
        if len(chosen.parts) > 1 and "," not in (prefix or ""):
            explicit = f"; LSTMCells that read one another are given as --prefix {_listed(chosen)}"
        elif not chosen.parts[0].prefix:
            explicit = "; if they are another module's, name the LSTM's own with --key-map"
        raise EseError(f"checkpoint: {source} must hold nothing but an LSTM {named}, but has "
                       f"{several(unread)}, which {'is' if len(unread) == 1 else 'are'} no part "
                       f"of an LSTM with projection and peepholes{hint(unread)}{explicit}")
    return chosen.parts


def _chosen(tensors: Tensors, found: Mapping[str, Part], prefix: str | None,
            source: str) -> Chosen:
    if prefix is None:
        if len(found) == 1:
            return _exactly(found.values())
        if any(part.kind != "LSTMCell" for part in found.values()):
            _ask(tensors, found, source)
        return _stacked(tensors, list(found.values()), source)
    wanted = [part if not part or part.endswith(".") else f"{part}."
              for part in (text.strip() for text in prefix.split(","))]
    if len(set(wanted)) < len(wanted):
        raise EseError(f"prefix: must name each LSTM once, got {prefix!r}")
    if all(name in found for name in wanted):
        return _exactly(found[name] for name in wanted)
    below = [part for start, part in found.items() if start.startswith(wanted[0])]
    if len(wanted) > 1 or not below or any(part.kind != "LSTMCell" for part in below):
        raise EseError(f"prefix: must be one of {quoted(found.values())} in {source}, got "
                       f"{prefix!r}")
    chosen = _exactly(below) if len(below) == 1 else _stacked(tensors, below, source)
    return Chosen(chosen.parts, re.compile(f"{re.escape(wanted[0])}|{chosen.area.pattern}"))


def _exactly(parts: Iterable[Part]) -> Chosen:
    listed = tuple(parts)
    return Chosen(listed, re.compile("|".join(re.escape(part.prefix) for part in listed)))


def _listed(chosen: Chosen) -> str:
    return ",".join(part.title for part in chosen.parts)


def _ask(tensors: Tensors, found: Mapping[str, Part], source: str) -> NoReturn:
    types = {part: _type(tensors, part) for part in found.values()}
    if set(types.values()) == {"LSTM"}:
        raise EseError(f"prefix: must be given, because {source} holds several LSTMs: "
                       f"{quoted(types)}")
    listed = ", ".join(f"{part.title!r} ({types[part]})"
                       for part in sorted(types, key=lambda part: part.title))
    raise EseError(f"prefix: must be given, because {source} holds several recurrent parts: "
                   f"{listed}")


def _type(tensors: Tensors, part: Part) -> str:
    """What a reader calls it: LSTM, GRU, RNN, and the same with Cell."""
    for key in tensors:
        place = part.place(key)
        if place and place[0] == "weight_hh" and len(shape := shape_of(tensors, key)) == 2:
            base = {3 * shape[1]: "GRU", shape[1]: "RNN"}.get(shape[0], "LSTM")
            return base + part.kind.removeprefix("LSTM")
    return part.kind if part.kind != "paper" else "LSTM"


def _stacked(tensors: Tensors, cells: Sequence[Part], source: str) -> Chosen:
    """LSTMCells as layers in the order of the one number in their names. Raises EseError unless
    names, numbers and widths say so and nothing else of the file could stand between them."""
    def refuse(why: str) -> NoReturn:
        raise EseError(f"prefix: must list the LSTMCells of {source} in the order of the layers "
                       f"(prefix,prefix,…), or name one, because {why}: {quoted(cells)}")

    pieces = [re.split(r"([0-9]+)", cell.prefix) for cell in cells]
    places = [k for k in range(len(pieces[0])) if len({part[k] for part in pieces}) > 1] \
        if len({len(part) for part in pieces}) == 1 else []
    if len(places) != 1 or places[0] % 2 == 0:
        refuse("their names don't tell it")
    head, tail = "".join(pieces[0][:places[0]]), pieces[0][places[0] + 1]
    numbered = sorted(zip([int(part[places[0]]) for part in pieces], cells, strict=True),
                      key=lambda pair: pair[0])
    for (a, below), (b, above) in pairwise(numbered):
        if b != a + 1:
            inside = [name for name in tensors if (number := re.match(
                re.escape(head) + "([0-9]+)", name)) and a < int(number[1]) < b]
            refuse(f"{several(inside, 3)} may stand between {below.title!r} and {above.title!r}"
                   if inside else f"{below.title!r} and {above.title!r} leave a gap")
        out, into = _outputs(tensors, below), _width(tensors, above, "weight_ih", 1)
        if out and into and out != into:
            refuse(f"the {out} outputs of {below.title!r} are not the {into} inputs of "
                   f"{above.title!r}")
    if not _counts_layers(head, tail):
        refuse("their numbers need not be layers' (the directions of a bidirectional layer are "
               "images of their own)")
    whole = tail.startswith(".") and (not head or head.endswith("."))
    chosen = Chosen(tuple(cell for _, cell in numbered),
                    re.compile(re.escape(head) + ("" if whole else "[0-9]")))
    if between := _between(tensors, chosen):
        refuse(f"{several(between, 3)} may stand between them")
    return chosen


def _counts_layers(head: str, tail: str) -> bool:
    """Whether the number between ``head`` and ``tail`` of a name plainly is a layer's."""
    start, tail = head.rpartition(".")[2], tail.partition(".")[0]
    if start or tail:
        family = f"{start}.{tail}"
    else:
        family = head.removesuffix(".").rpartition(".")[2]
        if family in _WRAPPERS or not family:
            return True
    words = words_of(family)
    return bool(words) and all(word in _LAYERED for word in words)


def _width(tensors: Tensors, cell: Part, name: str, axis: int) -> int:
    """An extent of a cell's matrix; 0 without it."""
    key = f"{cell.prefix}{name}"
    shape = shape_of(tensors, key) if key in tensors else ()
    return shape[axis] if len(shape) == 2 else 0


def _outputs(tensors: Tensors, cell: Part) -> int:
    return _width(tensors, cell, "weight_hr", 0) or _width(tensors, cell, "weight_hh", 1)


def _between(tensors: Tensors, chosen: Chosen) -> list[str]:
    """Other tensors that may stand between two cells: they lie between them in the file, or lead
    from the outputs of one to the inputs of the next."""
    names = list(tensors)
    mine = [k for k, name in enumerate(names) if any(part.place(name) for part in chosen.parts)]
    inside = [name for name in names[mine[0]:mine[-1]] if not chosen.area.match(name)]
    steps = _steps(tensors, [name for name in names if not chosen.area.match(name)])
    ways = (_way(steps, _outputs(tensors, below), _width(tensors, above, "weight_ih", 1))
            for below, above in pairwise(chosen.parts))
    return inside or next((way for way in ways if way), [])


def _steps(tensors: Tensors, names: Sequence[str]) -> list[tuple[int, int, str]]:
    """From vectors of what width to what width each tensor leads: a matrix (rows, columns, …)
    from columns to rows, a vector (a norm's; not the bias of a matrix) from its size to itself. 0
    is any width: of a number, or of what can't be read."""
    shapes = {name: shape_of(tensors, name) for name in names if not _is_count(tensors, name)}
    with_matrix = {name.rpartition(".")[0] for name, shape in shapes.items() if len(shape) > 1}
    steps = []
    for name, shape in shapes.items():
        module, _, last = name.rpartition(".")
        if len(shape) > 1:
            steps.append((shape[1], shape[0], name))
        elif not (last == "bias" and module in with_matrix):
            size = shape[0] if shape and shape[0] > 1 else 0
            steps.append((size, size, name))
    return steps


def _way(steps: Sequence[tuple[int, int, str]], start: int, end: int) -> list[str]:
    """Names of tensors by which vectors of ``start`` values become ones of ``end``; [] if none."""
    reached: dict[int, list[str]] = {}
    todo: list[tuple[int, list[str]]] = [(start, [])]
    while todo:
        width, way = todo.pop()
        for into, out, name in steps:
            if into in (0, width):
                out = out or width
                if out == end:
                    return [*way, name]
                if out not in reached:
                    reached[out] = [*way, name]
                    todo.append((out, reached[out]))
    return []


def _is_count(tensors: Tensors, name: str) -> bool:
    """Whether it is a counter (``num_batches_tracked``, an epoch): it computes nothing."""
    try:
        return tensors[name].size == 1 and tensors[name].dtype.kind in "iub"
    except EseError:
        return False
