"""The manifest of a packed image: engine configuration, provenance, network, number formats."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

FORMAT = "ese-image"
VERSION = 4
"""Files whose manifest has a checksum."""

Count = Annotated[int, Field(ge=0, lt=1 << 48)]
Size = Annotated[int, Field(ge=1, lt=1 << 48)]
Power = Annotated[int, Field(ge=-4096, le=4096)]
"""Of two: more than those of any floating-point number."""


class LayerInfo(BaseModel):
    """One LSTM layer as the image runs it; fraction bits of its number formats."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Size
    cells: Size
    projection: Count
    """Rows of the projection; 0 without one."""
    peepholes: bool
    bias: bool
    input_frac: Power
    output_frac: Power
    """Fraction bits of y (of m without projection)."""
    gate_weight_frac: tuple[Power, Power]
    """Fraction bits of input and recurrent weights; with input_frac and output_frac they give the
    same accumulator fraction."""
    projection_weight_frac: Power
    cell_base: Count
    """First cell's address in the cell buffer."""


class MatrixInfo(BaseModel):
    """Size of one weight matrix before and after pruning and packing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rows: Size
    columns: Size
    entries: Count
    """Non-zero weights after quantisation."""
    weight_bits: Count = 0
    """Bits of the grid of its weights: at most the engine's; 0 in files that don't say."""


class Manifest(BaseModel):
    """What an image says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = FORMAT
    version: int = VERSION
    config: dict[str, Any]
    source: str
    """File name of the checkpoint."""
    source_sha256: str
    command: str
    layers: tuple[LayerInfo, ...]
    matrices: tuple[MatrixInfo, ...]
    input_exponents: tuple[Power, ...]
    """Input column j is multiplied by 2**input_exponents[j] before it is quantised."""
    entries: Count
    """Entries that carry a weight."""
    null_entries: Count
    """One for each empty (lane, column)."""
    filler_entries: Count
    """Bridges of long gaps, ``relative4`` only."""
    published_fillers: Count
    """Fillers that the published relative index needs for these weights, in any index mode."""
    streamed_entries: Count = 0
    """Entries of the rows, nulls and fillers included; the others are resident."""
    dense_weights: Count
    sections: dict[str, str]
    """SHA-256 of each section's bytes."""
