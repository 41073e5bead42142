"""Counting resources on hand-made netlists."""

import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.contract.published import ESE_RESOURCES, XCKU060
from ese_lstm.synth.resources import TARGETS, Resources, dsp_registers, resources


def test_every_kind_counts_as_what_it_is(builder) -> None:
    netlist = builder()
    for kind, pins in (("LUT1", "I0"), ("LUT6", "I0"), ("INV", "I"), ("SRL16E", "D"),
                       ("SRLC32E", "D"), ("RAM32M16", "DIA"), ("RAM64M", "DIA"),
                       ("RAMB18E2", "DIN"), ("RAMB36E2", "DIN"), ("MUXF7", "I0"),
                       ("child", "a")):
        netlist.cell(kind, {"O": f"{kind}_out"}, {pins: "a"})
    netlist.flip_flop("q", "a").cell("$scopeinfo", {}, {})
    found = resources(netlist.module, ["child"])
    assert found == Resources(lut=3 + 2 + 12, logic=3, lutram=12, shift=2, ff=1, bram36=1.5)
    assert found + found == found * 2


def test_an_unknown_cell_is_named(builder) -> None:
    with pytest.raises(EseError, match="known type, got GHOST"):
        resources(builder().cell("GHOST", {}, {}).module, [])


def test_a_carry_chain_takes_its_sum_from_luts(builder) -> None:
    """A constant needs none, a LUT is one, a register's bit passes one more."""
    netlist = builder().cell("LUT2", {"O": "s0"}, {"I0": "a", "I1": "b"})
    netlist.flip_flop("s1", "a").cell(
        "CARRY4", {"O": "o0 o1 o2 o3"}, {"S": "s0 s1 0 1", "DI": "a a a a", "CI": "0"})
    assert resources(netlist.module, []).logic == 2


def dsp(netlist, a: str, b: str, p: str):
    return netlist.cell("DSP48E2", {"P": p}, {"A": a, "B": b})


def test_operand_and_product_registers_fit_in_a_dsp(builder) -> None:
    netlist = builder().flip_flop("a", "x").flip_flop("b", "x")
    dsp(netlist, "a", "b", "p").flip_flop("kept", "p")
    assert dsp_registers(netlist.module) == {"cell_0", "cell_1", "cell_3"}
    assert resources(netlist.module, []) == Resources(ff=3, ff_in_dsp=3, dsp=1)


def test_registers_that_others_read_do_not(builder) -> None:
    """An operand that a LUT or a port reads, or that is operand A here and B there; a product
    that a LUT reads before its register."""
    netlist = builder().flip_flop("a", "x").flip_flop("b", "x").flip_flop("both", "x")
    netlist.port("b", "output").cell("LUT2", {"O": "y"}, {"I0": "a", "I1": "p"})
    dsp(netlist, "a", "b", "p").flip_flop("kept", "p")
    dsp(netlist, "both", "both", "square")
    assert dsp_registers(netlist.module) == set()


def test_one_register_serves_an_operand_of_several_dsps(builder) -> None:
    netlist = builder().flip_flop("a", "x")
    dsp(dsp(netlist, "a", "y", "p"), "a", "z", "q")
    assert dsp_registers(netlist.module) == {"cell_0"}


def test_the_papers_shares() -> None:
    """The percentages beside ESE's figures [rec]."""
    shares = {"lut": 88.6, "lutram": 47.6, "ff": 68.3, "bram36": 87.7, "dsp": 54.5}
    assert {field: round(100 * getattr(ESE_RESOURCES, field) / getattr(XCKU060, field), 1)
            for field in shares} == shares
    assert TARGETS == {"lut": 0.45, "bram36": 0.40, "dsp": 0.42}
