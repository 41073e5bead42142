"""What an engine says of itself in its registers, and what a host learns from it."""

from collections.abc import Callable

from .config import EngineConfig
from .errors import EseError
from .registers import CONFIGURATION, IDENTITY, VERSION_MAJOR, register
from .shell import ShellConfig

DIGEST_WORDS = 4
"""32-bit words of :attr:`EngineConfig.digest` in CONFIG_DIGEST_0 and on, first digits first."""


def identity_words(config: EngineConfig, shell: ShellConfig) -> dict[str, int]:
    """Word of each register that says what the hardware is, by register name.

    Raises EseError if the clock is no whole number of Hz, as CONFIG_CLOCK counts them.
    """
    fields = {**config.model_dump(), **shell.model_dump()}
    fields |= {"streaming": int(config.fetch_depth > 0), "clock_hz": clock_hz(config),
               "relative_index": int(config.index_mode == "relative4")}
    words = {each.name: each.pack({
        field.name: fields[field.name] if field.reset is None else field.reset
        for field in each.fields}) for each in (*IDENTITY, *CONFIGURATION)
        if not each.name.startswith("CONFIG_DIGEST_")}
    return words | {f"CONFIG_DIGEST_{k}": word for k, word in enumerate(digest_words(config))}


def digest_words(config: EngineConfig) -> tuple[int, ...]:
    """CONFIG_DIGEST_0 and on: an image fits the engine that shows its configuration's."""
    return tuple(int(config.digest[8 * k:8 * k + 8], 16) for k in range(DIGEST_WORDS))


def clock_hz(config: EngineConfig) -> int:
    """The clock in Hz. Raises EseError if that is no whole number."""
    hertz = round(config.clock_mhz * 1e6)
    if hertz / 1e6 != config.clock_mhz:
        raise EseError(f"clock_mhz: must be a whole number of Hz in an engine with registers, got "
                       f"{config.clock_mhz!r}")
    return hertz


def read_identity(read: Callable[[int], int]) -> tuple[EngineConfig, ShellConfig]:
    """Configurations of the engine behind ``read(byte offset)``.

    Raises EseError if there is no engine, if its map is of another major version, or if its
    configuration has another digest than its registers, which then are not to be believed.
    """
    def words(name: str) -> dict[str, int]:
        each = register(name)
        return each.unpack(read(each.offset))

    found, wanted = words("ID")["id"], register("ID").fields[0].reset
    if found != wanted:
        raise EseError(f"ID: must be {wanted:#010x}, got {found:#010x}: there is no engine at this "
                       "address")
    version = words("VERSION")
    if version["major"] != VERSION_MAJOR:
        raise EseError(f"VERSION: must be {VERSION_MAJOR}.x, got {version['major']}."
                       f"{version['minor']}")
    values = {name: value for each in CONFIGURATION for name, value in words(each.name).items()}
    relative = words("CAPABILITY")["relative_index"]
    config = EngineConfig(**_of(EngineConfig, values),
                          clock_mhz=values["clock_hz"] / 1e6,
                          index_mode="relative4" if relative else "absolute")
    shown = tuple(words(f"CONFIG_DIGEST_{k}")["digest"] for k in range(DIGEST_WORDS))
    if shown != digest_words(config):
        raise EseError(f"CONFIG_DIGEST: must be {_hex(digest_words(config))} for the configuration "
                       f"in the registers, got {_hex(shown)}")
    return config, ShellConfig(**_of(ShellConfig, values))


def _of(kind: type[EngineConfig] | type[ShellConfig], values: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in values.items() if name in kind.model_fields}


def _hex(words: tuple[int, ...]) -> str:
    return "".join(f"{word:08x}" for word in words)
