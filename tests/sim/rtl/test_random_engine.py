"""Engines of random dimensions on random networks, against the golden model."""

import numpy as np

from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.sim.compare import compare
from ese_lstm.sim.rtl import run_image

RHYTHMS = ("none", "rare", "half", "often", "bursts")
TRIES = 50


def random_config(rng: np.random.Generator) -> EngineConfig:
    """Any engine small enough to build at once; widths over their whole ranges."""
    act_bits = int(rng.integers(8, 19))
    weight_bits = int(rng.integers(2, 19))
    cell_frac = int(rng.integers(max(4, act_bits - 4), min(24, 27 - 4) + 1))
    return EngineConfig(
        lanes=int(rng.integers(1, 6)), channels=int(rng.integers(1, 10)),
        queue_depth=int(rng.integers(1, 9)), acc_rows=4 * int(rng.integers(1, 9)),
        index_mode=str(rng.choice(["absolute", "relative4"])), weight_bits=weight_bits,
        act_bits=act_bits, acc_bits=int(rng.integers(max(16, weight_bits + act_bits), 49)),
        cell_bits=int(rng.integers(max(12, cell_frac + 4), 28)), cell_frac=cell_frac,
        peephole_bits=int(rng.integers(2, 19)), stream_depth=8192, activation_depth=256,
        cell_depth=64, param_depth=512, segment_depth=256, epilogue_depth=64,
        output_depth=int(rng.integers(2, 33)))


def test_any_small_engine(make_case, seed) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(TRIES):
        config = random_config(rng)
        inputs = int(rng.integers(1, 8))
        shapes = [LayerShape(int(rng.integers(1, 12)), projection=int(rng.choice([0, 0, 1, 5])),
                             peepholes=bool(rng.integers(2)), bias=bool(rng.integers(2)))
                  for _ in range(int(rng.integers(1, 4)))]
        try:
            case = make_case(config, rng, inputs, shapes, float(rng.choice([0.1, 0.5, 1])), 3)
        except EseError as error:  # this network has no formats in such widths
            print(f"{config!r} refuses {shapes}: {error}")
            continue
        rhythm = [str(rng.choice(RHYTHMS)) for _ in range(2)]
        print(f"{config!r} {shapes} {rhythm}")
        result = run_image(case.image, case.frames, case.active, case.start,
                           input_pause=rhythm[0], output_pause=rhythm[1], seed=seed)
        comparison = compare(result.frames, case.golden())
        assert comparison.equal, comparison.first
        assert comparison.compared["result"] > 0
        return
    raise AssertionError(f"no engine among {TRIES} takes its network")
