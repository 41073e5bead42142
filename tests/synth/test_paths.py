"""Longest paths on hand-made netlists, delays added up by hand."""

import pytest

from ese_lstm.synth import delays, paths
from ese_lstm.synth.delays import net


def lut(netlist, out: str, *inputs: str):
    return netlist.cell(f"LUT{len(inputs)}", {"O": out},
                        {f"I{place}": name for place, name in enumerate(inputs)})


def test_registers_through_two_luts(builder) -> None:
    netlist = builder().flip_flop("q", "d").flip_flop("other", "d")
    lut(lut(netlist, "x", "q", "other"), "d", "x")
    found = paths.analyse(netlist.module, {})
    assert found.inside.delay == pytest.approx(
        delays.FF_OUT + net(1) + delays.LUT + net(1) + delays.LUT + net(2) + delays.FF_SETUP)
    assert found.inside[1:] in ((2, 2, "q", "q.D"), (2, 2, "q", "other.D"),
                                (2, 2, "other", "other.D"), (2, 2, "other", "q.D"))
    assert found.slack == pytest.approx(
        delays.PERIOD - delays.UNCERTAINTY - found.inside.delay)
    assert not found.inputs and not found.outputs and not found.through


def test_ports_and_a_way_through(builder) -> None:
    netlist = builder().port("a", "input").port("y", "output").port("z", "output")
    lut(netlist, "y", "a", "q").flip_flop("q", "a").flip_flop("z", "q")
    found = paths.analyse(netlist.module, {})
    assert found.inputs["a"].delay == pytest.approx(net(2) + delays.FF_SETUP)
    assert found.through["a", "y"].delay == pytest.approx(net(2) + delays.LUT)
    assert found.outputs["y"].delay == pytest.approx(delays.FF_OUT + net(2) + delays.LUT)
    assert found.outputs["z"] == (delays.FF_OUT, 0, 0, "z", "z")


def test_a_path_from_unit_to_unit_is_found(builder) -> None:
    """One unit's register, a LUT between, a way through the other unit, a register of the first."""
    first = builder().port("a", "input").port("y", "output")
    first.flip_flop("y", "d")
    lut(first, "d", "a")
    second = builder().port("b", "input").port("w", "output")
    lut(second, "w", "b")
    children = {name: paths.analyse(netlist.module, {})
                for name, netlist in (("first", first), ("second", second))}
    top = builder().cell("first", {"y": "n"}, {"a": "p"}).cell("second", {"w": "p"}, {"b": "m"})
    lut(top, "m", "n")
    found = paths.analyse(top.module, children).inside
    inner = net(1) + delays.LUT
    assert found.delay == pytest.approx(
        delays.FF_OUT + net(1) + delays.LUT + net(1) + inner
        + net(1) + inner + net(1) + delays.FF_SETUP)
    assert found[1:] == (3, 3, "cell_0.y", "cell_0.y.D")
    far = paths.analyse(top.module, children, frozenset({"first"})).inside
    assert far.delay - found.delay == pytest.approx(2 * (net(1, far=True) - net(1)))


def test_along_a_carry_chain_no_net_is_counted(builder) -> None:
    netlist = builder().flip_flop("q", "o7")
    lut(netlist, "s", "q")
    netlist.cell("CARRY4", {"CO": "c0 c1 c2 c3", "O": "o0 o1 o2 o3"},
                 {"S": "s 0 0 0", "DI": "0 0 0 0", "CI": "0"})
    netlist.cell("CARRY4", {"CO": "c4 c5 c6 c7", "O": "o4 o5 o6 o7"},
                 {"S": "0 0 0 0", "DI": "0 0 0 0", "CI": "c3"})
    found = paths.analyse(netlist.module, {}).inside
    assert found.delay == pytest.approx(
        delays.FF_OUT + net(1) + delays.LUT + delays.CARRY_IN + delays.CARRY_IN + net(1)
        + delays.FF_SETUP)
    assert found.levels == 2


def test_a_lut_memory_is_read_behind_its_own_address(builder) -> None:
    """Read port A: address A to data A. Port H writes: its address and data end at the clock."""
    netlist = builder().flip_flop("a", "x").flip_flop("h", "x").flip_flop("x", "ya")
    netlist.cell("RAM32M16", {"DOA": "ya", "DOH": "yh"},
                 {"ADDRA": "a", "ADDRH": "h", "DIA": "ya", "WE": "1", "WCLK": "clk"})
    found = paths.analyse(netlist.module, {})
    read = delays.FF_OUT + net(1) + delays.RAM_READ
    fresh = delays.RAM_OUT
    assert found.inside.delay == pytest.approx(max(read, fresh) + net(2) + delays.RAM_SETUP)
    assert found.inside.end.endswith(".DIA")
    assert (found.inside.levels, found.inside.deepest) == (0, 1)


def test_registers_inside_a_dsp_make_it_fast(builder) -> None:
    def multiply(registered: bool):
        netlist = builder().flip_flop("a", "x").flip_flop("b", "x").flip_flop("r", "p")
        netlist.cell("DSP48E2", {"P": "p"}, {"A": "a", "B": "b"}).flip_flop("x", "r")
        return netlist if registered else lut(netlist, "spy", "a", "b", "p")
    registered = paths.analyse(multiply(True).module, {}).inside
    assert registered.delay == pytest.approx(
        delays.DSP_OUT + net(1) + delays.DSP_SETUP)
    loose = paths.analyse(multiply(False).module, {}).inside
    assert loose.delay > delays.DSP_THROUGH


def test_a_loop_is_refused(builder) -> None:
    netlist = builder().port("a", "input")
    lut(lut(netlist, "x", "y", "a"), "y", "x")
    with pytest.raises(ValueError, match="2 nets are in combinational loops"):
        paths.analyse(netlist.module, {})


def test_far_nets_are_slower_and_fan_out_costs() -> None:
    assert net(1) == delays.NET and net(1, far=True) == delays.FAR_NET
    assert net(64) == pytest.approx(delays.NET + 6 * delays.NET_PER_DOUBLING)
    assert "ese_lane" in delays.spread({"ese_lane": 2, "ese_loader": 1})
    assert "ese_loader" not in delays.spread({"ese_lane": 2, "ese_loader": 1})
