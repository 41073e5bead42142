"""Packets on the AXI4-Streams of the shell around an engine.

A *container* holds one value: 16 bits if ``act_bits`` fits, else 32, sign-extended. A *row* is one
value of every channel, channels in order, zero-padded to whole beats of ``stream_bits``.

| stream | a packet, ended by TLAST |
|---|---|
| frames in | a row of flags (bit 0 active, bit 1 start), then ``input_width`` rows of features |
| results out | ``output_width`` rows |
| load | a beat with the descriptor in its low 64 bits, then words of one section |

Bytes are in the order of AXI: byte k of a packet is lane k mod ``stream_bytes`` of a beat.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .config import EngineConfig
from .errors import EseError
from .frames import integer_frames
from .image import Image
from .layout import (
    Field,
    Layout,
    Section,
    entry_layout,
    epilogue_layout,
    header_layout,
    param_layout,
    segment_layout,
)
from .shell import ShellConfig

MEMORY_SECTION = 255
"""Section number of load packets whose bytes go to external memory."""

ACTIVE_BIT, START_BIT = 0, 1
"""Bits of a channel's container in the row of flags."""

Bytes = NDArray[np.uint8]

# Frames -------------------------------------------------------------------------------------------


def container_bits(config: EngineConfig) -> int:
    """Bits that hold one value on the streams."""
    return 16 if config.act_bits <= 16 else 32


def row_beats(config: EngineConfig, shell: ShellConfig) -> int:
    """Beats of one row."""
    return -(-config.channels * container_bits(config) // shell.stream_bits)


def frame_widths(image: Image) -> tuple[int, int]:
    """Features of an input frame and values of an output frame, per channel."""
    return image.program.input_width, image.program.output_width


def pack_frames(frames: NDArray[np.integer], active: NDArray[np.bool_],
                start: NDArray[np.bool_], config: EngineConfig, shell: ShellConfig) -> Bytes:
    """Input packets; shape (T, bytes of a packet).

    frames: integers in the input format, (T, inputs, channels). active, start: (T, channels).
    Raises EseError for another shape or a value that ``act_bits`` don't hold.
    """
    values = np.asarray(frames)
    if values.ndim != 3 or values.shape[2] != config.channels:
        raise EseError(f"frames: must have the shape (T, inputs, {config.channels}), got "
                       f"{values.shape}")
    for name, mask in (("active", active), ("start", start)):
        if np.shape(mask) != (len(values), config.channels):
            raise EseError(f"{name}: must have the shape ({len(values)}, {config.channels}), got "
                           f"{np.shape(mask)}")
    flags = (np.asarray(active, bool).astype(np.int64) << ACTIVE_BIT
             | np.asarray(start, bool).astype(np.int64) << START_BIT)
    rows = np.concatenate([flags[:, None], integer_frames(values, config.act_bits)], axis=1)
    kind = np.dtype(f"<i{container_bits(config) // 8}")
    size = row_beats(config, shell) * shell.stream_bytes
    packed = np.zeros((*rows.shape[:2], size // kind.itemsize), kind)
    packed[:, :, :config.channels] = rows
    return packed.view(np.uint8).reshape(len(rows), rows.shape[1] * size)


def unpack_results(packets: Bytes, config: EngineConfig, shell: ShellConfig
                   ) -> NDArray[np.int64]:
    """Results (T, output_width, channels) of output packets (T, bytes of a packet).

    Raises EseError if a packet is not whole rows.
    """
    size = row_beats(config, shell) * shell.stream_bytes
    data = np.ascontiguousarray(packets, np.uint8)
    if data.ndim != 2 or data.shape[1] % size:
        raise EseError(f"packets: must have the shape (T, n) with n a multiple of {size} bytes, "
                       f"got {data.shape}")
    kind = np.dtype(f"<i{container_bits(config) // 8}")
    rows = data.view(kind).reshape(len(data), data.shape[1] // size, size // kind.itemsize)
    return rows[:, :, :config.channels].astype(np.int64)


# Loading ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LoadSection:
    """What packets of one section may hold: words of ``bits`` bits to addresses below ``words`` of
    one of ``lanes`` lanes (1: no lanes)."""

    section: Section
    bits: int
    words: int
    lanes: int

    def beats(self, shell: ShellConfig) -> int:
        """Beats of one word."""
        return -(-self.bits // shell.stream_bits)


def load_sections(config: EngineConfig) -> dict[Section, LoadSection]:
    """Every section of the engine's own memories."""
    lanes = config.lanes
    sections = (
        LoadSection(Section.HEADER, header_layout(config).bits, 1, 1),
        LoadSection(Section.SEGMENT, segment_layout(config).bits, config.segment_depth, 1),
        LoadSection(Section.EPILOGUE, epilogue_layout(config).bits, config.epilogue_depth, 1),
        LoadSection(Section.PARAM, param_layout(config).bits, config.param_depth, 1),
        LoadSection(Section.ENTRY, entry_layout(config).bits, config.stream_depth, lanes),
        LoadSection(Section.LANE_LAST, config.stream_address_bits, 1, lanes))
    return {section.section: section for section in sections}


def descriptor_layout() -> Layout:
    """First beat of a load packet: section, lane (0 where there are none), and the address of the
    first word; of MEMORY_SECTION, of the first byte, a multiple of ``stream_bytes``."""
    return Layout("descriptor", (Field("section", 8), Field("lane", 8),
                                 Field("address", 48)))


def load_packet(section: int, words: NDArray[np.uint32], shell: ShellConfig, *, bits: int,
                lane: int = 0, address: int = 0) -> Bytes:
    """One packet, (bytes,): words (n, words32) of ``bits`` bits to ascending addresses."""
    data = np.ascontiguousarray(words, dtype="<u4").view(np.uint8).reshape(len(words), -1)
    size = -(-bits // shell.stream_bits) * shell.stream_bytes
    body = np.zeros((len(words), size), np.uint8)
    body[:, :data.shape[1]] = data
    return np.concatenate([_descriptor(section, lane, address, shell), body.ravel()])


def memory_packet(data: Bytes, shell: ShellConfig, address: int = 0) -> Bytes:
    """One packet, (bytes,), that writes ``data`` (n,) and zeros up to a whole beat to external
    memory. Raises EseError if the address is no multiple of ``stream_bytes``."""
    if address % shell.stream_bytes:
        raise EseError(f"address: must be a multiple of {shell.stream_bytes} bytes, got {address}")
    padding = np.zeros(-len(data) % shell.stream_bytes, np.uint8)
    return np.concatenate([_descriptor(MEMORY_SECTION, 0, address, shell), data, padding])


def load_packets(image: Image, shell: ShellConfig, *, memory_base: int = 0) -> list[Bytes]:
    """Every packet that loads ``image``, in order; each (bytes,), whole beats.

    memory_base: byte address of the streamed weights. The header comes last: without it the shell
    refuses frames, so that half an image never runs.
    """
    sections = load_sections(image.config)
    packets = []
    if image.rows:
        packets.append(memory_packet(np.frombuffer(image.memory, np.uint8), shell, memory_base))

    def add(section: Section, words: NDArray[np.uint32], lane: int = 0) -> None:
        packets.append(load_packet(section, words, shell, bits=sections[section].bits, lane=lane))

    for name, section in (("segments", Section.SEGMENT), ("epilogues", Section.EPILOGUE),
                          ("params", Section.PARAM)):
        add(section, image.sections[name])
    for lane, length in enumerate(image.sections["lane_lengths"].tolist()):
        if length:  # a lane may have nothing but streamed weights
            add(Section.LANE_LAST, np.array([[length - 1]], np.uint32), lane)
            add(Section.ENTRY, image.lane_stream(lane)[:, None], lane)
    add(Section.HEADER, image.sections["header"])
    return packets


def _descriptor(section: int, lane: int, address: int, shell: ShellConfig) -> Bytes:
    word = descriptor_layout().pack({"section": section, "lane": lane, "address": address})
    return np.frombuffer(word.to_bytes(shell.stream_bytes, "little"), np.uint8)
