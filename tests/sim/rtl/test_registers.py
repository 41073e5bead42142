"""Exported Verilog of the registers in Verilator, against cocotbext-axi's AXI4-Lite master."""

from pathlib import Path

import numpy as np
import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.identity import identity_words
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.hw.shell.registers import Registers
from ese_lstm.hw.verilog.emit import emit
from ese_lstm.sim.rtl.verilator import build, run

TINY, SHELL = PRESETS["tiny"], SHELL_PRESETS["tiny"]
PAUSES = [["none"] * 5, ["half"] * 5, ["bursts"] * 5,
          ["often", "none", "none", "often", "none"], ["none", "often", "none", "none", "none"],
          ["none", "none", "often", "none", "often"]]
CASES = {"resident": (TINY, PAUSES), "streaming": (TINY.replace(fetch_depth=64), PAUSES[1:2])}


@pytest.mark.parametrize("case", CASES)
def test_registers_under_pauses_on_every_channel(case, seed):
    """Every register, random strobes, refused accesses, events, counters; after each pattern of
    pauses a reset in mid-transfer."""
    config, pauses = CASES[case]
    dut = Registers(config=config, shell=SHELL)
    words = identity_words(config, SHELL)
    offsets = [each.offset for each in dut.registers]
    simulator = build(emit(dut, "ese_registers", config), "ese_registers")
    result = run(simulator, "bench_registers", {
        "seed": seed, "names": list(words), "words": np.array(list(words.values()), np.int64),
        "offsets": offsets, "pauses": pauses, "accesses": 20},
        search=Path(__file__).parent, seed=seed)
    assert int(result["compared"]) > len(offsets) + 60 * len(pauses)
    assert int(result["refused"]) > 2 * len(pauses) and int(result["flushed"]) > 0
