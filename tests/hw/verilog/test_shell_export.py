"""The exported shell: its ports, its description, the files beside it."""

import json
import re

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import Section
from ese_lstm.contract.packets import MEMORY_SECTION, load_sections
from ese_lstm.contract.register_files import FILES, FORMATS
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.hw.verilog.export import export_verilog

SHELL = SHELL_PRESETS["tiny"]
CONFIGS = {"resident": PRESETS["tiny"], "streamed": PRESETS["tiny"].replace(fetch_depth=16)}


def signals(**channels):
    return {channel + field for channel, fields in channels.items()
            for field in (*fields, "valid", "ready")}


ADDRESS = "id", "addr", "len", "size", "burst", "cache", "prot"
AXI4 = signals(aw=ADDRESS, w=("data", "strb", "last"), b=("id", "resp"), ar=ADDRESS,
               r=("id", "data", "resp", "last"))
LITE = signals(aw=("addr", "prot"), w=("data", "strb"), b=("resp",), ar=("addr", "prot"),
               r=("data", "resp"))
STREAM = {"tdata", "tkeep", "tlast", "tvalid", "tready"}


@pytest.fixture(scope="module", params=CONFIGS)
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shell")
    config = CONFIGS[request.param]
    files = export_verilog(config, folder, shell=SHELL)
    assert files.changed and not export_verilog(config, folder, shell=SHELL).changed
    return config, files, json.loads(files.description.read_text())


def test_ports_of_the_verilog_make_up_the_interfaces(exported):
    config, files, description = exported
    text = files.verilog.read_text()
    body = text[text.index("module ese_shell("):text.index("endmodule")]
    found = {name: (direction, int(high or 0) + 1) for direction, high, name in re.findall(
        r"^  (input|output) (?:\[(\d+):0\] )?(\w+)\s*;", body, re.MULTILINE)}
    assert {port["name"]: (port["direction"], port["width"])
            for port in description["ports"]} == found
    expected = {"clk", "rst", "irq"}
    for prefix, signals in (("s_axil", LITE), ("s_axis_load", STREAM), ("s_axis_frame", STREAM),
                            ("m_axis_frame", STREAM),
                            ("m_axi", AXI4 if config.fetch_depth else set())):
        expected |= {f"{prefix}_{signal}" for signal in signals}
    assert set(found) == expected
    assert {each["prefix"] for each in description["interfaces"]} == {
        "s_axil", "s_axis_load", "s_axis_frame", "m_axis_frame"} | (
        {"m_axi"} if config.fetch_depth else set())
    for name, direction in (("s_axil_awvalid", "input"), ("s_axil_rdata", "output"),
                            ("s_axis_load_tready", "output"), ("m_axis_frame_tvalid", "output")):
        assert found[name][0] == direction
    if config.fetch_depth:
        assert found["m_axi_araddr"] == ("output", SHELL.memory_address_bits)
        assert found["m_axi_rdata"] == ("input", SHELL.memory_bits)


def test_the_description_says_what_load_packets_hold(exported):
    config, _, description = exported
    sections = {each["section"]: each for each in description["packets"]["sections"]}
    assert set(sections) == {*map(int, Section)} | ({MEMORY_SECTION} if config.fetch_depth
                                                    else set())
    for section, each in load_sections(config).items():
        assert sections[section]["word_beats"] == -(-each.bits // SHELL.stream_bits)
        assert sections[section]["addresses"] == each.words
    assert description["configuration"] == config.model_dump()
    assert description["shell"] == SHELL.model_dump()


def test_the_register_map_lies_beside(exported):
    _, files, description = exported
    assert [path.name for path in files.registers] == list(FILES.values())
    assert description["registers"] == [FILES[kind] for kind in FORMATS]
    for kind, path in zip(FORMATS, files.registers, strict=True):
        assert path.read_text() == FORMATS[kind]()


def test_the_engine_in_the_shell_is_the_engine(exported):
    """Module for module, with its weights' memories."""
    config, files, description = exported
    assert description["modules"]["ese_engine"] == 1
    assert description["modules"]["ese_lane"] == config.lanes
    assert str(config.digest) == description["configuration_sha256"]
    header = files.verilog.read_text().split("module", 1)[0]
    assert '"stream_bits": 64' in header and f'"lanes": {config.lanes}' in header
