"""Generated files: the header compiles, the module runs, and both say what the map says."""

import importlib.util
import re
import subprocess

import pytest

from ese_lstm.contract.register_files import FILES, FORMATS
from ese_lstm.contract.registers import COUNTER_BASE, COUNTERS, REGISTERS

FIELDS = [(each, part) for each in REGISTERS for part in each.fields]


def test_formats():
    assert set(FORMATS) == set(FILES) == {"c", "python", "markdown"}
    assert len(set(FILES.values())) == 3 and all(write() == write() for write in FORMATS.values())


@pytest.mark.parametrize("language, options", [
    ("c", ["-std=c99", "-Wconversion"]), ("c++", ["-std=c++17"])])
def test_the_header_compiles_and_says_what_the_map_says(tmp_path, language, options):
    (tmp_path / FILES["c"]).write_text(FORMATS["c"]())
    names, values = [], []
    for each in REGISTERS:
        names.append(f"ESE_{each.name}_OFFSET")
        values.append(each.offset)
        for part in each.fields:
            prefix = f"ESE_{each.name}_{part.name.upper()}"
            top = part.maximum - (part.bits > 1)
            names += [f"{prefix}_MASK", f"{prefix}_LSB", f"ESE_PUT({prefix}_MASK, {top}u)",
                      f"ESE_GET({prefix}_MASK, {part.mask ^ 1 << part.lsb:#x}u)"]
            values += [part.mask, part.lsb, top << part.lsb, part.maximum ^ 1]
            if part.reset is not None:
                names.append(f"{prefix}_RESET")
                values.append(part.reset)
    names += ["ESE_MAP_MAJOR", "ESE_MAP_MINOR", "ESE_COUNTERS", "ESE_COUNTER_BASE"]
    values += [1, 1, len(COUNTERS), COUNTER_BASE]
    source = tmp_path / ("main.c" if language == "c" else "main.cc")
    source.write_text(f'#include "{FILES["c"]}"\n#include "{FILES["c"]}"\n#include <stdio.h>\n'
                      "int main(void) {\n"
                      + "".join(f'  printf("%lu\\n", (unsigned long)({name}));\n' for name in names)
                      + "  return 0;\n}\n")
    program = tmp_path / "main"
    subprocess.run(["g++", "-x", language, "-Wall", "-Wextra", "-Werror", "-pedantic", *options,
                    str(source), "-o", str(program)], check=True)
    shown = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    assert dict(zip(names, map(int, shown.split()), strict=True)) == dict(
        zip(names, values, strict=True))
    assert len(set(names)) == len(names) > 400
    defined = re.findall(r"#define (\w+)[ (]", FORMATS["c"]())
    assert len(set(defined)) == len(defined)


def test_the_module_runs_and_says_what_the_map_says(tmp_path):
    path = tmp_path / FILES["python"]
    path.write_text(FORMATS["python"]())
    spec = importlib.util.spec_from_file_location("ese_registers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.MAP_VERSION == (1, 1) and module.COUNTERS == COUNTERS
    assert set(module.FIELDS) == {each.name for each in REGISTERS}
    for each in REGISTERS:
        assert getattr(module, each.name) == each.offset
        assert module.FIELDS[each.name] == {
            part.name: (part.lsb, part.bits, str(part.access), part.reset) for part in each.fields}
    for each, part in FIELDS:
        word = module.put(each.name, **{part.name: part.maximum})
        assert word == part.mask and module.get(each.name, part.name, word) == part.maximum
        assert module.get(each.name, part.name, 0xFFFFFFFF ^ part.mask) == 0
    with pytest.raises(ValueError, match=r"CONTROL\.run: must be 0 to 1, got 2"):
        module.put("CONTROL", run=2)


def test_the_table_has_a_row_a_field():
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")]
            for line in FORMATS["markdown"]().splitlines() if line.startswith("|")]
    assert all(len(row) == 7 for row in rows) and len(rows) == 2 + len(FIELDS)
    for row, (each, part) in zip(rows[2:], FIELDS, strict=True):
        first = part is each.fields[0]
        assert row[:2] == ([f"{each.offset:#05x}", each.name] if first else ["", ""])
        top = part.lsb + part.bits - 1
        assert row[2:6] == [f"{top}:{part.lsb}" if top > part.lsb else str(top), part.name,
                            part.access, "–" if part.reset is None else f"{part.reset:#x}"]
        assert part.doc[1:] in row[6] and (not first or each.doc in row[6])
