"""The JSON beside the Verilog: ports, layouts, latencies, modules and memories."""

import hashlib
from dataclasses import asdict
from typing import Any

from amaranth.lib import data

from ...contract import timing
from ...contract.config import EngineConfig
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
from ..engine import Engine
from ..shell.shell import LITE, MEMORY, STREAM_OUT, STREAMS_IN
from .design import Design
from .emit import CLOCK, RESET

VERSION = 1
LATENCIES = ("BROADCAST", "MAC", "DRAIN", "OPERAND_LEAD", "ACTIVATION", "REQUANTISE", "GATE",
             "RESULT", "CELL", "VISIBLE", "EPILOGUE_START", "EPILOGUE_GAP", "BANK_FREE")


def describe(design: Design, config: EngineConfig, shell: ShellConfig | None) -> dict[str, Any]:
    """What the JSON file holds.

    ports: name, direction and width of every port. modules: how often each is used. memories:
    words and bits of each, and how many there are. Of the bare engine also: fields of the ports,
    with bit offsets (arrays: element width and count). load: what each section of the load port
    writes and how its words are laid out. latencies: cycles, from ``contract.timing``. Of the
    shell: interfaces: prefix and kind of the AXI ports. packets: how rows lie on the streams, and
    what load packets may hold. registers: files of the register map.
    """
    around = {} if shell is None else {"shell": shell.model_dump(), "shell_sha256": shell.digest}
    return {
        "format": "ese-engine" if shell is None else "ese-shell", "version": VERSION,
        "module": design.name,
        "configuration": config.model_dump(), "configuration_sha256": config.digest, **around,
        "verilog_sha256": hashlib.sha256(design.verilog.encode()).hexdigest(),
        "clock": {"port": CLOCK, "mhz": config.clock_mhz},
        "reset": {"port": RESET, "active": "high", "synchronous": True},
        **(_engine(design, config) if shell is None else _shell(design, config, shell)),
        "modules": design.instances(),
        "memories": [{**asdict(memory), "count": count} for memory, count in design.memories()],
    }


def _engine(design: Design, config: EngineConfig) -> dict[str, Any]:
    engine = Engine(config=config)
    engine._MustUse__used = True  # only its interface is read
    shapes: dict[str, Any] = {CLOCK: 1, RESET: 1}
    for path, member, _value in engine.signature.flatten(engine):
        name = "__".join(map(str, path))
        shapes[name] = member.shape
        if isinstance(member.shape, data.StructLayout):
            shapes |= {f"{name}__{field}": place.shape for field, place in member.shape}
    return {"ports": [asdict(port) | _inside(shapes[port.name]) for port in design.top.ports],
            "load": _load(config),
            "latencies": {name.lower(): getattr(timing, name) for name in LATENCIES}}


def _inside(shape: Any) -> dict[str, Any]:
    if isinstance(shape, data.StructLayout):
        return {"fields": [_field(field, place.shape, place.offset) for field, place in shape]}
    return _array(shape) if isinstance(shape, data.ArrayLayout) else {}


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
        fields = (_layout(layout) if layout else
                  [{"name": "address", "offset": 0, "width": address, "signed": False}])
        sections.append({"section": int(section), "name": section.name.lower(),
                         "addresses": depths[section],
                         "lanes": config.lanes if section in per_lane else 1,
                         "data": fields})
    return {"port": "load", "beat": _layout(load_layout(config)), "sections": sections}


def _layout(layout: Layout) -> list[dict[str, Any]]:
    return [{"name": field.name, "offset": layout.offset(field.name), "width": field.bits,
             "signed": field.signed} for field in layout.fields]


def _shell(design: Design, config: EngineConfig, shell: ShellConfig) -> dict[str, Any]:
    interfaces = [(LITE, "axi4-lite slave"), *((name, "axi4-stream slave") for name in STREAMS_IN),
                  (STREAM_OUT, "axi4-stream master")]
    if config.fetch_depth:
        interfaces.append((MEMORY, "axi4 master"))
    return {"ports": [asdict(port) for port in design.top.ports],
            "interfaces": [{"prefix": prefix, "kind": kind} for prefix, kind in interfaces],
            "packets": _packets(config, shell),
            "registers": [FILES[kind] for kind in FORMATS]}


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
            "descriptor": _layout(descriptor_layout()), "sections": sections}
