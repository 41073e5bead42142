"""Every port of the exported shell is cut by registers; the search finds one that is not."""

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.hw.memory.gather import Gather
from ese_lstm.hw.verilog import emit
from ese_lstm.hw.verilog.export import SHELL_TOP, design

from .cones import combinational

SHELL = SHELL_PRESETS["tiny"]


@pytest.mark.parametrize("fetch_depth", [0, 16])
def test_no_output_of_the_shell_depends_on_an_input(fetch_depth, tmp_path):
    """AXI4 and AXI4-Stream, "no combinatorial paths between input and output signals"."""
    config = PRESETS["tiny"].replace(fetch_depth=fetch_depth)
    assert combinational(design(config, SHELL).verilog, SHELL_TOP, tmp_path) == set()


def test_a_way_through_is_found(tmp_path):
    """Of the unit that joins words: whether it takes one depends on the word's address."""
    shell = SHELL.replace(memory_bits=128)
    verilog = emit.emit(Gather(shell=shell), "gather", PRESETS["tiny"], shell)
    found = combinational(verilog, "gather", tmp_path)
    ways = {(source.split("__")[0], sink) for source, sink in found}
    assert ("words", "words__ready") in ways and ("beats", "words__ready") in ways
    assert not any(source in ("clk", "rst") for source, _ in found)
