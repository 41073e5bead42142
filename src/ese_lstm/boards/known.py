"""The boards that are known, by the name of their module."""

from ..contract.errors import EseError
from .adm_pcie_ku3 import ADMPCIEKU3Platform
from .board import Board

BOARDS: dict[str, type[Board]] = {"adm_pcie_ku3": ADMPCIEKU3Platform}


def known_board(name: str | None = None) -> tuple[str, Board]:
    """A board and its name, the first without one. Raises EseError naming those there are."""
    name = next(iter(BOARDS)) if name is None else name
    if name not in BOARDS:
        raise EseError(f"board: must be one of {', '.join(BOARDS)}, got {name!r}")
    return name, BOARDS[name]()
