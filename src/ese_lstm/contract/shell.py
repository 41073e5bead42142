"""The AXI shell around an engine: its configuration, presets and limits."""

from pydantic import Field, model_validator

from .settings import Settings

PAGE_BYTES = 4096
"""No AXI4 burst crosses a multiple of this."""


class ShellConfig(Settings):
    """Dimensions of the shell; independent of the engine's, and of no matter to an image.

    stream_bits: width of the three AXI4-Streams. memory_bits, memory_address_bits: of the AXI4
    memory port, which is there only if the engine streams weights. burst_beats: longest burst;
    outstanding: bursts read ahead. result_depth: rows of results that wait for the host while the
    engine works on. Raises :class:`EseError` naming the field, the rule and the value.
    """

    kind = "shell configuration"

    stream_bits: int = Field(default=256, ge=64, le=1024)
    memory_bits: int = Field(default=512, ge=64, le=1024)
    memory_address_bits: int = Field(default=34, ge=32, le=64)
    burst_beats: int = Field(default=64, ge=1, le=256)
    outstanding: int = Field(default=16, ge=1, le=64)
    result_depth: int = Field(default=512, ge=2, le=8192)

    @model_validator(mode="after")
    def _consistent(self) -> "ShellConfig":
        for name in ("stream_bits", "memory_bits"):
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name}: must be a power of two, got {value}")
        if self.burst_beats * self.memory_bytes > PAGE_BYTES:
            raise ValueError(f"burst_beats: must be at most {PAGE_BYTES // self.memory_bytes}, "
                             f"{PAGE_BYTES} bytes of {self.memory_bits} bits a beat, got "
                             f"{self.burst_beats}")
        return self

    @property
    def stream_bytes(self) -> int:
        """Bytes of a stream's beat."""
        return self.stream_bits // 8

    @property
    def memory_bytes(self) -> int:
        """Bytes of a beat of the memory port."""
        return self.memory_bits // 8


SHELL_PRESETS: dict[str, ShellConfig] = {
    "tiny": ShellConfig(stream_bits=64, memory_bits=64, memory_address_bits=32, burst_beats=16,
                        outstanding=4, result_depth=16),
    "xcku060": ShellConfig(),
}
"""``xcku060``: PCIe Gen3 x8 is 256 bits at 250 MHz, a 64-bit DDR4 channel 512 at a quarter of its
clock."""


def load_shell_config(name: str) -> ShellConfig:
    """A preset by name, or a configuration from a JSON file by path. Raises EseError."""
    return ShellConfig.load(name, SHELL_PRESETS, "shell")
