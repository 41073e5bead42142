"""The exported Verilog in a simulator that knows X: as Verilog-2005 and as SystemVerilog."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.layout import load_layout
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.hw.layouts import frame_in_layout, frame_out_layout
from ese_lstm.hw.verilog.export import design
from ese_lstm.sim.rtl.load import load_beats
from ese_lstm.sim.rtl.runner import _frame_words
from ese_lstm.sim.rtl.words import from_bytes, unpack_words

TINY = PRESETS["tiny"]
BENCH = Path(__file__).with_name("bench_four_state.v")
SHAPES = [LayerShape(9, projection=4, peepholes=True), LayerShape(6, bias=False)]
LANGUAGES = ["2005", "2012"]
FRAMES = 3
PATIENCE = 20_000

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs iverilog")


def compiled(language: str, folder: Path, *sources: Path, **macros: int) -> Path:
    """The sources as Icarus Verilog compiles them."""
    out = folder / f"bench.{language}"
    subprocess.run(["iverilog", f"-g{language}", "-o", out,
                    *(f"-D{name}={value}" for name, value in macros.items()), *sources],
                   check=True)
    return out


def hex_words(path: Path, words: list[int]) -> None:
    path.write_text("".join(f"{word:x}\n" for word in words))


def widths(text: str) -> dict[str, int]:
    """Of the ports of the engine, by name."""
    body = text[text.index("module ese_engine("):text.index("endmodule")]
    return {name: int(high or 0) + 1 for high, name in re.findall(
        r"^  (?:input|output) (?:\[(\d+):0\] )?(\w+)\s*;", body, re.MULTILINE)}


@pytest.fixture
def printed(make_case, seed, tmp_path):
    """``printed(language, text)`` → the bench's lines for an engine, and what is expected."""
    case = make_case(TINY, np.random.default_rng(seed), 5, SHAPES, 0.5, FRAMES)
    golden = case.golden()

    def play(language: str, text: str) -> list[str]:
        verilog = tmp_path / "ese_engine.v"
        verilog.write_text(text)
        beats = load_beats(case.image)
        words = from_bytes(_frame_words(case.frames, case.active, case.start, TINY, seed))
        hex_words(tmp_path / "beats.hex", beats)
        hex_words(tmp_path / "words.hex", words)
        port = widths(text)
        bench = compiled(
            language, tmp_path, BENCH, verilog, BEATS=len(beats), WORDS=len(words),
            OUTPUTS=sum(len(frame.outputs) for frame in golden), PATIENCE=PATIENCE,
            LOAD_BITS=load_layout(TINY).bits, FRAME_BITS=frame_in_layout(TINY).size,
            OUT_BITS=frame_out_layout(TINY).size,
            CELL_BITS=port["trace_cell__values"], RESULT_BITS=port["trace_result__values"],
            CELL_ADDRESS_BITS=port["trace_cell__address"],
            RESULT_ADDRESS_BITS=port["trace_result__address"])
        return subprocess.run(["vvp", "-n", bench], cwd=tmp_path, check=True, text=True,
                              capture_output=True, timeout=300).stdout.splitlines()

    return play, golden


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_is_defined_and_the_golden_models(language, printed) -> None:
    play, golden = printed
    lines = play(language, design(TINY).verilog)
    assert lines[-1] == "done", lines[-1]
    assert not re.search("[xz]", "".join(line.split(" ", 1)[1] for line in lines[:-1])), "X or Z"
    compared = 0
    for kind, bits in (("cell", TINY.cell_bits), ("result", TINY.act_bits),
                       ("output", TINY.act_bits)):
        got = [[int(word, 2) for word in line.split()[1:]] for line in lines
               if line.startswith(kind)]
        values = unpack_words([words[-1] for words in got], TINY.channels, bits)
        traces = [frame.outputs if kind == "output" else getattr(frame, f"trace_{kind}").values
                  for frame in golden]
        np.testing.assert_array_equal(values, np.concatenate(traces))
        if kind != "output":
            addresses = [getattr(frame, f"trace_{kind}").addresses for frame in golden]
            assert [words[0] for words in got] == np.concatenate(addresses).tolist()
        compared += values.size
    assert compared == FRAMES * TINY.channels * (15 + 19 + 6)


def test_a_trigger_that_is_no_event_is_seen(printed) -> None:
    """With the value where the trigger is declared, SystemVerilog starts no process by it."""
    text, count = re.subn(r"^  reg (\\\S+) ;\n  initial \1  <= 0;$", r"  reg \1  = 0;",
                          design(TINY).verilog, flags=re.MULTILINE)
    assert count > 10
    play, _golden = printed
    assert play("2012", text)[-1].startswith("undefined at cycle")
    assert play("2005", text)[-1] == "done"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_shell_is_of_both_languages(language, tmp_path) -> None:
    source = tmp_path / "ese_shell.v"
    source.write_text(design(TINY.replace(fetch_depth=16), SHELL_PRESETS["tiny"]).verilog)
    assert compiled(language, tmp_path, source).stat().st_size > 1000
