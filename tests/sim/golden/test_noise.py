"""SQNR and saturations of every tensor, against independent runs."""

import numpy as np
import pytest

from ese_lstm.compress.pipeline import CompressOptions, compress_network
from ese_lstm.compress.reference import run_float
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.cells import LINEAR, LSTM
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.frames import quantise_frames, real_outputs
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.model import GoldenModel, Saturations
from ese_lstm.sim.golden.noise import TENSORS, measure_noise, real_model

TINY = PRESETS["tiny"].replace(stream_depth=4096, activation_depth=512)
SHAPES = [LayerShape(cells=13, projection=11, peepholes=True), LayerShape(cells=9)]


def case(seed, config=TINY, shapes=SHAPES, gain=1.0, **options):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 5, shapes)
    frames = [gain * random_frames(rng, length, 5) for length in (9, 4, 6)]
    image, report = compress_network(network, config, 0.6, frames, CompressOptions(**options))
    return image, report, frames


@pytest.mark.parametrize("mode", ["absolute", "relative4"])
@pytest.mark.parametrize("scaling", ["none", "column"])
def test_the_reference_is_the_rounded_network(seed, mode, scaling):
    image, report, frames = case(seed, TINY.replace(index_mode=mode), input_scaling=scaling)
    model = GoldenModel(real_model(image, decode_image(image)), 1)
    scaled = frames[0] * np.ldexp(1.0, np.asarray(image.manifest.input_exponents))
    want = run_float(report.rounded, scaled).outputs
    got = np.stack([model.step(frame[:, None]).outputs for frame in scaled])
    assert got.shape == want.shape == (9, 9, 1)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


def test_output_noise_and_saturations_are_those_of_plain_runs(seed):
    """The last layer's m by hand; all saturations add up to the golden model's."""
    image, report, frames = case(seed, gain=6.0, input_limit=1.5)
    found = {(t.layer, t.name): t for t in measure_noise(image, frames)}
    assert list(found) == [(0, name) for name in TENSORS] + [
        (1, name) for name in TENSORS if name not in "xy"]
    signal = noise = clipped = values = 0
    total = Saturations()
    for stream in frames:
        integers, count = quantise_frames(stream, image.manifest)
        clipped += count
        run = GoldenModel(decode_image(image), 1).run(integers[:, :, None])
        total += run.saturations
        real = run_float(report.rounded, stream).outputs
        signal += np.square(real).sum()
        noise += np.square(real_outputs(run.outputs, image.manifest) - real).sum()
        values += real.size
    last = found[1, "m"]
    assert last.sqnr_db == pytest.approx(10 * np.log10(signal / noise))
    assert last.values == values == 19 * 9 and last.bits == 16 and last.frac == 15
    assert found[0, "x"].saturated == clipped > 0
    assert found[0, "x"].values == 19 * 5

    def count(*names):
        return sum(t.saturated for t in found.values() if t.name in names)

    assert total == Saturations(count("i", "f", "g", "o"), count("c"), count("tanh_c"),
                                count("m", "y"))
    assert found[0, "x"].largest == pytest.approx(max(np.abs(s).max() for s in frames))


def test_more_bits_less_noise(seed):
    """Two bits more are 12 dB, in every tensor, as long as nothing saturates."""
    compared = 0
    coarse, fine = ({(t.layer, t.name): t for t in measure_noise(*case(seed, TINY.replace(
        act_bits=bits, cell_bits=bits + 8, cell_frac=bits + 3))[::2])} for bits in (10, 14))
    for key, one in coarse.items():
        assert one.sqnr_db is not None and fine[key].sqnr_db is not None
        assert fine[key].sqnr_db > one.sqnr_db + 9, key
        compared += 1
    assert compared == len(fine) == 9 + 7


def test_pieces_are_streams_of_their_own(seed):
    image, _, frames = case(seed)
    pieces = [part for stream in frames for part in (stream[:4], stream[4:8], stream[8:])
              if len(part)]
    assert len(pieces) == 6
    assert measure_noise(image, frames, cut=4) == measure_noise(image, pieces)
    assert measure_noise(image, frames, cut=9) == measure_noise(image, frames)


def test_tiles_by_layer(seed):
    """Layers of several tiles, projections included."""
    config = TINY.replace(acc_rows=8, segment_depth=64, epilogue_depth=64)
    shapes = [LayerShape(cells=13, projection=37), LayerShape(cells=9), LayerShape(cells=9)]
    image, _, _ = case(seed, config, shapes)
    program = decode_image(image).program
    layers = program.layers
    assert len(layers) > 7 and list(layers) == sorted(layers)
    for number, layer in enumerate(image.manifest.layers):
        mine = [e for e, at in zip(program.epilogues, layers, strict=True) if at == number]
        assert sum(e.count for e in mine if e.cell is LSTM) == layer.cells
        assert sum(e.count for e in mine if e.cell is LINEAR) == layer.projection
        assert mine[0].cell_base == layer.cell_base


def test_refused(seed):
    image, _, frames = case(seed)
    with pytest.raises(EseError, match=r"^frames: must be at least one, got none$"):
        measure_noise(image, [])
    with pytest.raises(EseError, match=r"^cut: must be at least 1 frame, got 0$"):
        measure_noise(image, frames, 0)
    with pytest.raises(EseError, match=r"^frames: must have the shape \(T, 5\)"):
        measure_noise(image, [np.zeros((3, 4))])
