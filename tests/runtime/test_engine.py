"""The same calls give the same values, bit for bit, on every backend."""

import threading

import numpy as np
import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.contract.frames import quantise_frames, real_outputs
from ese_lstm.contract.image import write_image
from ese_lstm.runtime import Engine, EngineTimeout, NoFreeChannel


def in_pieces(rng: np.random.Generator, frames: np.ndarray) -> list[np.ndarray]:
    """The same frames in pieces of 0 to 3."""
    pieces = []
    while len(frames):
        count = int(rng.integers(4))
        pieces.append(frames[:count])
        frames = frames[count:]
    return pieces


def test_streams_side_by_side(opened, image, make_utterances, alone, seed) -> None:
    """Two streams of different lengths, pushed to by turns in pieces of any size."""
    rng = np.random.default_rng(seed)
    utterances = make_utterances(seed, [7, 4])
    with opened(image) as engine, engine.open_stream(integers=True) as a, \
            engine.open_stream(integers=True) as b:
        streams, got = (a, b), ([], [])
        pieces = [in_pieces(rng, utterance) for utterance in utterances]
        while any(pieces):
            number = int(rng.integers(2))
            if pieces[number]:
                got[number].append(streams[number].push(pieces[number].pop(0)))
        for number in (1, 0, 0, 1):
            got[number].append(streams[number].finish(wait=False))
        got[0].append(a.finish())
        got[1].append(b.finish())
        assert a.done and b.done
    for parts, utterance in zip(got, utterances, strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), alone(image, utterance))


def test_outputs_are_the_golden_models(opened, image, make_utterances, alone, seed) -> None:
    (utterance,) = make_utterances(seed, [9])
    with opened(image) as engine, engine.open_stream(integers=True) as stream:
        parts = [stream.push(piece)
                 for piece in in_pieces(np.random.default_rng(seed), utterance)]
        outputs = np.concatenate([*parts, stream.finish()])
    assert outputs.dtype == np.int64
    np.testing.assert_array_equal(outputs, alone(image, utterance))
    assert np.any(outputs)


def test_real_values(opened, image, alone, seed) -> None:
    frames = 3.0 * np.random.default_rng(seed).normal(size=(6, 5))
    frames[2, 3] = 1e9
    with opened(image) as engine, engine.open_stream() as stream:
        outputs = np.concatenate([stream.push(frames.astype(np.float64)), stream.finish()])
        saturated = stream.saturated
    integers, count = quantise_frames(frames, image.manifest)
    assert saturated == count >= 1
    assert outputs.dtype == np.float64
    np.testing.assert_array_equal(outputs, real_outputs(alone(image, integers), image.manifest))


def test_push_and_wait_gives_every_output_that_started(opened, image, make_utterances, alone,
                                                       seed) -> None:
    (utterance,) = make_utterances(seed, [4])
    expected = alone(image, utterance)
    with opened(image) as engine, engine.open_stream(integers=True) as stream:
        for number, frame in enumerate(utterance):
            np.testing.assert_array_equal(stream.push(frame[None], wait=True),
                                          expected[number:number + 1])
        assert stream.push(utterance[:0]).shape == (0, 4)


def test_a_recycled_channel_starts_anew(opened, image, make_utterances, alone, seed) -> None:
    """One stream runs throughout; on the other channel four follow one another, each begun while
    the first has state, with an idle channel between."""
    lengths = [3, 1, 4, 2]
    first, *others = make_utterances(seed, [sum(lengths) + len(lengths), *lengths])
    outputs, at = [], 0
    with opened(image) as engine, engine.open_stream(integers=True) as lasting:
        for other in others:
            with engine.open_stream(integers=True) as stream:
                outputs.append(lasting.push(first[at:at + len(other)]))
                got = stream.push(other)
                np.testing.assert_array_equal(np.concatenate([got, stream.finish()]),
                                              alone(image, other))
            at += len(other)
            outputs.append(lasting.push(first[at:at + 1]))
            at += 1
        outputs.append(lasting.finish())
    np.testing.assert_array_equal(np.concatenate(outputs), alone(image, first))


def test_a_frame_waits_for_every_open_stream(opened, image, make_utterances, seed) -> None:
    a_frames, b_frames = make_utterances(seed, [3, 1])
    with opened(image) as engine, engine.open_stream(integers=True) as a:
        with engine.open_stream(integers=True) as b:
            assert len(a.push(a_frames, wait=True)) == 0
            assert len(b.push(b_frames, wait=True)) == 1
            assert len(a.read(wait=True)) == 1
            with pytest.raises(EngineTimeout, match=r"2 frames wait for a stream on channel 1; "
                                                    r"push to it, finish it or close it"):
                a.finish(timeout_s=0.05)
        assert len(a.finish()) == 2


def test_no_cross_talk(opened, image, make_utterances, seed) -> None:
    """A channel's outputs don't depend on what the others do."""
    mine, *others = make_utterances(seed, [6, 6, 6, 2])
    results = []
    for other in (*others, None):
        with opened(image) as engine, engine.open_stream(integers=True) as stream:
            if other is not None:
                with engine.open_stream(integers=True) as disturber:
                    disturber.push(other)
                    disturber.finish(wait=False)
                    outputs = stream.push(mine)
                    disturber.finish()
            else:
                outputs = stream.push(mine)
            results.append(np.concatenate([outputs, stream.finish()]))
    assert len(results) == 4 and results[0].shape == (6, 4)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_streams_of_several_threads(opened, image, make_utterances, alone, seed) -> None:
    utterances = make_utterances(seed, [8, 5])
    results: list[np.ndarray | None] = [None, None]
    with opened(image) as engine:
        streams = [engine.open_stream(integers=True) for _ in utterances]

        def talk(number: int) -> None:
            with streams[number] as stream:
                parts = [stream.push(frame[None]) for frame in utterances[number]]
                results[number] = np.concatenate([*parts, stream.finish()])

        threads = [threading.Thread(target=talk, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    for result, utterance in zip(results, utterances, strict=True):
        assert result is not None
        np.testing.assert_array_equal(result, alone(image, utterance))


def test_counters(opened, image, make_utterances, seed) -> None:
    (utterance,) = make_utterances(seed, [5])
    with opened(image) as engine:
        with engine.open_stream(integers=True) as stream:
            stream.push(utterance)
            stream.finish()
        counters = engine.counters()
    assert counters["frames"] == 5
    assert counters["products"] == 5 * image.manifest.entries
    assert counters["nulls"] == 5 * (image.manifest.null_entries + image.manifest.filler_entries)


def test_another_image(opened, make_image, make_utterances, alone, seed, tmp_path) -> None:
    (utterance,) = make_utterances(seed, [3])
    images = [make_image(seed), make_image(seed + 1)]
    write_image(tmp_path / "second.ese", images[1])
    with opened(images[0]) as engine:
        for image, what in ((images[0], None), (images[1], tmp_path / "second.ese")):
            if what is not None:
                engine.load(what)
            with engine.open_stream(integers=True) as stream:
                stream.push(utterance)
                # Left without finish: what is under way must not be taken for the next image's.
            with engine.open_stream(integers=True) as stream:
                np.testing.assert_array_equal(
                    np.concatenate([stream.push(utterance), stream.finish()]),
                    alone(image, utterance))


def test_mistakes(opened, image, make_image, seed) -> None:
    with opened(image) as engine:
        with engine.open_stream() as stream, engine.open_stream():
            with pytest.raises(NoFreeChannel, match="at most 2 open"):
                engine.open_stream()
            with pytest.raises(EseError, match=r"frames: must have the shape \(T, 5\), got "
                                               r"\(3, 4\)"):
                stream.push(np.zeros((3, 4)))
            with pytest.raises(EseError, match="frames: must be finite, but 1 of 10 values"):
                stream.push([[0.0] * 5, [0.0, np.nan, 0.0, 0.0, 0.0]])
            with pytest.raises(EseError, match="image: must be loaded while no stream is open, "
                                               "but 2 are"):
                engine.load(image)
            stream.finish()
            with pytest.raises(EseError, match="must not be pushed to after finish"):
                stream.push(np.zeros((1, 5)))
        with pytest.raises(EseError, match="stream: must be open, but was closed"):
            stream.read()
        with engine.open_stream(integers=True) as stream:
            for frames, rule in ((np.zeros((1, 5)), "must be integers, got float64"),
                                 ([[1 << 15, 0, 0, 0, 0]], "must be integers of 16 bits, got 0 "
                                                           "to 32768")):
                with pytest.raises(EseError, match=rule):
                    stream.push(frames)
        other = make_image(seed, image.config.replace(lanes=4))
        with pytest.raises(EseError, match="image: must be packed for this engine's "
                                           "configuration, but has lanes 4 against 2"):
            engine.load(other)
        with engine.open_stream() as stream:  # the first image is still there
            assert len(stream.push(np.zeros((1, 5)), wait=True)) == 1


def test_without_an_image() -> None:
    with Engine.open("golden") as engine:
        for call in (engine.open_stream, engine.counters):
            with pytest.raises(EseError, match="image: must be loaded before the engine runs"):
                call()
    with pytest.raises(EseError, match="engine: must be open, but was closed"):
        engine.open_stream()


@pytest.mark.parametrize("backend, options, rule", [
    ("fpga", {}, "backend: must be golden, rtl or xdma:PATH, got 'fpga'"),
    ("xdma:", {}, "backend: must be golden, rtl or xdma:PATH, got 'xdma:'"),
    ("golden", {"timeout_s": 0}, "timeout_s: must be a positive number of seconds, got 0"),
    ("xdma:/nowhere/xdma0", {}, "device: /nowhere/xdma0_user must exist, but does not"),
])
def test_wrong_backends(backend, options, rule) -> None:
    with pytest.raises(EseError, match=rule):
        Engine.open(backend, **options)


def test_closing_an_engine_closes_its_streams(image) -> None:
    with Engine.open("golden") as engine:
        engine.load(image)
        stream = engine.open_stream()
    with pytest.raises(EseError, match="engine: must be open, but was closed"):
        stream.push(np.zeros((1, 5)))
    stream.close()
