"""The engine as Verilog, with a JSON beside it that says how to drive it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from amaranth.lib import data, wiring

from ...contract import timing
from ...contract.config import EngineConfig
from ...contract.files import write_contents
from ...contract.layout import (
    Layout,
    Section,
    entry_layout,
    epilogue_layout,
    header_layout,
    load_layout,
    param_layout,
    segment_layout,
)
from ..engine import Engine
from . import emit
from .inventory import instances, memories

TOP = "ese_engine"
DESCRIPTION_FORMAT = "ese-engine"
DESCRIPTION_VERSION = 1

LATENCIES = ("BROADCAST", "MAC", "DRAIN", "OPERAND_LEAD", "ACTIVATION", "REQUANTISE", "GATE",
             "RESULT", "CELL", "VISIBLE", "EPILOGUE_START", "EPILOGUE_GAP", "BANK_FREE")


@dataclass(frozen=True)
class ExportedFiles:
    """Paths of an export, and whether anything on disk had to change."""

    verilog: Path
    description: Path
    changed: bool


@lru_cache(maxsize=8)
def engine_verilog(config: EngineConfig) -> str:
    """Verilog of the engine: the same text for the same configuration."""
    return emit.emit(Engine(config=config), TOP, config)


def export_verilog(config: EngineConfig, directory: Path, *,
                   progress: Callable[[str, float], None] | None = None) -> ExportedFiles:
    """Write ``ese_engine.v`` and ``ese_engine.json``; each only if its content changed.

    progress: called with what is being done and the fraction done. Raises EseError if the
    directory can't be written.
    """
    report = progress or (lambda stage, fraction: None)
    report("write Verilog", 0.0)
    text = engine_verilog(config)
    report("write Verilog", 0.9)
    description = json.dumps(describe(config, text), indent=2) + "\n"
    verilog, json_path = (directory / name for name in export_files())
    changed = write_if_changed({verilog: text, json_path: description})
    report("write Verilog", 1.0)
    return ExportedFiles(verilog, json_path, changed)


def export_files() -> tuple[str, ...]:
    """Names of the files that :func:`export_verilog` writes."""
    return f"{TOP}.v", f"{TOP}.json"


def describe(config: EngineConfig, verilog: str) -> dict[str, Any]:
    """What ``ese_engine.json`` holds.

    ports: name, direction, width and fields of every port, with bit offsets (arrays: element
    width and count). load: what each section of the load port writes and how its words are laid
    out. latencies: cycles, from ``contract.timing``. modules: how often each is used. memories:
    words and bits of each, and how many there are.
    """
    return {
        "format": DESCRIPTION_FORMAT, "version": DESCRIPTION_VERSION, "module": TOP,
        "configuration": config.model_dump(), "configuration_sha256": config.digest,
        "verilog_sha256": hashlib.sha256(verilog.encode()).hexdigest(),
        "clock": {"port": emit.CLOCK, "mhz": config.clock_mhz},
        "reset": {"port": emit.RESET, "active": "high", "synchronous": True},
        "ports": _ports(config),
        "load": _load(config),
        "latencies": {name.lower(): getattr(timing, name) for name in LATENCIES},
        "modules": instances(verilog, TOP),
        "memories": [asdict(memory) for memory in memories(verilog, TOP)],
    }


def _ports(config: EngineConfig) -> list[dict[str, Any]]:
    engine = Engine(config=config)
    engine._MustUse__used = True  # only its interface is read
    shapes = {"__".join(map(str, path)): member.shape
              for path, member, _value in engine.signature.flatten(engine)}
    ports: list[dict[str, Any]] = [{"name": emit.CLOCK, "direction": "input", "width": 1},
                                   {"name": emit.RESET, "direction": "input", "width": 1}]
    for name, flow, value in emit.ports(engine):
        port: dict[str, Any] = {"name": name, "width": len(value),
                                "direction": "input" if flow == wiring.In else "output"}
        shape = shapes.get(name)
        if shape is None:
            parent, _, field = name.rpartition("__")
            shape = shapes[parent][field].shape
        if isinstance(shape, data.StructLayout):
            port["fields"] = [_field(field, place.shape, place.offset) for field, place in shape]
        elif isinstance(shape, data.ArrayLayout):
            port.update(_array(shape))
        ports.append(port)
    return ports


def _field(name: str | int, shape: Any, offset: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": str(name), "offset": offset}
    if isinstance(shape, data.ArrayLayout):
        return entry | {"width": shape.size} | _array(shape)
    return entry | {"width": data.Shape.cast(shape).width, "signed": data.Shape.cast(shape).signed}


def _array(shape: data.ArrayLayout) -> dict[str, Any]:
    element = data.Shape.cast(shape.elem_shape)
    return {"elements": shape.length, "element_width": element.width, "signed": element.signed}


def _load(config: EngineConfig) -> dict[str, Any]:
    layouts: dict[Section, Layout | None] = {
        Section.HEADER: header_layout(config), Section.SEGMENT: segment_layout(config),
        Section.EPILOGUE: epilogue_layout(config), Section.PARAM: param_layout(config),
        Section.ENTRY: entry_layout(config), Section.LANE_LAST: None}
    depths = {Section.HEADER: 1, Section.SEGMENT: config.segment_depth,
              Section.EPILOGUE: config.epilogue_depth, Section.PARAM: config.param_depth,
              Section.ENTRY: config.stream_depth, Section.LANE_LAST: 1}
    per_lane = (Section.ENTRY, Section.LANE_LAST)
    address = config.stream_address_bits
    sections = []
    for section, layout in layouts.items():
        fields = (layout_fields(layout) if layout else
                  [{"name": "address", "offset": 0, "width": address, "signed": False}])
        sections.append({"section": int(section), "name": section.name.lower(),
                         "addresses": depths[section],
                         "lanes": config.lanes if section in per_lane else 1,
                         "data": fields})
    return {"port": "load", "beat": layout_fields(load_layout(config)), "sections": sections}


def layout_fields(layout: Layout) -> list[dict[str, Any]]:
    """Fields of a word: name, offset, width, signed."""
    return [{"name": field.name, "offset": layout.offset(field.name), "width": field.bits,
             "signed": field.signed} for field in layout.fields]


def write_if_changed(texts: Mapping[Path, str]) -> bool:
    """Write files that have another content than these texts, all or none; whether any had."""
    changed = {path: text for path, text in texts.items()
               if not path.is_file() or path.read_bytes() != text.encode()}
    write_contents(changed)
    return bool(changed)
