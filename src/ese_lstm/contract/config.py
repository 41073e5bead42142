"""Engine configuration: every dimension of the hardware, validated once, at construction."""

from typing import Literal

from pydantic import Field, model_validator

from .cells import LINEAR, LSTM, CellType
from .settings import Settings

SEQUENCE_BITS = 18
"""Width of the result sequence number; a program may write at most ``2**15`` results a frame,
so that differences of sequence numbers never wrap."""

MAX_RESULTS = 1 << 15
SHIFT_BITS = 6
MIN_FETCH_DEPTH = 8
RELATIVE_BITS = 4


def bits_for(count: int) -> int:
    """Bits that address ``count`` words; at least 1, so that one word still has an address."""
    return max(1, (count - 1).bit_length())


class EngineConfig(Settings):
    """Dimensions of one generated engine. A model is loaded into it, never baked in.

    lanes: parallel weight streams (ESE's PEs per channel). channels: independent voice streams in
    lock-step. queue_depth: columns each lane may run behind the broadcaster. acc_rows: rows of
    one accumulator bank per lane (a multiple of 4). fetch_depth: entries of each lane's FIFO for
    weights streamed from external memory; 0: no streaming hardware, all weights are resident.
    Widths are in bits, depths in words.
    Raises :class:`EseError` naming the field, the rule and the value.
    """

    kind = "engine configuration"

    lanes: int = Field(ge=1, le=128)
    channels: int = Field(ge=1, le=128)
    queue_depth: int = Field(default=32, ge=1, le=64)
    acc_rows: int = Field(default=32, ge=LSTM.size, le=64, multiple_of=LSTM.size)
    index_mode: Literal["absolute", "relative4"] = "absolute"
    weight_bits: int = Field(default=12, ge=2, le=18)
    act_bits: int = Field(default=16, ge=8, le=18)
    acc_bits: int = Field(default=32, ge=16, le=48)
    cell_bits: int = Field(default=24, ge=12, le=27)
    cell_frac: int = Field(default=16, ge=4, le=24)
    peephole_bits: int = Field(default=18, ge=2, le=18)
    stream_depth: int = Field(default=12288, ge=4, le=1 << 20)
    activation_depth: int = Field(default=4096, ge=4, le=1 << 16)
    cell_depth: int = Field(default=2048, ge=1, le=1 << 16)
    param_depth: int = Field(default=8192, ge=1, le=1 << 18)
    segment_depth: int = Field(default=128, ge=1, le=1024)
    epilogue_depth: int = Field(default=64, ge=1, le=1024)
    output_depth: int = Field(default=64, ge=2, le=1024)
    fetch_depth: int = Field(default=0, ge=0, le=4096)
    clock_mhz: float = Field(default=200.0, gt=0, le=1000)

    @model_validator(mode="after")
    def _consistent(self) -> "EngineConfig":
        if self.cell_frac > self.cell_bits - 4:
            raise ValueError(f"cell_frac must leave 4 integer bits of cell_bits={self.cell_bits}, "
                             f"got {self.cell_frac}")
        if self.cell_frac < self.act_bits - 4:
            raise ValueError(f"cell_frac must be at least act_bits - 4 = {self.act_bits - 4}, "
                             f"got {self.cell_frac}")
        if self.acc_bits < self.weight_bits + self.act_bits:
            raise ValueError(f"acc_bits must hold one product of weight_bits + act_bits = "
                             f"{self.weight_bits + self.act_bits} bits, got {self.acc_bits}")
        if 0 < self.fetch_depth < MIN_FETCH_DEPTH:
            raise ValueError(f"fetch_depth must be 0 or at least {MIN_FETCH_DEPTH}, "
                             f"got {self.fetch_depth}")
        return self

    # Derived values -------------------------------------------------------------------------

    @property
    def multipliers(self) -> int:
        """Multipliers of the sparse matrix-vector unit: lanes × channels."""
        return self.lanes * self.channels

    @property
    def row_bits(self) -> int:
        """Bits of a row number inside one lane's bank."""
        return bits_for(self.acc_rows)

    @property
    def index_bits(self) -> int:
        """Bits of the index field of an entry in this index mode."""
        return self.row_bits if self.index_mode == "absolute" else RELATIVE_BITS

    @property
    def entry_bits(self) -> int:
        """Bits of one entry: weight, index and the last-of-column flag."""
        return self.weight_bits + self.index_bits + 1

    def units_per_tile(self, cell: CellType) -> int:
        """Units of that type whose rows fill one accumulator bank of every lane."""
        return self.lanes * (self.acc_rows // cell.size)

    @property
    def cells_per_tile(self) -> int:
        """LSTM cells whose rows fill one accumulator bank of every lane."""
        return self.units_per_tile(LSTM)

    @property
    def rows_per_tile(self) -> int:
        """Rows of a linear tile that fill one accumulator bank of every lane."""
        return self.units_per_tile(LINEAR)

    @property
    def lane_address_bits(self) -> int:
        """Bits that number a lane."""
        return bits_for(self.lanes)

    @property
    def stream_address_bits(self) -> int:
        """Bits of an entry's address in a lane's weight memory."""
        return bits_for(self.stream_depth)

    @property
    def activation_address_bits(self) -> int:
        """Bits of an address in the activation buffer."""
        return bits_for(self.activation_depth)

    @property
    def cell_address_bits(self) -> int:
        """Bits of an address in the cell-state buffer."""
        return bits_for(self.cell_depth)

    @property
    def param_address_bits(self) -> int:
        """Bits of an address in the bias and peephole memory."""
        return bits_for(self.param_depth)


PRESETS: dict[str, EngineConfig] = {
    "tiny": EngineConfig(
        lanes=2, channels=2, queue_depth=4, acc_rows=8, stream_depth=1024, activation_depth=256,
        cell_depth=64, param_depth=512, segment_depth=32, epilogue_depth=32, output_depth=32),
    "demo-32x4": EngineConfig(lanes=32, channels=4, stream_depth=6144),
    "xcku060-32x32": EngineConfig(lanes=32, channels=32),
    "xcku060-32x64": EngineConfig(lanes=32, channels=64),
    "xcku060-32x32-ddr": EngineConfig(lanes=32, channels=32, fetch_depth=512),
}


def load_config(name: str) -> EngineConfig:
    """A preset by name, or a configuration from a JSON file by path. Raises EseError."""
    return EngineConfig.load(name, PRESETS, "config")

