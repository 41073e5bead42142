"""No command writes over what it reads; every output is written whole, or not at all."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load, save

from ese_lstm.cli.main import main
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.image import METADATA_KEY, read_image
from ese_lstm.contract.shell import SHELL_PRESETS

TINY = ["--config", "tiny", "--set", "stream_depth=2048"]


def ese(*words, code=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    assert code != 2 or (result.stderr.startswith("error: ") and result.stderr.count("\n") == 1)
    return result


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with checkpoints, frames, a configuration and an image."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    torch.save(torch.nn.LSTM(5, 6).state_dict(), "my.pt")
    torch.save(torch.nn.LSTM(5, 4, bidirectional=True).state_dict(), "both.pt")
    np.save("x.npy", np.random.default_rng(3).normal(size=(9, 5)).astype(np.float32))
    Path("tiny.json").write_text(PRESETS["tiny"].replace(stream_depth=2048).to_json())
    Path("names.json").write_text("{}")
    ese("compress", "my.pt", *TINY, "-o", "m.ese")
    Path("link").symlink_to("my.pt")
    return tmp_path


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


@pytest.mark.parametrize("command, taken", [
    ("compress my.pt -o my.pt", "the input my.pt"),
    ("compress my.pt -o link", "the input my.pt"),
    ("compress link -o my.pt", "the input link"),
    ("compress my.pt -o hard", "the input my.pt"),
    ("compress my.pt -o ./x/../my.pt", "the input my.pt"),
    ("compress my.pt --frames x.npy -o x.npy", "the input x.npy"),
    ("compress my.pt --config tiny.json -o tiny.json", "the input tiny.json"),
    ("compress my.pt --key-map names.json -o names.json", "the input names.json"),
    ("compress my.pt -o m2.ese --report my.pt", "the input my.pt"),
    ("compress my.pt -o same --report same", "the output same"),
    ("compress my.pt -o same --report x/../same", "the output same"),
    ("compress both.pt -o b.ese --report b.ese", "the output b.ese"),
    ("simulate m.ese x.npy -o m.ese", "the input m.ese"),
    ("simulate m.ese x.npy -o x.npy", "the input x.npy"),
    ("verilog --config x/ese_engine.json -o x", "the input x/ese_engine.json"),
    ("verilog --config tiny --shell x/ese_shell.json -o x", "the input x/ese_shell.json"),
    ("evaluate m.ese . --image x.npy --report x.npy", "the input x.npy"),
    ("evaluate my.pt . --report my.pt", "the input my.pt"),
    ("sensitivity my.pt . -o my.pt", "the input my.pt"),
    ("train . --from x/model.safetensors -o x", "the input x/model.safetensors"),
    ("distill x/model.safetensors x.npy -o x", "the input x/model.safetensors"),
    ("distill my.pt x.npy --from x/model.safetensors -o x", "the input x/model.safetensors"),
    ("report m.ese --curve x/index.html -o x", "the input x/index.html"),
])
def test_an_output_that_is_an_input(folder, command, taken):
    (folder / "x").mkdir()
    os.link("my.pt", "hard")
    (folder / "x" / "ese_engine.json").write_text(PRESETS["tiny"].to_json())
    (folder / "x" / "ese_shell.json").write_text(SHELL_PRESETS["tiny"].to_json())
    (folder / "x" / "model.safetensors").write_bytes(b"a model")
    (folder / "x" / "index.html").write_text("{}")
    before = contents(folder)
    error = ese(*command.split(), code=2).stderr
    assert f"must be another file than every input and output, but is {taken}\n" in error
    assert contents(folder) == before


def test_one_direction_that_is_the_input(folder):
    """Only reading the checkpoint tells what the images are called."""
    Path("both.pt").rename("b.forward.pt")
    before = contents(folder)
    error = ese("compress", "b.forward.pt", *TINY, "-o", "b.pt", code=2).stderr
    assert "output: b.forward.pt must be another file" in error and contents(folder) == before


@pytest.mark.parametrize("command", [
    "verilog --config tiny -o my.pt", "report m.ese -o my.pt", "train . -o my.pt",
    "data prepare -o my.pt", "distill my.pt x.npy -o my.pt/deeper",
])
def test_an_output_folder_that_is_a_file(folder, command):
    before = contents(folder)
    error = ese(*command.split(), code=2).stderr
    assert " must be a folder, but my.pt is a file\n" in error and contents(folder) == before


@pytest.mark.parametrize("command", [
    "compress my.pt -o x", "compress my.pt -o m2.ese --report x", "simulate m.ese x.npy -o x",
    "registers -o x", "evaluate my.pt . --report x", "sensitivity my.pt . -o x"])
def test_an_output_file_that_is_a_folder(folder, command):
    (folder / "x").mkdir()
    before = contents(folder)
    error = ese(*command.split(), code=2).stderr
    assert "output: x must be a file, but is a folder\n" in error and contents(folder) == before


@pytest.mark.parametrize("command", [
    "compress my.pt --set stream_depth=2048 --config tiny -o both --report full",
    "compress both.pt --set stream_depth=2048 --config tiny -o new.ese --report full",
    "simulate m.ese x.npy -o full", "registers -o full"])
def test_a_full_disk_leaves_nothing(folder, command):
    """An image beside a report that can't be written is neither made nor replaced."""
    if not Path("/dev/full").is_char_device():
        pytest.skip("no /dev/full")
    (folder / "full").symlink_to("/dev/full")
    (folder / "both").write_bytes(b"before")
    before = contents(folder)
    assert "output: full must be writable, but No space left" in ese(*command.split(),
                                                                     code=2).stderr
    assert contents(folder) == before and (folder / "full").is_symlink()


def test_no_permission_is_a_sentence(folder):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (folder / "closed").mkdir(mode=0o500)
    assert "must be writable, but Permission" in ese("registers", "-o", "closed/a", code=2).stderr


def test_devices_take_what_is_written(folder):
    """Once /dev/null became a file."""
    try:
        os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        Path("null").write_bytes(b"opens")
    except OSError:
        pytest.skip("may not make device nodes here")
    before = contents(folder)
    ese("compress", "my.pt", *TINY, "-o", "null", "--report", "null")
    ese("compress", "both.pt", *TINY, "-o", "null")
    ese("simulate", "m.ese", "x.npy", "-o", "null")
    ese("registers", "-o", "null")
    assert Path("null").is_char_device() and contents(folder) == before


@pytest.mark.parametrize("command, told", [
    ("compress my.pt --config tiny --set stream_depth=2048 -o", "Matrices"),
    ("simulate m.ese x.npy -o", "Simulation"), ("registers -o", "/dev/stdout"),
    ("compress my.pt --config tiny --set stream_depth=2048 -o new.ese --report", "Matrices")])
def test_standard_output_has_the_file_alone(folder, command, told):
    """Tables once followed an image into the pipe, where it was then no image."""
    words = [sys.executable, "-m", "ese_lstm", *command.split()]
    ese_itself = [subprocess.run([*words, place], capture_output=True, check=True)
                  for place in ("/dev/stdout", "file")]
    assert ese_itself[0].stdout == Path("file").read_bytes()
    assert told in ese_itself[0].stderr.decode() and ese_itself[1].stdout


def test_links_and_modes(folder):
    Path("new.ese").symlink_to("far.ese")
    mask = os.umask(0o027)
    try:
        ese("compress", "my.pt", *TINY, "-o", "new.ese", "--report", "new.json")
    finally:
        os.umask(mask)
    assert Path("new.ese").is_symlink() and read_image(folder / "far.ese").verified
    assert {stat.S_IMODE(Path(name).stat().st_mode) for name in ("far.ese", "new.json")} == {0o640}
    Path("far.ese").chmod(0o604)
    ese("compress", "my.pt", *TINY, "-o", "new.ese")
    assert stat.S_IMODE(Path("far.ese").stat().st_mode) == 0o604


def old_file(source, target):
    """As files were before manifests had a checksum."""
    manifest = read_image(source).manifest.model_dump() | {"version": 1}
    target.write_bytes(save(load(source.read_bytes()), {METADATA_KEY: json.dumps(manifest)}))


def test_images_of_before_are_read_with_a_note(folder):
    note = (r"note: image: old.ese is of format version 1, which has no checksum of its manifest: "
            "engine, formats and input scaling are believed unverified; compress again to have "
            "one\n")
    old_file(folder / "m.ese", folder / "old.ese")
    for command in ("info old.ese", "info old.ese --json", "simulate old.ese x.npy",
                    "report old.ese -o page"):
        assert ese(*command.split()).stderr == note, command
    assert ese("report", "m.ese", "--compare", "old.ese", "-o", "page").stderr == note
    for name, verified in (("old.ese", False), ("m.ese", True)):
        found = ese("info", name)
        assert ("of sections and manifest: match" in found.stdout) == verified
        assert ("none of the manifest (format version 1)" in found.stdout) != verified
        assert json.loads(ese("info", name, "--json").stdout)["manifest_verified"] == verified
    assert ese("info", "m.ese").stderr == ""


@pytest.mark.parametrize("options, needed", [
    ("--prefix lstm", "--against"), ("--gate-order ifgo", "--against"),
    ("--key-map names.json", "--against"), ("--bandwidth 3", "--backend rtl"),
    ("--latency -3 --sqnr", "--backend rtl")])
def test_options_without_what_they_belong_to(folder, options, needed):
    """They were passed over, whatever they said."""
    said = ese("simulate", "m.ese", "x.npy", *options.split(), code=2)
    assert options.split()[0] in said.stderr and f"must come with {needed}" in said.stderr
