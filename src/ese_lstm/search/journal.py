"""Results that cost time, one JSON object a line, appended as soon as they are known."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..contract.errors import EseError


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Objects of an earlier run, none without a file; a line that was cut off does not count.

    Raises EseError for a file that holds something else, which must not be appended to.
    """
    if not path.is_file():
        return []
    found = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            found.append(values)
    if len(lines) > 1 and not found:
        raise EseError(f"output: {path} must be a new file or lines of JSON objects as written "
                       f"here before, but none of its {len(lines)} lines is one")
    return found


def append_line(path: Path, values: Mapping[str, Any]) -> None:
    """Raises EseError if the file can't be written; the lines before are kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        cut = path.is_file() and path.stat().st_size and path.read_bytes()[-1:] != b"\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(("\n" if cut else "") + json.dumps(values) + "\n")
    except OSError as error:
        raise EseError(f"output: {path} must be writable, but {error.strerror}; the points before "
                       f"are kept") from None
