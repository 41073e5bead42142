"""The JSON of a :class:`pipeline.CompressReport`: its checksum."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

CHECKSUM = "figures_sha256"


def figures_checksum(values: Mapping[str, Any]) -> str:
    """SHA-256 of the JSON of all figures but itself."""
    rest = {key: value for key, value in values.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
