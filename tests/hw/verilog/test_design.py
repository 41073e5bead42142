"""What the emitter says of a design is what its text holds."""

import re
from collections import Counter

import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.hw.verilog.design import Design, Memory, Unit
from ese_lstm.hw.verilog.export import design

TINY = PRESETS["tiny"]
DESIGNS = {"engine": (TINY, None),
           "shell": (TINY.replace(fetch_depth=16), SHELL_PRESETS["tiny"])}


def made(name: str, *inside: str, memories: tuple[Memory, ...] = (), **children: int) -> Unit:
    return Unit(name, f"{name}\n", (), (name, *inside), memories, Counter(children))


WORDS = Memory("middle", "words", 1024, 16, "block")
SMALL = Design("top", "// top\n", {each.name: each for each in (
    made("top", "top_part", leaf=2, middle=1), made("leaf"),
    made("middle", memories=(WORDS,), leaf=3))})


def test_units_are_counted_down_the_hierarchy() -> None:
    assert list(SMALL.bottom_up()) == ["leaf", "middle", "top"]
    assert SMALL.copies() == {"top": 1, "middle": 1, "leaf": 5}
    assert SMALL.instances() == {"top": 1, "top_part": 1, "leaf": 5, "middle": 1}
    assert SMALL.memories() == [(WORDS, 1)]
    assert SMALL.verilog == "// top\ntop\n\nleaf\n\nmiddle\n"


@pytest.fixture(scope="module", params=DESIGNS)
def exported(request: pytest.FixtureRequest) -> Design:
    return design(*DESIGNS[request.param])


def test_modules_and_instances_are_those_of_the_text(exported: Design) -> None:
    """Counted down the hierarchy that the text has."""
    bodies = {found[1]: found[2] for found in re.finditer(
        r"^module (\w+)\((.*?)^endmodule", exported.verilog, re.MULTILINE | re.DOTALL)}
    counted: Counter[str] = Counter()

    def visit(name: str) -> None:
        counted[name] += 1
        for part in re.findall(r"^  (\w+) \S+ +\($", bodies[name], re.MULTILINE):
            visit(part)

    visit(exported.name)
    assert len(counted) > 15 and exported.instances() == counted
    assert set(bodies) == set(counted)


def test_memories_are_those_of_the_text(exported: Design) -> None:
    pattern = (r'(?:^  \(\* ram_style = "(\w+)" \*\)\n)?'
               r"^  reg (?:\[(\d+):0\] )?\\?(\S+) +\[(\d+):0\];")
    found = Counter((style or "auto", int(high or 0) + 1, name, int(last) + 1)
                    for style, high, name, last in re.findall(
                        pattern, exported.verilog, re.MULTILINE))
    assert len(found) > 10
    assert found == Counter((memory.style, memory.bits, memory.name, memory.words)
                            for memory, _count in exported.memories())


def test_ports_are_those_of_the_text(exported: Design) -> None:
    checked = 0
    for unit in exported.units.values():
        body = unit.verilog[unit.verilog.index(f"module {unit.name}("):]
        found = {(name, direction, int(high or 0) + 1) for direction, high, name in re.findall(
            r"^  (input|output) (?:\[(\d+):0\] )?\\?(\w+) *;", body[:body.index("endmodule")],
            re.MULTILINE)}
        assert {(port.name, port.direction, port.width) for port in unit.ports} == found
        checked += len(found)
    assert checked > 200


def test_no_name_looks_like_a_bit_of_a_vector(exported: Design) -> None:
    """Yosys' abc9 stops at such names, and other tools take the one for the other."""
    assert len(exported.verilog) > 100_000
    assert not re.findall(r"\\\S*[\[\]]\S* ", exported.verilog)
