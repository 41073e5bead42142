"""Checkpoint files to networks, without ever executing code from a file.

What is taken, what is refused and what is left to the host: :mod:`parts`, :mod:`left`. The files
themselves are read by the modules of :mod:`formats`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...contract.errors import EseError
from ..network import Network
from .formats import reader_of
from .left import note_left, refuse_lost, shown
from .names import Tensors, apply_key_map, mapped_name, quoted
from .parts import choose
from .reader import Reader
from .state_dict import TORCH_GATE_ORDER, Place, parse_gate_order, read_layers


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

    prefix: which stack; or several parts' in the order of the layers, separated by commas.
    gate_order: None for the format's own. key_map: our names of tensors to the file's, or to
    ``transpose(NAME)`` of them; a format may fix both. Raises EseError, naming the file, if it
    can't be read as data alone, holds no such stack or more than one, tensors below the prefix
    that are no LSTM's, or a bidirectional one (:func:`load_stacks`). Tensors elsewhere are left to
    the host, and named in the network's notes.
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
    reader = reader_of(path)
    _check_stated(reader, path, gate_order, key_map)
    file = reader.read(path, prefix, [mapped_name(name) for name in (key_map or {}).values()])
    if reader.stated:  # one stack, gates in our order
        prefix = gate_order = None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    tensors = apply_key_map(file.tensors, key_map, path.name) if key_map else file.tensors
    parts = choose(tensors, prefix, path.name)
    if not key_map:
        refuse_lost(file, parts, path.name)
    order = TORCH_GATE_ORDER if gate_order is None else gate_order
    layers = read_layers(tensors, parts, order, path.name)
    used = {key for key in tensors if any(part.place(key) for part in parts)}
    if key_map:
        used = {mapped_name(key_map[key]) for key in used}
    where = "that the key map does not name" if key_map else f"beside those of {shown(file, parts)}"
    left = [*(name for name in file.tensors if name not in used), *file.beside]
    notes = (*file.notes, *note_left(left, where, path.name))
    if not any(reverse for _, reverse in layers):
        return (Stack("", False, Network(tuple(layers.values()), path.name, digest, notes)),)
    if len(parts) > 1:
        raise EseError(f"prefix: must list forward LSTMs alone, but {quoted(parts)} of {path.name} "
                       f"are not all; the directions of a bidirectional one are images of their "
                       f"own")
    deep = max(layer for layer, _ in layers) > 0
    stacks = tuple(
        Stack((f"l{layer}." if deep else "") + ("reverse" if reverse else "forward"), reverse,
              Network((made,), path.name, digest, notes))
        for (layer, reverse), made in layers.items())
    _check_joined(stacks, list(layers), path.name, both=reader.stated is None)
    return stacks


def _check_stated(reader: Reader, path: Path, gate_order: str | None,
                  key_map: Mapping[str, str] | None) -> None:
    """What a file says itself must not be said otherwise. Raises EseError if it is."""
    stated = reader.stated
    if stated is None:
        return
    if gate_order is not None and parse_gate_order(gate_order) != parse_gate_order(
            stated.gate_order):
        raise EseError(f"gate_order: must be {stated.gate_order} or not be given for {path.name}, "
                       f"because {stated.order_by} fixes the order, got {gate_order!r}")
    if key_map:
        raise EseError(f"key_map: must not be given for {path.name}, because {stated.names_by} say "
                       f"which tensor is which, got {', '.join(key_map)}")


def _check_joined(stacks: tuple[Stack, ...], places: list[Place], source: str, both: bool
                  ) -> None:
    """Every layer reads the joined outputs of the one below, and if ``both`` has both directions.
    Raises EseError if not."""
    width: int | None = None
    for layer in range(places[-1][0] + 1):
        here = [stack.network for stack, place in zip(stacks, places, strict=True)
                if place[0] == layer]
        if len(here) < 2 and both:
            raise EseError(f"checkpoint: {source} must have both directions of every layer, "
                           f"but layer {layer} has one")
        if any(network.inputs != (width or network.inputs) for network in here):
            raise EseError(f"checkpoint: {source} layer {layer} must read the {width} joined "
                           f"outputs of layer {layer - 1}, but reads "
                           f"{', '.join(str(n.inputs) for n in here)}")
        width = sum(network.outputs for network in here)


def load_tensors(path: Path) -> Tensors:
    """Every tensor of the state dict that holds the LSTM, by name. Raises EseError as
    :func:`load_network`."""
    return reader_of(path).read(path, None, ()).tensors
