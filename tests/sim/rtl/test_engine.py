"""The whole engine's exported Verilog in Verilator: every cell state, result and output."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract import tables
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.image import Image
from ese_lstm.contract.layout import entry_layout
from ese_lstm.sim.compare import compare
from ese_lstm.sim.golden import arithmetic
from ese_lstm.sim.golden.activation import ActivationTables
from ese_lstm.sim.rtl import run_image

TINY = PRESETS["tiny"].replace(stream_depth=4096)  # dense stacks of three layers fit
CONFIGS = {
    "tiny": TINY,
    "one lane, one channel": TINY.replace(lanes=1, channels=1, queue_depth=1, acc_rows=4,
                                          output_depth=2, segment_depth=128,
                                          epilogue_depth=64),
    "relative4, odd widths": TINY.replace(
        lanes=3, channels=3, index_mode="relative4", acc_rows=24, weight_bits=9, act_bits=13,
        acc_bits=30, cell_bits=20, cell_frac=11, peephole_bits=14),
}
SHAPES = [LayerShape(9, projection=4, peepholes=True), LayerShape(6, bias=False)]


@pytest.mark.parametrize("input_pause, output_pause", [
    ("none", "none"), ("often", "none"), ("none", "often"), ("bursts", "bursts")])
@pytest.mark.parametrize("name", CONFIGS)
def test_every_value_at_every_rhythm(name, input_pause, output_pause, make_case, seed) -> None:
    rng = np.random.default_rng(seed)
    case = make_case(CONFIGS[name], rng, 5, SHAPES, 0.5, 6)
    result = run_image(case.image, case.frames, case.active, case.start,
                       input_pause=input_pause, output_pause=output_pause, load_pause="rare",
                       seed=seed)
    comparison = compare(result.frames, case.golden())
    channels = CONFIGS[name].channels
    assert comparison.compared == {"cell": 6 * 15 * channels, "result": 6 * 19 * channels,
                                   "output": 6 * 6 * channels}
    assert comparison.equal, comparison.first


layers = st.lists(st.builds(
    LayerShape, cells=st.integers(1, 11), projection=st.sampled_from([0, 0, 1, 5, 7]),
    peepholes=st.booleans(), bias=st.booleans()), min_size=1, max_size=3)


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=6, deadline=None, database=None, print_blob=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inputs=st.integers(1, 9), shapes=layers, density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
       numbers=st.integers(0, 2**31))
def test_any_small_network(name, make_case, inputs, shapes, density, numbers) -> None:
    case = make_case(CONFIGS[name], np.random.default_rng(numbers), inputs, shapes, density, 3)
    result = run_image(case.image, case.frames, case.active, case.start, input_pause="rare",
                       output_pause="half", seed=numbers)
    comparison = compare(result.frames, case.golden())
    assert comparison.equal, comparison.first


@pytest.fixture
def simulated(make_case, seed):
    rng = np.random.default_rng(seed)
    case = make_case(TINY, rng, 5, SHAPES, 1.0, 4)
    case = replace(case, active=np.ones_like(case.active))
    result = run_image(case.image, case.frames, case.active, case.start)
    assert compare(result.frames, case.golden()).equal
    return case, result


def test_a_flipped_weight_bit_is_seen(simulated, seed) -> None:
    case, _result = simulated
    layout = entry_layout(TINY)
    entries = case.image.sections["entries"].copy()
    where = int(np.random.default_rng(seed).integers(len(entries)))
    entries[where] ^= 1 << (layout.offset("weight") + TINY.weight_bits - 2)
    broken = Image(case.image.manifest, TINY, {**case.image.sections, "entries": entries})
    result = run_image(broken, case.frames, case.active, case.start)
    comparison = compare(result.frames, case.golden())
    assert not comparison.equal
    assert comparison.first is not None and comparison.first.expected != comparison.first.got


@pytest.mark.parametrize("function", tables.FUNCTIONS)
def test_a_changed_table_entry_is_seen(function, simulated, monkeypatch) -> None:
    case, result = simulated
    used: set[int] = set()
    which = tables.FUNCTIONS.index(function)
    honest = ActivationTables._magnitude

    def watched(self, name, x):
        if name == function:
            used.update((np.minimum(np.abs(x), self.one - 1) >> self.rest_bits).ravel().tolist())
        return honest(self, name, x)

    monkeypatch.setattr(ActivationTables, "_magnitude", watched)
    case.golden()
    assert used
    base = np.array(tables.activation_table(TINY).base)
    base[which, min(used)] ^= 1 << 8
    of = ActivationTables.of
    monkeypatch.setattr(ActivationTables, "of", lambda config: replace(of(config), base=base))
    assert not compare(result.frames, case.golden()).equal


def test_a_changed_rounding_constant_is_seen(simulated, monkeypatch) -> None:
    case, result = simulated
    monkeypatch.setattr(arithmetic, "round_shift", lambda values, shift: values >> shift)
    assert not compare(result.frames, case.golden()).equal


def test_counters_describe_the_steady_state(simulated) -> None:
    case, result = simulated
    lanes, entries = TINY.lanes, len(case.image.sections["entries"])
    frames = len(case.frames)
    assert result.count("frames") in (frames - 2, frames - 1, frames)
    slots = result.count("products") + result.count("nulls") + result.count("starved")
    assert slots == lanes * result.count("cycles")
    final = result.frames[-1].counters
    assert final["products"] + final["nulls"] == frames * entries
    assert final["products"] == frames * case.image.manifest.entries
    assert 0 < result.utilisation < 1
    assert result.cycles_per_frame * lanes >= entries
