"""What can go wrong while an engine runs; every one is an EseError."""

from ..contract.errors import EseError


class EngineTimeout(EseError):  # noqa: N818 (what happened, not what was wrong)
    """Something that was waited for did not happen in time."""


class DeviceError(EseError):
    """The device reported an error, or is gone."""


class NoFreeChannel(EseError):  # noqa: N818 (as above)
    """Every channel of the engine has an open stream."""


def closed() -> EseError:
    """Something was asked of an engine that was closed."""
    return EseError("engine: must be open, but was closed")


def not_loaded() -> EseError:
    """Something was asked of an engine that needs an image."""
    return EseError("image: must be loaded before the engine runs, but none is")
