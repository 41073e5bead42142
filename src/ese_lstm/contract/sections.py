"""The sections of a packed image: names, layouts, checksums, and what every file must keep to."""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .config import EngineConfig
from .errors import EseError
from .layout import (
    Layout,
    entry_layout,
    epilogue_layout,
    header_layout,
    param_layout,
    row_layout,
    segment_layout,
)
from .manifest import Manifest

SECTIONS = ("header", "segments", "epilogues", "params", "entries", "lane_lengths")
FLAT = ("entries", "lane_lengths")
"""Sections of one number a word, with one dimension."""


def section_names(config: EngineConfig) -> tuple[str, ...]:
    """Sections of an image for this engine."""
    return (*SECTIONS, "rows") if config.fetch_depth else SECTIONS


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


def join_words(rows: NDArray[np.uint32]) -> list[int]:
    """Inverse of :func:`split_words`."""
    return [sum(int(part) << (32 * k) for k, part in enumerate(row)) for row in rows]


def checksum(section: NDArray[np.uint32]) -> str:
    """SHA-256 of a section's bytes, in hex."""
    return hashlib.sha256(np.ascontiguousarray(section, dtype="<u4").tobytes()).hexdigest()


def check_sections(sections: Mapping[str, NDArray[np.uint32]], manifest: Manifest,
                   config: EngineConfig) -> None:
    """Raise EseError unless sections have the shapes of their layouts and fit the engine's
    memories, and unless manifest, configuration and sections say the same of inputs and entries.

    What the program does is the business of who decodes it.
    """
    ranges = {"header": (1, 1), "segments": (1, config.segment_depth),
              "epilogues": (1, config.epilogue_depth), "params": (1, config.param_depth)}
    for name, layout in section_layouts(config).items():
        section = sections[name]
        _check_shape(name, section, layout)
        least, most = ranges.get(name, (0, len(section)))
        if not least <= len(section) <= most:
            raise EseError(f"section {name} must be {least} to {most} words for this engine, got "
                           f"{len(section)}")
    _check_lanes(sections, config)
    inputs = manifest.layers[0].inputs if manifest.layers else 0
    for word in join_words(sections["header"]):
        width = header_layout(config).unpack(word)["input_width"]
        if not inputs == width == len(manifest.input_exponents):
            raise EseError(f"inputs must be the same in header, first layer and input_exponents, "
                           f"got {width}, {inputs} and {len(manifest.input_exponents)}")
    packed = manifest.entries + manifest.null_entries + manifest.filler_entries
    if packed - manifest.streamed_entries != len(sections["entries"]):
        raise EseError(f"section entries must hold the manifest's {packed} entries less "
                       f"{manifest.streamed_entries} streamed ones, got "
                       f"{len(sections['entries'])}")


def _check_shape(name: str, section: NDArray[np.uint32], layout: Layout) -> None:
    wanted = () if name in FLAT else (layout.words32,)
    if section.ndim != 1 + len(wanted) or section.shape[1:] != wanted:
        raise EseError(f"section {name} must have the shape "
                       f"(n{''.join(f', {size}' for size in wanted) or ','}), got "
                       f"{section.shape}")
    spare = 32 * layout.words32 - layout.bits
    highest = section if name in FLAT else section[:, -1]
    if spare and (highest >> np.uint32(32 - spare)).any():
        raise EseError(f"section {name} must be zero above the {layout.bits} bits of its words")


def _check_lanes(sections: Mapping[str, NDArray[np.uint32]], config: EngineConfig) -> None:
    lengths = sections["lane_lengths"]
    if lengths.shape != (config.lanes,):
        raise EseError(f"section lane_lengths must have the shape ({config.lanes},), got "
                       f"{lengths.shape}")
    total, longest = int(lengths.astype(np.int64).sum()), int(lengths.max())
    if total != len(sections["entries"]):
        raise EseError(f"section lane_lengths must add up to the {len(sections['entries'])} "
                       f"entries, got {total}")
    if longest > config.stream_depth:
        raise EseError(f"section lane_lengths must be at most stream_depth={config.stream_depth}, "
                       f"got {longest}")
