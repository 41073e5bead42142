"""What every configuration is: validated once, at construction; canonical JSON; a digest."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import EseError


class Settings(BaseModel):
    """A frozen configuration. Raises :class:`EseError` naming the field, the rule and the value."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    kind: ClassVar[str]
    """What it is, as errors call it."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise EseError(_sentence(error, self.kind)) from None

    def replace(self, **changes: Any) -> Self:
        """This configuration with some fields changed, validated anew."""
        return type(self)(**{**self.model_dump(), **changes})

    def differences(self, other: Self) -> str:
        """Fields that differ, ``lanes 2 against 4, …``; empty if none does."""
        mine, others = self.model_dump(), other.model_dump()
        return ", ".join(f"{name} {value} against {others[name]}"
                         for name, value in mine.items() if value != others[name])

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, one field a line."""
        return json.dumps(self.model_dump(), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str | None = None) -> Self:
        """Inverse of :meth:`to_json`. Raises EseError naming the file and the field."""
        name = name or cls.kind
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise EseError(f"{name}: must be JSON, but line {error.lineno} is not: {error.msg}"
                           ) from None
        except (ValueError, RecursionError) as error:
            raise EseError(f"{name}: must be JSON that can be read, but {error}") from None
        if not isinstance(values, dict):
            raise EseError(f"{name}: must be a JSON object, got {type(values).__name__}")
        try:
            return cls(**values)
        except EseError as error:
            raise EseError(f"{name}: {error}") from None

    @classmethod
    def load(cls, name: str, presets: Mapping[str, Self], knob: str) -> Self:
        """A preset by name, or a JSON file by path. Raises EseError naming the knob."""
        if name in presets:
            return presets[name]
        path = Path(name)
        if not path.is_file():
            raise EseError(f"{knob}: must be a preset ({', '.join(presets)}) or a JSON file, "
                           f"got {name!r}")
        return cls.from_json(path.read_text(encoding="utf-8", errors="replace"), name=str(path))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex: two of one digest are the same."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def _sentence(error: ValidationError, what: str) -> str:
    """What a user reads of a validation error: the first field that breaks a rule."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or what
    if first["type"] == "missing":
        return f"{field}: must be given"
    if first["type"] == "extra_forbidden":
        return f"{field}: is not a field of the {what}"
    message = first["msg"].removeprefix("Value error, ")
    if first["loc"]:
        return f"{field}: {message[0].lower()}{message[1:]}, got {first['input']!r}"
    return message
