"""``ese registers``: prints or writes each format."""

import pytest
from click.testing import CliRunner

from ese_lstm.cli.main import main
from ese_lstm.contract.register_files import FORMATS


@pytest.mark.parametrize("kind", FORMATS)
def test_writes_what_it_prints(tmp_path, kind):
    printed = CliRunner().invoke(main, ["registers", "--format", kind])
    assert printed.exit_code == 0 and printed.stdout == FORMATS[kind]()
    path = tmp_path / "new" / "map"
    written = CliRunner().invoke(main, ["registers", "--format", kind, "-o", str(path)])
    assert written.exit_code == 0 and written.stdout == f"{path}\n"
    assert path.read_text() == printed.stdout


def test_wrong_input(tmp_path):
    assert CliRunner().invoke(main, ["registers", "--format", "vhdl"]).exit_code == 2
    (tmp_path / "file").touch()
    result = CliRunner().invoke(main, ["registers", "-o", str(tmp_path / "file" / "map")])
    assert result.exit_code == 2 and "must be writable" in result.stderr
