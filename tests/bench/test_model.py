"""The cycle model predicts the exported Verilog's cycles exactly."""

import numpy as np
import pytest

from ese_lstm.bench.workload import REDUCED_CONFIG, Workload
from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract.counters import ENGINE_COUNTERS
from ese_lstm.sim.golden.cycles import simulate_model
from ese_lstm.sim.rtl.runner import run_image

CONFIGS = {
    "shallow": REDUCED_CONFIG.replace(channels=1, queue_depth=2, acc_rows=8, stream_depth=4096),
    "relative4": REDUCED_CONFIG.replace(lanes=3, channels=2, queue_depth=7,
                                        index_mode="relative4", stream_depth=4096),
}
FRAMES = 8


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_frame_of_random_networks(seed: int, config) -> None:
    """Cycles between frames and stalls by cause, frame by frame; four networks an engine."""
    compared = 0
    for number in range(4):
        rng = np.random.default_rng([seed, number])
        shapes = tuple(LayerShape(int(rng.integers(1, 22)), int(rng.integers(0, 12)),
                                  peepholes=bool(rng.integers(2)))
                       for _ in range(int(rng.integers(1, 3))))
        workload = Workload(config, int(rng.integers(1, 20)), shapes,
                            density=float(rng.choice([0.05, 0.2, 0.5, 1.0])),
                            balance=str(rng.choice(["matrix", "tile", "none"])), keep_one=False,
                            seed=int(rng.integers(1 << 30)))
        result = run_image(workload.image, workload.frames(FRAMES))
        report = simulate_model(workload.decoded, FRAMES)
        counters = {name: np.array([frame.counters[name] for frame in result.frames])
                    for name in ENGINE_COUNTERS}
        measured = np.diff(counters["cycles"]).tolist()
        assert measured == [b.last_visible - a.last_visible for a, b in
                            zip(report.frames, report.frames[1:], strict=False)]
        assert len(measured) == FRAMES - 1
        assert counters["products"][-1] == FRAMES * report.weights > 0
        assert counters["nulls"][-1] == FRAMES * (report.nulls + report.fillers)
        for name in ("bank", "dependency", "queue"):
            assert counters[f"stall_{name}"][-1] == sum(
                getattr(frame.stalls, name) for frame in report.frames)
        compared += len(measured)
    assert compared == 4 * (FRAMES - 1)
