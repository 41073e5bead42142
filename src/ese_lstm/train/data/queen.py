"""Transcribed speech out of ``queen.1c``, the data file of Flight of the Amazon Queen.

The file (all big-endian): ``QTBL``, 6 bytes of version, 3 bytes, u16 entries, then per entry
{name[12], u8 bundle, u32 offset, u32 size}. Clips are ``*.SB``: MPEG-2.5 layer III at 11,025 Hz.
Texts are spread over three kinds of entries, each giving sentences of a *voice name*:

| entry | sentences | voice name |
|---|---|---|
| ``*.DOG`` | dialogue trees | key (2 digits) + node (4 hex digits; the hero's node 0 is ``SSSS``,
the greeting ``XXXX``) + J or P |
| ``*.CUT`` | cut scenes | entry name padded with ``_`` to 5 + line (2 digits) |
| ``QUEEN2.JAS`` | descriptions, line k from 1 | ``JOE`` + (k + 40), 4 digits |

A sentence is cut into segments by commands (``*`` and two characters; ``*XY`` has 11 more);
segment number (hex, from 1) ends the clip's name.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...contract.errors import EseError

PACKAGE = "flight-of-the-amazon-queen"
MEMBER = "usr/share/scummvm/flight-of-the-amazon-queen/queen.1c"
CLIPS = 6745
TRANSCRIBED = 6544

SKIPPED = 20
JOE_RESPONSES = 40
LEVEL_BYTES = 96
_MOVE_BYTES = 11
_HEADER = struct.Struct(">4s6s3sH")
_ENTRY = struct.Struct(">12sBII")


@dataclass(frozen=True)
class QueenClip:
    """One clip: name without ``.SB``, its words, and where its MP3 data lies in the file."""

    name: str
    text: str
    offset: int
    size: int


class QueenFile:
    """The data file's directory. Raises EseError if it is not such a file or is cut off."""

    def __init__(self, path: Path) -> None:
        try:
            self._data = path.read_bytes()
        except OSError as error:
            raise EseError(f"data: {path} must be readable, but {error.strerror}") from None
        self._path = path
        if len(self._data) < _HEADER.size or not self._data.startswith(b"QTBL"):
            raise EseError(f"data: {path} must be a queen.1c file that begins with QTBL, got "
                           f"{self._data[:4]!r}")
        count = _HEADER.unpack_from(self._data)[3]
        if _HEADER.size + count * _ENTRY.size > len(self._data):
            raise EseError(f"data: {path} must hold a directory of {count} entries, but is cut "
                           f"off after {len(self._data)} bytes")
        self._entries: dict[str, tuple[int, int]] = {}
        for number in range(count):
            name, _, offset, size = _ENTRY.unpack_from(self._data,
                                                       _HEADER.size + number * _ENTRY.size)
            if offset + size > len(self._data):
                raise EseError(f"data: {path} entry {number} must lie within the file's "
                               f"{len(self._data)} bytes, but ends at {offset + size}")
            self._entries[name.rstrip(b"\0 ").decode("latin-1")] = (offset, size)

    def read(self, name: str) -> bytes:
        """Bytes of one entry."""
        offset, size = self._entries[name]
        return self._data[offset:offset + size]

    @property
    def clip_names(self) -> list[str]:
        """Names of all clips, transcribed or not, without ``.SB``."""
        return sorted(name[:-3] for name in self._entries if name.endswith(".SB"))

    def clips(self) -> list[QueenClip]:
        """The transcribed clips, by name; a clip whose segment has no letter has none."""
        texts: dict[str, str] = {}
        for voice, sentence in self._sentences():
            for number, segment in enumerate(segments(sentence), start=1):
                if re.search("[A-Za-z]", segment):
                    texts.setdefault(f"{voice}{number:X}", segment)
        found = []
        for name in self.clip_names:
            if name in texts:
                offset, size = self._entries[f"{name}.SB"]
                found.append(QueenClip(name, texts[name], offset, size))
        return found

    def _sentences(self) -> Iterator[tuple[str, str]]:
        """Voice name and sentence of every text."""
        for name in sorted(self._entries):
            try:
                if name.endswith(".DOG"):
                    yield from _dialogue(self.read(name)[SKIPPED:])
                elif name.endswith(".CUT"):
                    yield from _cutaway(name[:-4], self.read(name)[SKIPPED:])
            except (struct.error, IndexError):
                raise EseError(f"data: {self._path} entry {name} must hold complete texts, but "
                               f"is cut off") from None
        if "QUEEN2.JAS" in self._entries:
            lines = self.read("QUEEN2.JAS").decode("latin-1").split("\r\n")
            for number, line in enumerate(lines, start=1):
                yield f"JOE{number + JOE_RESPONSES:04d}", line


def segments(sentence: str) -> list[str]:
    """Pieces of a sentence between its commands, the last only if not empty."""
    pieces = []
    position = begin = 0
    while position < len(sentence):
        if sentence[position] != "*":
            position += 1
            continue
        pieces.append(sentence[begin:position].strip())
        moves = sentence[position + 1:position + 3] == "XY"
        position += 3 + (_MOVE_BYTES if moves else 0)
        begin = position
    if begin < len(sentence):
        pieces.append(sentence[begin:].strip())
    return pieces


def _string(data: bytes, offset: int, align: int) -> tuple[str, int]:
    """A length byte and its text; the offset after it, rounded up to ``align`` unless empty."""
    length = data[offset]
    end = offset + 1 + length
    if end > len(data):
        raise IndexError(end)
    text = data[offset + 1:end].decode("latin-1")
    return text, -(-end // align) * align if length else end


def _dialogue(data: bytes) -> Iterator[tuple[str, str]]:
    levels, _, key, hero, other = struct.unpack_from(">5h", data)
    prefix = f"{key:02d}"
    for letter, nodes, offset in (("J", hero, 32 + abs(levels) * LEVEL_BYTES),
                                  ("P", other, struct.unpack_from(">H", data, 22)[0])):
        for _ in range(nodes):
            node = struct.unpack_from(">H", data, offset + 2)[0]
            text, offset = _string(data, offset + 4, 4)
            label = "SSSS" if letter == "J" and node == 0 else f"{node:04X}"
            yield f"{prefix}{label}{letter}", text
    offset = struct.unpack_from(">H", data, 26)[0]
    for letter in "PJ":
        text, offset = _string(data, offset, 2)
        yield f"{prefix}XXXX{letter}", text


def _cutaway(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    lines = abs(struct.unpack_from(">h", data, 2)[0])
    _dialogue_file, offset = _string(data, struct.unpack_from(">H", data, 8)[0], 2)
    for line in range(1, lines + 1):
        text, offset = _string(data, offset, 2)
        yield f"{name.ljust(5, '_')}{line:02d}", text
