import random
import re
from dataclasses import dataclass

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ese_lstm.hw.place import place
from ese_lstm.hw.verilog.emit import Emitter, _trigger, emit
from ese_lstm.sim.rtl.lockstep import amaranth_trace, verilog_trace


@dataclass(frozen=True)
class Widths:
    bits: int


class Accumulator(wiring.Component):
    """total += value, by a submodule of its own; clearable."""

    def __init__(self, bits: int) -> None:
        self.config = Widths(bits)
        super().__init__({"value": In(signed(bits)), "total": Out(signed(bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.adder = adder = Adder(self.config.bits)
        m.d.comb += [adder.a.eq(self.value), adder.b.eq(self.total)]
        m.d.sync += self.total.eq(adder.sum)
        return m


class Adder(wiring.Component):
    """Combinational: neither clock nor reset is used."""

    def __init__(self, bits: int) -> None:
        self.config = Widths(bits)
        super().__init__({"a": In(signed(bits)), "b": In(signed(bits)), "sum": Out(signed(bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.sum.eq(self.a + self.b)
        return m


class Pair(wiring.Component):
    """Two accumulators of one channel, one of them clearable, and a placed adder."""

    def __init__(self, bits: int) -> None:
        self.config = Widths(bits)
        super().__init__({"value": In(signed(bits)), "clear": In(1), "sum": Out(signed(bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.config.bits
        one, two, adder = Accumulator(bits), Accumulator(bits), Adder(bits)
        place(m, platform, "one", one, module="t_accumulator")
        place(m, platform, "two", two, module="t_accumulator", clear=self.clear)
        place(m, platform, "adder", adder, module="t_adder")
        m.d.comb += [one.value.eq(self.value), two.value.eq(self.value),
                     adder.a.eq(one.total), adder.b.eq(two.total), self.sum.eq(adder.sum)]
        return m


class Top(wiring.Component):
    """Channels of pairs behind a register, with a structure and a stream at the interface."""

    def __init__(self, bits: int = 8, channels: int = 3) -> None:
        self.config = Widths(bits)
        self.channels = channels
        values = data.ArrayLayout(signed(bits), channels)
        super().__init__({
            "values": In(values), "clear": In(channels),
            "trace": Out(data.StructLayout({"negative": channels, "sums": values})),
            "echo": In(stream.Signature(data.StructLayout({"word": 4, "last": 1}))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for channel in range(self.channels):
            pair = Pair(self.config.bits)
            place(m, platform, f"pair_{channel}", pair, module="t_pair",
                  clear=self.clear[channel] & self.clear[0])
            m.d.sync += pair.value.eq(self.values[channel])
            m.d.comb += [pair.clear.eq(self.clear[channel]),
                         self.trace.sums[channel].eq(pair.sum),
                         self.trace.negative[channel].eq(pair.sum < 0)]
        m.d.comb += self.echo.ready.eq(self.echo.payload.last)
        return m


def test_each_module_once_and_always_the_same() -> None:
    text = emit(Top(), "t_top")
    assert text == emit(Top(), "t_top")
    modules = re.findall(r"^module (\S+?) ?\(", text, re.MULTILINE)
    assert sorted(modules) == ["t_accumulator", "t_accumulator_adder", "t_adder", "t_pair",
                               "t_top"]
    assert len(re.findall(r"^  t_pair pair_\d \(", text, re.MULTILINE)) == 3


def test_ports_are_readable_and_complete() -> None:
    text = emit(Top(), "t_top")
    header = text[text.index("module t_top"):].split(";")[0]
    assert set(re.findall(r"\w+", header.split("(")[1])) == {
        "clk", "rst", "values", "clear", "trace__negative", "trace__sums", "echo__payload",
        "echo__valid", "echo__ready"}
    adder = text[text.index("module t_adder"):].split(";")[0]
    assert {"clk", "rst"} <= set(re.findall(r"\w+", adder))


def test_a_module_name_means_one_unit() -> None:
    m, emitter = Module(), Emitter()
    place(m, emitter, "a", Adder(4), module="t_adder")
    place(m, emitter, "b", Adder(4), module="t_adder")
    with pytest.raises(ValueError, match=r"t_adder: must name one unit, .*bits=4.*bits=5"):
        place(m, emitter, "c", Adder(5), module="t_adder")
    with pytest.raises(ValueError, match="must name one unit, .*Adder.*Accumulator"):
        place(m, emitter, "d", Accumulator(4), module="t_adder")


def test_a_unit_without_parameters_is_refused() -> None:
    class Nameless(wiring.Component):
        x: Out(1)

        def elaborate(self, platform: object) -> Module:
            return Module()

    with pytest.raises(ValueError, match="Nameless: must have a config or an emit_key"):
        place(Module(), Emitter(), "a", Nameless(), module="t_nameless")


def test_the_verilog_behaves_as_the_amaranth_model(seed: int) -> None:
    rng = random.Random(seed)
    cycles = 300
    stimulus = {
        "values": [rng.choice((rng.getrandbits(24), 0x7F7F7F, 0x808080)) for _ in range(cycles)],
        "clear": [rng.choice((0, 0, 0, rng.getrandbits(3))) for _ in range(cycles)],
        "echo__payload": [rng.getrandbits(5) for _ in range(cycles)],
        "echo__valid": [rng.getrandbits(1) for _ in range(cycles)]}
    expected = amaranth_trace(Top(), stimulus)
    assert len(set(expected["trace__sums"])) > cycles // 2
    assert verilog_trace(Top(), "t_top", stimulus) == expected


def test_every_process_starts_at_an_event() -> None:
    """Its trigger gets its value by an assignment, not where it is declared."""
    text = emit(Top(), "t_top")
    triggers = re.findall(r"^ +if \((\\\S+) \) begin end$", text, re.MULTILINE)
    assert triggers
    for name in set(triggers):
        declared = rf"^  reg {re.escape(name)} ;\n  initial {re.escape(name)}  <= 0;$"
        assert re.search(declared, text, re.MULTILINE)
    assert not re.search(r"^  reg \\\$auto\S+ +=", text, re.MULTILINE)


def test_a_trigger_declared_otherwise_is_refused() -> None:
    with pytest.raises(ValueError, match=r"trigger \\\$t must be declared once .* but is 0 times"):
        _trigger("  reg \\$t  = 1'b0;\n  always @* begin\n    if (\\$t ) begin end\n  end\n")
