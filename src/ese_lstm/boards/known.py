"""The boards that are known, by the name of their module."""

from .adm_pcie_ku3 import ADMPCIEKU3Platform
from .board import Board

BOARDS: dict[str, type[Board]] = {"adm_pcie_ku3": ADMPCIEKU3Platform}
