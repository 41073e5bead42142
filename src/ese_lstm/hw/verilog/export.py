"""The engine, bare or in its AXI shell, as Verilog, with a JSON beside it that describes it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...contract.config import EngineConfig
from ...contract.files import write_contents
from ...contract.register_files import FILES, FORMATS
from ...contract.shell import ShellConfig
from ..engine import Engine
from ..shell.shell import Shell
from . import emit
from .describe import describe
from .design import Design

TOP, SHELL_TOP = "ese_engine", "ese_shell"


@dataclass(frozen=True)
class ExportedFiles:
    """Paths of an export, and whether anything on disk had to change. registers: with the shell,
    the register map as C header, Python module and Markdown table."""

    verilog: Path
    description: Path
    registers: tuple[Path, ...]
    changed: bool


@lru_cache(maxsize=8)
def design(config: EngineConfig, shell: ShellConfig | None = None, prefix: str = "") -> Design:
    """The engine, or the shell with the engine in it: the same text for the same configurations.

    prefix: before the name of every module, joined by ``_``. Raises EseError if it is no Verilog
    identifier.
    """
    if shell is None:
        return emit.design(Engine(config=config), TOP, config, prefix=prefix)
    return emit.design(Shell(config=config, shell=shell), SHELL_TOP, config, shell, prefix=prefix)


def export_verilog(config: EngineConfig, directory: Path, *, shell: ShellConfig | None = None,
                   prefix: str = "", progress: Callable[[str, float], None] | None = None
                   ) -> ExportedFiles:
    """Write ``ese_engine.v`` and ``ese_engine.json``, or with a shell ``ese_shell.v``,
    ``ese_shell.json`` and the register map's files; each only if its content changed.

    prefix: before the names of all modules and of the first two files, joined by ``_``, so that
    several engines fit in one project. progress: called with what is being done and the fraction
    done. Raises EseError if the prefix is no Verilog identifier or the directory can't be written.
    """
    report = progress or (lambda stage, fraction: None)
    report("write Verilog", 0.0)
    exported = design(config, shell, prefix)
    report("write Verilog", 0.9)
    description = json.dumps(describe(exported, config, shell), indent=2) + "\n"
    registers = [] if shell is None else [FORMATS[kind]() for kind in FILES]
    paths = [directory / name for name in export_files(shell is not None, prefix)]
    texts = dict(zip(paths, (exported.verilog, description, *registers), strict=True))
    changed = {path: text for path, text in texts.items()
               if not path.is_file() or path.read_bytes() != text.encode()}
    write_contents(changed)
    report("write Verilog", 1.0)
    return ExportedFiles(paths[0], paths[1], tuple(paths[2:]), bool(changed))


def export_files(shell: bool, prefix: str = "") -> tuple[str, ...]:
    """Names of the files that :func:`export_verilog` writes.

    Raises EseError if the prefix is no Verilog identifier.
    """
    name = emit.prefixed(SHELL_TOP if shell else TOP, prefix)
    return f"{name}.v", f"{name}.json", *(FILES.values() if shell else ())
