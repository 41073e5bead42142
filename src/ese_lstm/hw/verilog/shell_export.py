"""The shell as Verilog, with a JSON that describes it and the register map for drivers."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from ...contract.config import EngineConfig
from ...contract.packets import (
    ACTIVE_BIT,
    MEMORY_SECTION,
    START_BIT,
    container_bits,
    descriptor_layout,
    load_sections,
    row_beats,
)
from ...contract.register_files import FILES, FORMATS
from ...contract.shell import ShellConfig
from ..shell.shell import LITE, MEMORY, STREAM_OUT, STREAMS_IN, Shell
from . import emit
from .export import layout_fields, write_if_changed
from .inventory import instances, memories

TOP = "ese_shell"
DESCRIPTION_FORMAT = "ese-shell"
DESCRIPTION_VERSION = 1


@dataclass(frozen=True)
class ShellFiles:
    """Paths of an export, and whether anything on disk had to change. registers: C header, Python
    module and Markdown table."""

    verilog: Path
    description: Path
    registers: tuple[Path, ...]
    changed: bool


@lru_cache(maxsize=8)
def shell_verilog(config: EngineConfig, shell: ShellConfig) -> str:
    """Verilog of shell and engine: the same text for the same configurations."""
    return emit.emit(Shell(config=config, shell=shell), TOP, config, shell)


def export_shell(config: EngineConfig, shell: ShellConfig, directory: Path, *,
                 progress: Callable[[str, float], None] | None = None) -> ShellFiles:
    """Write ``ese_shell.v``, ``ese_shell.json`` and the register map's files; each only if its
    content changed.

    progress: called with what is being done and the fraction done. Raises EseError if the
    directory can't be written.
    """
    report = progress or (lambda stage, fraction: None)
    report("write Verilog", 0.0)
    verilog = shell_verilog(config, shell)
    report("write Verilog", 0.9)
    description = json.dumps(describe(config, shell, verilog), indent=2) + "\n"
    paths = [directory / name for name in shell_files()]
    changed = write_if_changed(dict(zip(paths, (
        verilog, description, *(FORMATS[kind]() for kind in FILES)), strict=True)))
    report("write Verilog", 1.0)
    return ShellFiles(paths[0], paths[1], tuple(paths[2:]), changed)


def shell_files() -> tuple[str, ...]:
    """Names of the files that :func:`export_shell` writes."""
    return f"{TOP}.v", f"{TOP}.json", *FILES.values()


def describe(config: EngineConfig, shell: ShellConfig, verilog: str) -> dict[str, Any]:
    """What ``ese_shell.json`` holds.

    ports: name, direction and width of every port. interfaces: prefix and kind of the AXI ports.
    packets: how rows lie on the streams, and what load packets may hold. modules, memories: as for
    the engine alone.
    """
    return {
        "format": DESCRIPTION_FORMAT, "version": DESCRIPTION_VERSION, "module": TOP,
        "configuration": config.model_dump(), "configuration_sha256": config.digest,
        "shell": shell.model_dump(), "shell_sha256": shell.digest,
        "verilog_sha256": hashlib.sha256(verilog.encode()).hexdigest(),
        "clock": {"port": emit.CLOCK, "mhz": config.clock_mhz},
        "reset": {"port": emit.RESET, "active": "high", "synchronous": True},
        "ports": _ports(config, shell), "interfaces": _interfaces(config),
        "packets": _packets(config, shell),
        "registers": [FILES[kind] for kind in FORMATS],
        "modules": instances(verilog, TOP),
        "memories": [vars(memory) for memory in memories(verilog, TOP)],
    }


def _ports(config: EngineConfig, shell: ShellConfig) -> list[dict[str, Any]]:
    top = Shell(config=config, shell=shell)
    top._MustUse__used = True  # only its interface is read
    return [{"name": name, "direction": "input", "width": 1}
            for name in (emit.CLOCK, emit.RESET)] + [
        {"name": name, "direction": "input" if flow == wiring.In else "output",
         "width": len(value)} for name, flow, value in emit.ports(top)]


def _interfaces(config: EngineConfig) -> list[dict[str, str]]:
    found = [(LITE, "axi4-lite slave"), *((name, "axi4-stream slave") for name in STREAMS_IN),
             (STREAM_OUT, "axi4-stream master")]
    if config.fetch_depth:
        found.append((MEMORY, "axi4 master"))
    return [{"prefix": prefix, "kind": kind} for prefix, kind in found]


def _packets(config: EngineConfig, shell: ShellConfig) -> dict[str, Any]:
    sections: list[dict[str, Any]] = [
        {"section": int(each.section), "name": each.section.name.lower(), "word_bits": each.bits,
         "word_beats": each.beats(shell), "addresses": each.words, "lanes": each.lanes}
        for each in load_sections(config).values()]
    if config.fetch_depth:
        sections.append({"section": MEMORY_SECTION, "name": "memory",
                         "word_bits": shell.stream_bits, "word_beats": 1,
                         "addresses": 1 << shell.memory_address_bits, "lanes": 1})
    return {"container_bits": container_bits(config), "row_beats": row_beats(config, shell),
            "flags": {"active": ACTIVE_BIT, "start": START_BIT},
            "descriptor": layout_fields(descriptor_layout()), "sections": sections}
