"""The packed image: one safetensors file that an engine or the golden model loads.

Tensors (all uint32, words least significant first): ``header`` (1, w), ``segments`` (n, w),
``epilogues`` (n, w), ``params`` (n, w), ``entries`` (total,) lane after lane, ``lane_lengths``
(lanes,); for an engine with a ``fetch_depth`` also ``rows`` (n, w), the streamed weights as they
lie in external memory. In place of ``entries`` a file may have the sections of
:mod:`contract.coded`, which reading restores and checks against the SHA-256 of the entries.

The file's metadata has the JSON of the :mod:`contract.manifest`, with a SHA-256 of every section,
and the SHA-256 of that text. Files of versions 1 (plain), 2 (coded) and 3 (with rows) lack the
latter: what they say of themselves is believed, with a warning.
"""

import hashlib
import json
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from .coded import CODED_SECTIONS, decode_entries
from .config import RELATIVE_BITS, EngineConfig
from .errors import EseError
from .files import write_atomically
from .manifest import FORMAT, VERSION, LayerInfo, Manifest, MatrixInfo
from .program import Epilogue, Program, Segment, layers_of_tiles
from .sections import (
    SECTIONS,
    check_sections,
    checksum,
    join_words,
    section_layouts,
    section_names,
    split_words,
)

__all__ = ["CHECKSUM_KEY", "FORMAT", "METADATA_KEY", "SECTIONS", "VERSION", "Image", "LayerInfo",
           "Manifest", "MatrixInfo", "UnverifiedImage", "checksum", "image_bytes", "read_image",
           "section_layouts", "section_names", "split_words", "write_image"]

METADATA_KEY = "ese"
CHECKSUM_KEY = "ese_sha256"
_PLAIN, _CODED, _STREAMED = 1, 2, 3
"""Versions without a checksum, by what sections they have."""

_DAMAGE = (SafetensorError, OSError, ValueError, TypeError, AttributeError, LookupError,
           ArithmeticError, MemoryError, RecursionError)
"""What the readers of safetensors and JSON raise for files that are damaged."""

Sections = dict[str, NDArray[np.uint32]]


class UnverifiedImage(UserWarning):
    """An image's manifest has no checksum: whether it was damaged can't be told."""


@dataclass(frozen=True)
class Image:
    """A loaded or freshly packed image: manifest, configuration and sections.

    coded: CODED_SECTIONS if the file stores its entries coded, else nothing; ``sections`` has
    the entries either way. verified: False if it is from a file of an old version, whose manifest
    has no checksum.
    """

    manifest: Manifest
    config: EngineConfig
    sections: dict[str, NDArray[np.uint32]]
    coded: dict[str, NDArray[np.uint32]] = field(default_factory=dict)
    verified: bool = True

    def lane_stream(self, lane: int) -> NDArray[np.uint32]:
        """Entries of one lane, in stream order; shape (lane_lengths[lane],)."""
        lengths = self.sections["lane_lengths"].astype(np.int64)
        first = int(lengths[:lane].sum())
        return self.sections["entries"][first:first + int(lengths[lane])]

    def words(self, section: str) -> list[int]:
        """Words of a section of multi-word rows, as integers."""
        return join_words(self.sections[section])

    @cached_property
    def program(self) -> Program:
        """What its words say, unchecked (``sim.golden.decode`` decodes by itself, and checks)."""
        header, = self._unpacked("header")
        epilogues = tuple(Epilogue(**_without_end(fields))
                          for fields in self._unpacked("epilogues"))
        layers = layers_of_tiles(epilogues, [layer.cells for layer in self.manifest.layers])
        return Program(tuple(Segment(**_without_end(fields))
                             for fields in self._unpacked("segments")), epilogues, layers,
                       header["input_even"], header["input_odd"], header["input_width"])

    def _unpacked(self, section: str) -> list[dict[str, int]]:
        layout = section_layouts(self.config)[section]
        return [layout.unpack(word) for word in self.words(section)]

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
        columns = sum(segment["length"] for segment in self._unpacked("segments"))
        tiles = len(self.sections["epilogues"])
        return ((self.manifest.entries + self.manifest.published_fillers) * entry
                + 16 * self.config.lanes * (columns + tiles))

    def require_config(self, config: EngineConfig) -> None:
        """Raise EseError if the image was packed for another engine; names what differs."""
        if different := self.config.differences(config):
            raise EseError(f"image: must be packed for this engine's configuration, but has "
                           f"{different}")


def _without_end(fields: dict[str, int]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "end"}


def image_bytes(image: Image) -> bytes:
    """The file of an image, the same bytes for the same content."""
    manifest = image.manifest.model_copy(update={"version": VERSION})
    text = json.dumps(manifest.model_dump(), sort_keys=True)
    stored = {**{name: image.sections[name] for name in section_names(image.config)},
              **image.coded}
    if image.coded:
        del stored["entries"]
    # As safetensors.save writes it, but with the metadata in a fixed order.
    header: dict[str, object] = {"__metadata__": {METADATA_KEY: text, CHECKSUM_KEY: _sha256(text)}}
    parts, end = [], 0
    for name in sorted(stored):
        parts.append(np.ascontiguousarray(stored[name], "<u4").tobytes())
        end += len(parts[-1])
        header[name] = {"dtype": "U32", "shape": list(stored[name].shape),
                        "data_offsets": [end - len(parts[-1]), end]}
    words = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    words += b" " * (-len(words) % 8)
    return len(words).to_bytes(8, "little") + words + b"".join(parts)


def write_image(path: Path, image: Image) -> None:
    """Write :func:`image_bytes`, all or nothing. Raises EseError if the file can't be written."""
    data = image_bytes(image)
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def read_image(path: Path) -> Image:
    """Read and verify an image. Raises EseError if it is missing, truncated or corrupted.

    Warns with UnverifiedImage if its manifest has no checksum.
    """
    if not path.is_file():
        raise EseError(f"image: must be a file, got {str(path)!r}")
    try:
        image = _read(path)
    except EseError as error:
        raise EseError(f"image: {path} {error}") from None
    except _DAMAGE as error:
        raise EseError(f"image: {path} must be a complete safetensors file, but reading says: "
                       f"{_first_line(error)}") from None
    if not image.verified:
        warnings.warn(f"image: {path} is of format version {image.manifest.version}, which has no "
                      f"checksum of its manifest: engine, formats and input scaling are believed "
                      f"unverified; compress again to have one", UnverifiedImage, stacklevel=2)
    return image


def _read(path: Path) -> Image:
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        names = set(file.keys())
        kind = {frozenset(SECTIONS): _PLAIN, frozenset({*SECTIONS, "rows"}): _STREAMED,
                frozenset({*SECTIONS, *CODED_SECTIONS} - {"entries"}): _CODED
                }.get(frozenset(names))
        if METADATA_KEY not in metadata or kind is None:
            raise EseError(f"must be an image written by ese, but has sections {sorted(names)}")
        sections: Sections = {name: file.get_tensor(name) for name in sorted(names)}
    if unknown := sorted(metadata.keys() - {METADATA_KEY, CHECKSUM_KEY}):
        raise EseError(f"must have the metadata {METADATA_KEY} and {CHECKSUM_KEY} alone, but has "
                       f"{unknown[0]!r} as well")
    verified = CHECKSUM_KEY in metadata
    if verified and metadata[CHECKSUM_KEY] != _sha256(metadata[METADATA_KEY]):
        raise EseError("manifest must match its SHA-256, but the file is corrupted")
    manifest, config = _manifest(metadata[METADATA_KEY], kind, verified)
    if (kind == _STREAMED) != (config.fetch_depth > 0):
        raise EseError(f"must have the section rows if and only if fetch_depth is not 0, got "
                       f"fetch_depth {config.fetch_depth}")
    for name, section in sections.items():
        if section.dtype != np.uint32:
            raise EseError(f"section {name} must be uint32, got {section.dtype}")
        if checksum(section) != manifest.sections.get(name):
            raise EseError(f"section {name} must match its SHA-256 in the manifest, but the file "
                           f"is corrupted")
    coded: Sections = {}
    if kind == _CODED:
        coded = {name: sections.pop(name) for name in CODED_SECTIONS}
        try:
            sections["entries"] = decode_entries({**sections, **coded}, config)
        except _DAMAGE as error:
            raise EseError(f"must have entries that decode, but {_first_line(error)}") from None
        if checksum(sections["entries"]) != manifest.sections.get("entries"):
            raise EseError("coded entries must decode to the SHA-256 in the manifest, but don't")
    check_sections(sections, manifest, config)
    return Image(manifest, config, sections, coded, verified)


def _manifest(text: str, kind: int, verified: bool) -> tuple[Manifest, EngineConfig]:
    try:
        values = json.loads(text)
        manifest_format, version = values.get("format"), values.get("version")
        if manifest_format != FORMAT or version not in (VERSION, kind):
            raise EseError(f"must have format {FORMAT!r} version {VERSION} (or {kind}), got "
                           f"{manifest_format!r} version {version!r}")
        if version == VERSION and not verified:
            raise EseError(f"must have a SHA-256 of its manifest ({CHECKSUM_KEY}), but has none")
        manifest = Manifest(**values)
        return manifest, EngineConfig(**manifest.config)
    except EseError:
        raise
    except (ValidationError, *_DAMAGE) as error:
        raise EseError(f"must have a readable manifest, but {_first_line(error)}") from None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
