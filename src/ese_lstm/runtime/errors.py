"""What can go wrong while an engine runs; every one is an EseError."""

from ..contract.errors import EseError


class EngineTimeout(EseError):  # noqa: N818 (what happened, not what was wrong)
    """Something that was waited for did not happen in time."""


class DeviceError(EseError):
    """The device reported an error, or is gone."""


class NoFreeChannel(EseError):  # noqa: N818 (as above)
    """Every channel of the engine has an open stream."""
