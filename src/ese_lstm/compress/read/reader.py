"""What a reader of a format is, and what it gives."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .names import Tensors


class Arrays(Mapping[str, NDArray[Any]]):
    """Tensors by name, each brought to numpy when it is asked for: those that nobody asks for may
    be of a kind that numpy has not. Asking raises EseError where that fails."""

    def __init__(self, makers: Mapping[str, Callable[[], NDArray[Any]]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True)
class TensorFile:
    """What a file holds.

    tensors: of the state dict with the recurrent parts, or of the whole file if several have some
    (then each name starts with the place of its state dict). root: that state dict's place, "" or
    ending in a dot. beside: tensors elsewhere, by place. notes: what to tell of the file.
    """

    tensors: Tensors
    root: str = ""
    beside: Tensors = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stated:
    """What the files of a format say themselves, so that nobody else may say otherwise.

    gate_order: of the format, as ``--gate-order`` names it. order_by, names_by: who fixes the
    order, and who say which tensor is which, as a message calls them.
    """

    gate_order: str
    order_by: str
    names_by: str


@dataclass(frozen=True)
class Reader:
    """How files of one format are read: the ``READER`` of a module of :mod:`read.formats`.

    suffixes: of its files. read: (path, prefix, wanted) to the tensors; prefix: which stack, None
    if it isn't given; wanted: names of tensors that the user maps to ours. Raises EseError, naming
    the file, if it can't be read as data alone. stated: None if the files hold named tensors and
    no more; else ``read`` chooses the stack and gives its tensors by PyTorch's names, gates in the
    order i, f, g, o.
    """

    suffixes: tuple[str, ...]
    read: Callable[[Path, str | None, Collection[str]], TensorFile]
    stated: Stated | None = None
