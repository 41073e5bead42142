"""The packed image: one safetensors file that an engine or the golden model loads.

Tensors (all uint32, words least significant first): ``header`` (1, w), ``segments`` (n, w),
``epilogues`` (n, w), ``params`` (n, w), ``entries`` (total,) lane after lane, ``lane_lengths``
(lanes,); for an engine with a ``fetch_depth`` also ``rows`` (n, w), the streamed weights as they
lie in external memory. The JSON manifest in the file's metadata carries format version, engine
configuration, provenance, network, number formats and a SHA-256 of every section.

A file of version 2 has the sections of :mod:`contract.coded` in place of ``entries``, which
reading restores and checks against the SHA-256 of the entries. A file of version 3 has ``rows``.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .coded import CODED_SECTIONS, decode_entries
from .config import RELATIVE_BITS, EngineConfig
from .errors import EseError
from .files import write_atomically
from .layout import (
    Layout,
    entry_layout,
    epilogue_layout,
    header_layout,
    param_layout,
    row_layout,
    segment_layout,
)

FORMAT = "ese-image"
VERSION = 1
CODED_VERSION = 2
"""Files whose entries are Huffman-coded."""
STREAMED_VERSION = 3
"""Files with rows of streamed weights."""
METADATA_KEY = "ese"
SECTIONS = ("header", "segments", "epilogues", "params", "entries", "lane_lengths")


def section_names(config: EngineConfig) -> tuple[str, ...]:
    """Sections of an image for this engine."""
    return (*SECTIONS, "rows") if config.fetch_depth else SECTIONS


class LayerInfo(BaseModel):
    """One LSTM layer as the image runs it; fraction bits of its number formats."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: int
    cells: int
    projection: int
    """Rows of the projection; 0 without one."""
    peepholes: bool
    bias: bool
    input_frac: int
    output_frac: int
    """Fraction bits of y (of m without projection)."""
    gate_weight_frac: tuple[int, int]
    """Fraction bits of input and recurrent weights; with input_frac and output_frac they give the
    same accumulator fraction."""
    projection_weight_frac: int
    cell_base: int
    """First cell's address in the cell buffer."""


class MatrixInfo(BaseModel):
    """Size of one weight matrix before and after pruning and packing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rows: int
    columns: int
    entries: int
    """Non-zero weights after quantisation."""
    weight_bits: int = 0
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
    input_exponents: tuple[int, ...]
    """Input column j is multiplied by 2**input_exponents[j] before it is quantised."""
    entries: int
    """Entries that carry a weight."""
    null_entries: int
    """One for each empty (lane, column)."""
    filler_entries: int
    """Bridges of long gaps, ``relative4`` only."""
    published_fillers: int
    """Fillers that the published relative index needs for these weights, in any index mode."""
    streamed_entries: int = 0
    """Entries of the rows, nulls and fillers included; the others are resident."""
    dense_weights: int
    sections: dict[str, str]
    """SHA-256 of each section's bytes."""


@dataclass(frozen=True)
class Image:
    """A loaded or freshly packed image: manifest, configuration and sections.

    coded: CODED_SECTIONS if the file stores its entries coded, else nothing; ``sections`` has
    the entries either way.
    """

    manifest: Manifest
    config: EngineConfig
    sections: dict[str, NDArray[np.uint32]]
    coded: dict[str, NDArray[np.uint32]] = field(default_factory=dict)

    def lane_stream(self, lane: int) -> NDArray[np.uint32]:
        """Entries of one lane, in stream order; shape (lane_lengths[lane],)."""
        lengths = self.sections["lane_lengths"].astype(np.int64)
        first = int(lengths[:lane].sum())
        return self.sections["entries"][first:first + int(lengths[lane])]

    def words(self, section: str) -> list[int]:
        """Words of a section of multi-word rows, as integers."""
        return [sum(int(part) << (32 * k) for k, part in enumerate(row))
                for row in self.sections[section]]

    @property
    def rows(self) -> int:
        """Rows of streamed weights of a frame; 0 if all weights are resident."""
        return len(self.sections["rows"]) if self.config.fetch_depth else 0

    @property
    def memory(self) -> bytes:
        """Contents of the external memory from the weight base on: the rows."""
        return self.sections["rows"].astype("<u4").tobytes() if self.rows else b""

    @property
    def stored_bits(self) -> int:
        """Bits of entries, rows, params, segments, epilogues and header: rows as they lie in
        memory, the others at their exact widths."""
        return 8 * len(self.memory) + sum(
            len(self.sections[name]) * layout.bits
            for name, layout in section_layouts(self.config).items() if name != "rows")

    @property
    def published_bits(self) -> int:
        """Bits of the weights as ESE stores them: 16 bits an entry or filler (a 12-bit weight
        with a 4-bit relative index) and a 16-bit pointer per (lane, column) and tile."""
        entry = self.config.weight_bits + RELATIVE_BITS
        layout = segment_layout(self.config)
        columns = sum(layout.unpack(word)["length"] for word in self.words("segments"))
        tiles = len(self.sections["epilogues"])
        return ((self.manifest.entries + self.manifest.published_fillers) * entry
                + 16 * self.config.lanes * (columns + tiles))

    def require_config(self, config: EngineConfig) -> None:
        """Raise EseError if the image was packed for another engine; names what differs."""
        mine, other = self.config.model_dump(), config.model_dump()
        different = [f"{key} {mine[key]} against {other[key]}" for key in mine
                     if mine[key] != other[key]]
        if different:
            raise EseError(f"image: must be packed for this engine's configuration, but has "
                           f"{', '.join(different)}")


def section_layouts(config: EngineConfig) -> dict[str, Layout]:
    """Layout of each section's words (``lane_lengths`` has none: a plain number a lane)."""
    layouts = {"header": header_layout(config), "segments": segment_layout(config),
               "epilogues": epilogue_layout(config), "params": param_layout(config),
               "entries": entry_layout(config)}
    return {**layouts, "rows": row_layout(config)} if config.fetch_depth else layouts


def split_words(words: list[int], layout: Layout) -> NDArray[np.uint32]:
    """Integers to rows of 32-bit words; shape (len(words), layout.words32)."""
    rows = [[word >> (32 * k) & 0xFFFFFFFF for k in range(layout.words32)] for word in words]
    return np.array(rows, dtype=np.uint32).reshape(len(words), layout.words32)


def checksum(section: NDArray[np.uint32]) -> str:
    """SHA-256 of a section's bytes, in hex."""
    return hashlib.sha256(np.ascontiguousarray(section, dtype="<u4").tobytes()).hexdigest()


def write_image(path: Path, image: Image) -> None:
    """Write the image, byte for byte the same for the same content; all or nothing."""
    metadata = {METADATA_KEY: json.dumps(image.manifest.model_dump(), sort_keys=True)}
    stored = {**{name: image.sections[name] for name in section_names(image.config)},
              **image.coded}
    if image.coded:
        del stored["entries"]
    data = save({name: np.ascontiguousarray(part) for name, part in stored.items()}, metadata)
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def read_image(path: Path) -> Image:
    """Read and verify an image. Raises EseError if it is missing, truncated or corrupted."""
    if not path.is_file():
        raise EseError(f"image: must be a file, got {str(path)!r}")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            names = set(file.keys())
            coded = names == {*SECTIONS, *CODED_SECTIONS} - {"entries"}
            streamed = names == {*SECTIONS, "rows"}
            if text is None or (names != set(SECTIONS) and not coded and not streamed):
                raise EseError(f"image: {path} must be an image written by ese, but has sections "
                               f"{sorted(names)}")
            sections = {name: file.get_tensor(name) for name in sorted(names)}
    except SafetensorError as error:
        raise EseError(f"image: {path} must be a complete safetensors file, but reading says: "
                       f"{error}") from None
    try:
        values = json.loads(text)
        version = CODED_VERSION if coded else STREAMED_VERSION if streamed else VERSION
        if values.get("format") != FORMAT or values.get("version") != version:
            raise EseError(f"image: {path} must have format {FORMAT!r} version {version}, got "
                           f"{values.get('format')!r} version {values.get('version')!r}")
        manifest = Manifest(**values)
        config = EngineConfig(**manifest.config)
        if streamed != (config.fetch_depth > 0):
            raise EseError(f"image: {path} must have the section rows if and only if fetch_depth "
                           f"is not 0, got fetch_depth {config.fetch_depth}")
    except (json.JSONDecodeError, AttributeError, ValidationError) as error:
        raise EseError(f"image: {path} must have a readable manifest, but "
                       f"{str(error).splitlines()[0]}") from None
    for name, section in sections.items():
        if section.dtype != np.uint32:
            raise EseError(f"image: {path} section {name} must be uint32, got {section.dtype}")
        if checksum(section) != manifest.sections.get(name):
            raise EseError(f"image: {path} section {name} must match its SHA-256 in the manifest, "
                           f"but the file is corrupted")
    if not coded:
        return Image(manifest, config, sections)
    try:
        sections["entries"] = decode_entries(sections, config)
    except EseError as error:
        raise EseError(f"image: {path} must have entries that decode, but {error}") from None
    if checksum(sections["entries"]) != manifest.sections.get("entries"):
        raise EseError(f"image: {path} coded entries must decode to the SHA-256 in the manifest, "
                       f"but don't")
    return Image(manifest, config, {name: sections[name] for name in SECTIONS},
                 {name: sections[name] for name in CODED_SECTIONS})
