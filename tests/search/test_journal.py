"""Lines of results: what was cut off is passed over, and other files are left alone."""

import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.search.journal import append_line, read_lines


def test_a_line_that_was_cut_off(tmp_path):
    path = tmp_path / "new" / "a.jsonl"
    assert read_lines(path) == []
    append_line(path, {"a": 1})
    path.write_text(path.read_text() + '{"a": 2, "b')
    append_line(path, {"a": 3})
    assert read_lines(path) == [{"a": 1}, {"a": 3}]
    path.write_text('{"a": 2, "b')
    assert read_lines(path) == []


@pytest.mark.parametrize("data", [b"# Notes\n\nof mine\n", b"\xff\xfe\n\x80\n", b"1\n2\n",
                                  b"[" * 100_000 + b"\n\n"])
def test_another_file_is_not_appended_to(tmp_path, data):
    path = tmp_path / "notes.md"
    path.write_bytes(data)
    with pytest.raises(EseError, match=r"^output: .*notes\.md must be a new file or lines of JSON"):
        read_lines(path)
    assert path.read_bytes() == data


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EseError, match=r"^output: .* must be writable, but .*; the points before"):
        append_line(tmp_path / "file" / "a.jsonl", {})
