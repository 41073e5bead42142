"""The published matrices by name, and what is given for some of them alone."""

from collections.abc import Mapping
from typing import TypeVar

from ..contract.errors import EseError
from .network import GATE_NAMES

MATRICES = (*(f"W{gate}{kind}" for kind in "xr" for gate in GATE_NAMES), "Wym")
"""Names of the published matrices; that of a network's layer starts with the layer's, l0.Wix."""

Value = TypeVar("Value")


def value_of(name: str, values: Mapping[str, Value], default: Value) -> Value:
    """What is given for a matrix (``l0.Wix``): its own, or that of its name in every layer
    (``Wix``), or the default."""
    return values.get(name, values.get(name.partition(".")[2], default))


def check_names(field: str, names: Mapping[str, object], layers: int) -> None:
    """Raise EseError, naming the field, unless every name is a matrix's."""
    known = {*MATRICES, *(f"l{number}.{name}" for number in range(layers) for name in MATRICES)}
    for name in names:
        if name not in known:
            raise EseError(f"{field}: must be of a matrix among {', '.join(MATRICES)}, or of one "
                           f"layer's as l0.Wix, got {name!r}")
