"""A queen.1c in miniature, laid out by hand after the format's description."""

import struct
from pathlib import Path

import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.train.data.queen import QueenFile, segments


def text(value: bytes, align: int, position: int) -> bytes:
    """Length byte, text, zeros up to the next multiple of ``align`` from the entry's beginning."""
    raw = bytes([len(value)]) + value
    return raw + bytes(-(position + len(raw)) % align) if value else raw


def dialogue() -> bytes:
    """One level, key 7, two hero nodes (0 and 0x2A), one node (3) of the other, a greeting."""
    body = bytearray(32 + 96)
    for node, words in ((0, b"Hello there!*03"), (0x2A, b"One*01Two*XY00(128,112)Three")):
        body += struct.pack(">HH", 9, node)
        body += text(words, 4, len(body))
    struct.pack_into(">5h", body, 0, -1, 55, 7, 2, 1)
    struct.pack_into(">H", body, 22, len(body))
    body += struct.pack(">HH", 0, 3)
    body += text(b"Go away", 4, len(body))
    struct.pack_into(">H", body, 26, len(body))
    body += text(b"", 2, len(body))
    body += text(b"You again", 2, len(body))
    return bytes(20) + bytes(body)


def cutaway() -> bytes:
    body = bytearray(40)
    struct.pack_into(">h", body, 2, -2)
    struct.pack_into(">H", body, 8, len(body))
    for words in (b"", b"First line", b"*FLSecond*15line"):
        body += text(words, 2, len(body))
    return bytes(20) + bytes(body)


def container(entries: dict[str, bytes]) -> bytes:
    offset = 15 + 21 * len(entries)
    table, data = b"", b""
    for name, content in entries.items():
        table += struct.pack(">12sBII", name.encode(), 1, offset + len(data), len(content))
        data += content
    return b"QTBL" + b"CEM10\0" + bytes(3) + struct.pack(">H", len(entries)) + table + data


ENTRIES = {
    "BOB.DOG": dialogue(), "C1A.CUT": cutaway(), "QUEEN2.JAS": b"A rock*24\r\nA door\r\n",
    **{f"{name}.SB": name.encode() for name in (
        "07SSSSJ1", "07002AJ1", "07002AJ2", "07002AJ3", "070003P1", "07XXXXJ1", "C1A__011",
        "C1A__022", "C1A__023", "JOE00411", "JOE00421", "99SSSSSS")}}


@pytest.fixture
def queen(tmp_path: Path) -> QueenFile:
    (tmp_path / "queen.1c").write_bytes(container(ENTRIES))
    return QueenFile(tmp_path / "queen.1c")


def test_every_kind_of_text_finds_its_clip(queen: QueenFile) -> None:
    found = {clip.name: clip.text for clip in queen.clips()}
    assert found == {
        "07SSSSJ1": "Hello there!", "07002AJ1": "One", "07002AJ2": "Two", "07002AJ3": "Three",
        "070003P1": "Go away", "07XXXXJ1": "You again", "C1A__011": "First line",
        "C1A__022": "Second", "C1A__023": "line", "JOE00411": "A rock", "JOE00421": "A door"}
    assert len(queen.clip_names) == len(found) + 1


def test_a_clip_knows_its_place(queen: QueenFile, tmp_path: Path) -> None:
    data = (tmp_path / "queen.1c").read_bytes()
    clips = queen.clips()
    assert clips
    for clip in clips:
        assert data[clip.offset:clip.offset + clip.size] == clip.name.encode()


@pytest.mark.parametrize("sentence, expected", [
    ("", []), ("Plain", ["Plain"]), ("End*03", ["End"]), ("*01*02", ["", ""]),
    ("*XY12(001,002)Now*GM", ["", "Now"]), ("cut*X", ["cut"])])
def test_segments(sentence: str, expected: list[str]) -> None:
    assert segments(sentence) == expected


@pytest.mark.parametrize("data, message", [
    (b"RIFF", "must be a queen.1c file that begins with QTBL, got b'RIFF'"),
    (container(ENTRIES)[:100], "must hold a directory of 15 entries, but is cut off after 100"),
    (container(ENTRIES)[:-5], "entry 14 must lie within"),
    (container({"A.DOG": dialogue()[:-4]}), "entry A.DOG must hold complete texts"),
    (container({"A.CUT": cutaway()[:-8]}), "entry A.CUT must hold complete texts")])
def test_damage_is_named(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "q").write_bytes(data)
    with pytest.raises(EseError, match=message):
        QueenFile(tmp_path / "q").clips()
