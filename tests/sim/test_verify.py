"""Both models on the same frames; streams that start and end."""

import numpy as np
import pytest

from ese_lstm.compress.pipeline import compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.frames import quantise_frames
from ese_lstm.contract.image import Image
from ese_lstm.sim.rtl import runner
from ese_lstm.sim.verify import golden_frames, verify

CONFIG = PRESETS["tiny"]
FRAMES = 4


@pytest.fixture
def case(seed: int) -> tuple[Image, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    streams = [random_frames(rng, FRAMES, 5) for _ in range(CONFIG.channels)]
    image, _ = compress_network(random_network(rng, 5, [LayerShape(8, 4, True)]), CONFIG, 0.6,
                                streams)
    values = np.stack([quantise_frames(s, image.manifest)[0] for s in streams], axis=-1)
    active = rng.random((FRAMES, CONFIG.channels)) < 0.7
    start = active & (rng.random(active.shape) < 0.4)
    return image, values, active, start


def test_everything_is_compared(case: tuple[Image, np.ndarray, np.ndarray, np.ndarray]) -> None:
    image, values, active, start = case
    stages: list[str] = []
    found = verify(image, values, active, start, progress=lambda stage, done: stages.append(stage))
    assert found.comparison.values_compared == FRAMES * CONFIG.channels * (8 + 8 + 4 + 4)
    assert found.comparison.equal
    assert found.rtl.cycles_per_frame == found.model.cycles_per_frame
    assert found.saturations.gate_input == sum(f.saturations.gate_input for f in found.golden)
    assert "golden model" in stages and found.seconds > 0


def test_one_wrong_value_is_found(case: tuple[Image, np.ndarray, np.ndarray, np.ndarray],
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    image, values, active, start = case

    def wrong(image: Image, *rest: object, **more: object) -> object:
        from ese_lstm.sim.golden.decode import decode_image
        frames = tuple(runner.RtlFrame(f.outputs, f.trace_cell, f.trace_result, {"cycles": 1})
                       for f in golden_frames(decode_image(image), values, active, start))
        frames[2].trace_result.values[3, 1] ^= 1
        return runner.RtlResult(CONFIG, frames, 1, 0)

    monkeypatch.setattr(runner, "run_image", wrong)
    found = verify(image, values, active, start)
    assert not found.comparison.equal
    assert sum(found.comparison.mismatches.values()) == 1
    assert (found.comparison.first.frame, found.comparison.first.kind) == (2, "result")
