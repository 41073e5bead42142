"""The register map: no two things in one place, words packed and unpacked."""

import pytest

from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.counters import COUNTER_BITS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.registers import (
    ADDRESS_BITS,
    COUNTER_BASE,
    COUNTERS,
    REGISTERS,
    Access,
    offset,
    register,
)
from ese_lstm.contract.shell import ShellConfig


def test_every_register_has_a_name_and_a_place_of_its_own():
    offsets = [each.offset for each in REGISTERS]
    assert offsets == sorted(set(offsets)) and len(offsets) > 60
    assert all(place % 4 == 0 and place < 1 << ADDRESS_BITS for place in offsets)
    assert len({each.name for each in REGISTERS}) == len(REGISTERS)
    assert all(register(each.name) is each and offset(each.name) == each.offset
               for each in REGISTERS)
    with pytest.raises(KeyError):
        offset("NONE")


@pytest.mark.parametrize("each", REGISTERS, ids=lambda each: each.name)
def test_fields_fit_and_do_not_overlap(each):
    taken = 0
    assert each.fields and len({part.name for part in each.fields}) == len(each.fields)
    for part in each.fields:
        assert part.bits >= 1 and part.lsb + part.bits <= 32 and not taken & part.mask
        assert part.reset is None or 0 <= part.reset <= part.maximum
        assert part.doc and (part.access in (Access.RO, Access.RW) or part.bits == 1)
        taken |= part.mask
    assert each.writable == any(part.access != Access.RO for part in each.fields)
    assert each.doc.endswith(".")


def test_flags_begin_at_bit_0():
    """The RTL keeps the fields of these as one word."""
    for name in ("STATUS", "ERROR", "IRQ_ENABLE", "IRQ_STATUS"):
        assert [part.lsb for part in register(name).fields] == list(range(
            len(register(name).fields)))
    enable, status = register("IRQ_ENABLE"), register("IRQ_STATUS")
    assert [part.name for part in enable.fields] == [part.name for part in status.fields]


@pytest.mark.parametrize("each", REGISTERS, ids=lambda each: each.name)
def test_words_are_packed_and_unpacked(each):
    values = {part.name: (1 << part.bits) - 1 - k for k, part in enumerate(each.fields)
              if part.bits > 2} or {each.fields[-1].name: 1}
    word = each.pack(values)
    assert {name: value for name, value in each.unpack(word).items() if value} == values
    assert each.unpack(each.pack({})) == dict.fromkeys((part.name for part in each.fields), 0)
    last = each.fields[-1]
    for value in (-1, 1 << last.bits):
        with pytest.raises(EseError, match=rf"{each.name}\.{last.name}: must be 0 to "
                                           rf"{last.maximum}, got {value}"):
            each.pack({last.name: value})
    with pytest.raises(KeyError):
        each.pack({"none": 0})


def test_counters_follow_one_another():
    for number, name in enumerate(COUNTERS):
        low, high = (register(f"COUNTER_{name.upper()}_{half}") for half in ("LO", "HI"))
        assert (low.offset, high.offset) == (COUNTER_BASE + 8 * number, COUNTER_BASE + 8 * number
                                             + 4)
        assert low.fields[0].bits + high.fields[0].bits == COUNTER_BITS
    assert len(COUNTERS) == 19


def test_every_dimension_has_a_field_that_holds_it():
    """A limit of the configurations is a value that its field holds."""
    fields = {part.name: part for each in REGISTERS for part in each.fields}
    checked = 0
    for kind in (EngineConfig, ShellConfig):
        for name, info in kind.model_fields.items():
            if name not in ("index_mode", "clock_mhz"):
                limit = next(rule.le for rule in info.metadata if hasattr(rule, "le"))
                assert limit <= fields[name].maximum, name
                checked += 1
    assert checked > 20
