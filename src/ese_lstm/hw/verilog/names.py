"""Names of signals as the source has them, the same under every Python.

Amaranth names a signal after the variable it is assigned to, which it reads from the bytecode that
follows the call; each Python compiles that differently, and forms that Amaranth doesn't know leave
the signal without a name.
"""

import ast
import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import CodeType
from typing import Any

from amaranth import tracer

_Span = tuple[int | None, int | None, int | None, int | None]


@contextmanager
def names_of_source() -> Iterator[None]:
    """While it is entered, Amaranth takes names from the source text: what a call's value alone is
    assigned to, in tuples too; anything else has no name."""
    before = tracer.get_var_name
    tracer.get_var_name = _get_var_name
    try:
        yield
    finally:
        tracer.get_var_name = before


def _get_var_name(depth: int = 2, default: Any = tracer.NameNotFound) -> Any:
    frame = sys._getframe(depth)
    name = _target(frame.f_code, frame.f_lasti)
    if name is None and default is tracer.NameNotFound:
        raise tracer.NameNotFound
    return name or default


@cache
def _target(code: CodeType, instruction: int) -> str | None:
    line, end_line, column, end_column = list(code.co_positions())[instruction // 2]
    return _targets(code.co_filename).get((line, column, end_line, end_column))


@cache
def _targets(path: str) -> dict[_Span, str]:
    """What each value of a file's assignments is assigned to first, by its place."""
    found: dict[_Span, str] = {}
    for node in ast.walk(ast.parse("".join(linecache.getlines(path)))):
        if isinstance(node, ast.Assign):
            _pair(node.targets[0], node.value, found)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            _pair(node.target, node.value, found)
    return found


def _pair(target: ast.expr, value: ast.expr, found: dict[_Span, str]) -> None:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one_target, one_value in zip(target.elts, value.elts, strict=False):
            _pair(one_target, one_value, found)
    elif isinstance(target, ast.Name | ast.Attribute):
        found[value.lineno, value.col_offset, value.end_lineno, value.end_col_offset] = (
            target.id if isinstance(target, ast.Name) else target.attr)
