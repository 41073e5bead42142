"""Independent utterances on the channels of the exported shell: recycled, without cross-talk."""

from itertools import pairwise

import numpy as np
import pytest

from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel

CONFIG = PRESETS["tiny"].replace(channels=5)
SHELL = SHELL_PRESETS["tiny"]
FRAMES = 24
LAYERS = [LayerShape(6, 3), LayerShape(5, 0)]


def sessions(rng, longest):
    """Utterances (channel, first frame, length) one after another on every channel, with idle
    frames between except on channel 0; and the masks (frames, channels) that say so."""
    found = []
    active, start = (np.zeros((FRAMES, CONFIG.channels), bool) for _ in range(2))
    for channel in range(CONFIG.channels):
        first = int(rng.integers(0, 3))
        while first < FRAMES:
            length = min(int(rng.integers(1, longest + 1)), FRAMES - first)
            found.append((channel, first, length))
            active[first:first + length, channel] = True
            start[first, channel] = True
            first += length + (int(rng.integers(0, 3)) if channel else 0)
    return found, active, start


def alone(image, frames):
    """Outputs (frames, width) of one utterance (frames, inputs) with the engine to itself."""
    model = GoldenModel(decode_image(image))
    outputs = []
    for number, frame in enumerate(frames):
        values = np.zeros((len(frame), CONFIG.channels), np.int64)
        values[:, 0] = frame
        first = np.arange(CONFIG.channels) == 0
        outputs.append(model.step(values, first, first & (number == 0)).outputs[:, 0])
    return np.stack(outputs)


@pytest.mark.parametrize("pause", ["none", "half"])
def test_every_utterance_is_as_if_alone(make_case, run_shell, seed, pause):
    """Also where it follows another on its channel at once, while others run."""
    rng = np.random.default_rng(seed)
    case = make_case(CONFIG, rng, 7, LAYERS, 0.4, FRAMES)
    found, active, start = sessions(rng, 9)
    result = run_shell(case.image, SHELL, case.frames, active, start, pause=pause, seed=seed)
    compared = 0
    for channel, first, length in found:
        part = slice(first, first + length)
        expected = alone(case.image, case.frames[part, :, channel])
        assert np.array_equal(result.outputs[part, :, channel], expected), (channel, first)
        compared += expected.size
    idle = result.outputs.transpose(0, 2, 1)[~active]
    assert not idle.any(), "a channel that is not active gives zeros"
    recycled = sum(1 for before, after in pairwise(found)
                   if after[:2] == (before[0], before[1] + before[2]))
    assert compared > 100 and len(found) > CONFIG.channels and recycled > 0


def test_a_channel_does_not_depend_on_the_others(make_case, run_shell, seed):
    """Two runs in which one channel has the same utterances, and all others have other data, other
    masks, or nothing: its outputs are equal, bit for bit; theirs are not."""
    rng = np.random.default_rng(seed)
    case = make_case(CONFIG, rng, 7, LAYERS, 0.4, FRAMES)
    _, active, start = sessions(rng, 9)
    chosen = int(rng.integers(CONFIG.channels))
    runs = []
    for number in range(2):
        frames, masks = case.frames, (active, start)
        if number:
            _, *other = sessions(rng, 4)
            for mask, kept in zip(other, masks, strict=True):
                mask[:, (chosen + 1) % CONFIG.channels] = False
                mask[:, chosen] = kept[:, chosen]
            frames = rng.integers(-1 << 15, 1 << 15, case.frames.shape)
            frames[:, :, chosen] = case.frames[:, :, chosen]
            masks = other
        runs.append(run_shell(case.image, SHELL, frames, *masks, seed=seed).outputs)
    assert runs[0][:, :, chosen].any()
    assert np.array_equal(runs[0][:, :, chosen], runs[1][:, :, chosen])
    others = np.arange(CONFIG.channels) != chosen
    assert (runs[0][:, :, others] != runs[1][:, :, others]).mean() > 0.1
