"""What a command needs that is installed only on request."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..contract.errors import EseError


@contextmanager
def needs(extra: str, what: str) -> Iterator[None]:
    """Around the imports of ``what``, a command or an option: one that fails names the extra."""
    try:
        yield
    except ImportError as error:
        raise EseError(f"{what}: needs {error.name}, which is not installed "
                       f"(pip install 'ese-lstm[{extra}]')") from None
