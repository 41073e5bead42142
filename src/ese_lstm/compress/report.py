"""What compress did, in figures, and their JSON with a checksum."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..contract.published import COMPRESSION
from .calibrate import Ranges
from .network import Network
from .quantise import Fractions
from .storage import Stage

CHECKSUM = "figures_sha256"


@dataclass(frozen=True)
class MatrixReport:
    """One matrix of the paper: size, weights left, and the signal-to-noise ratio of sharing and
    quantisation.

    kept: non-zero weights after pruning; entries: after quantisation as well. sqnr_db: of the
    kept weights; None if no weight or no error is left.
    """

    name: str
    rows: int
    columns: int
    kept: int
    entries: int
    weight_frac: int
    """Of the entries."""
    weight_bits: int
    """Of the grid that the weights were rounded to: the engine's, or fewer."""
    sqnr_db: float | None

    @property
    def density(self) -> float:
        """Share of weights that have an entry."""
        return self.entries / (self.rows * self.columns)


@dataclass(frozen=True)
class LayerReport(Fractions):
    """Formats of a layer and what limited them."""

    name: str
    y_max: float
    c_max: float
    c_saturates: bool
    """The float network's cell state leaves the cell format on the calibration frames."""
    y_saturated: int
    """Projected y values of the calibration frames, run with the rounded weights, that leave
    their format."""


@dataclass(frozen=True)
class CompressReport:
    """What compress did; sizes in bits."""

    calibrated: bool
    calibration_frames: int
    input_saturated: int
    """Input values of the calibration frames that saturated."""
    matrices: tuple[MatrixReport, ...]
    layers: tuple[LayerReport, ...]
    entries: int
    null_entries: int
    filler_entries: int
    lane_lengths: tuple[int, ...]
    dense_bits: int
    """All weights, biases and peepholes in 32-bit floating point."""
    stored_bits: int
    published_bits: int
    """The same entries with the paper's 4-bit relative index and 16-bit pointers."""
    stages: tuple[Stage, ...]
    """Bits of the weights after each step."""
    notes: tuple[str, ...]
    """What the reader of the checkpoint says of the rest of the file."""
    ranges: Ranges = field(repr=False)
    pruned: Network = field(repr=False)
    """The original's weights that pruning left, before sharing and rounding; inputs unscaled."""
    rounded: Network = field(repr=False)
    """The pruned network with its rounded weights as real numbers (inputs scaled by the
    manifest's exponents)."""

    @property
    def compression_ratio(self) -> float:
        """Dense 32-bit bits over stored bits."""
        return self.dense_bits / self.stored_bits

    def to_json(self, image: bytes | None = None, **more: Any) -> str:
        """Every figure, without the weights, and a checksum of them; image: the file that they
        belong to, whose SHA-256 is noted; more: what else was measured, by name."""
        values: dict[str, Any] = {key: value for key, value in vars(self).items()
                                  if key not in ("ranges", "pruned", "rounded", "matrices",
                                                 "layers", "stages")}
        values["matrices"] = [{**asdict(m), "density": m.density} for m in self.matrices]
        values["layers"] = [asdict(layer) for layer in self.layers]
        values["stages"] = [{**asdict(stage), "ratio": stage.ratio} for stage in self.stages]
        values["paper_ratio"] = COMPRESSION
        values["compression_ratio"] = self.compression_ratio
        if image is not None:
            values["image_sha256"] = hashlib.sha256(image).hexdigest()
        values |= more
        values[CHECKSUM] = figures_checksum(values)
        return json.dumps(values, indent=2, sort_keys=True) + "\n"


def figures_checksum(values: Mapping[str, Any]) -> str:
    """SHA-256 of the JSON of all figures but itself."""
    rest = {key: value for key, value in values.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
