"""A queue of utterances on all channels: results, order, occupancy."""

import heapq
import itertools
import threading

import numpy as np
import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.runtime import Engine, EngineTimeout, NoFreeChannel, run_utterances

LENGTHS = [3, 9, 1, 6, 2, 2, 8, 5, 1, 4]


def schedule_length(lengths: list[int], channels: int) -> int:
    """Engine frames if each utterance goes to the channel that is free first."""
    ends = [0] * channels
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + length)
    return max(ends)


@pytest.mark.parametrize("order", ["arrival", "longest"])
def test_every_utterance_by_its_key(opened, image, make_utterances, alone, seed, order) -> None:
    utterances = make_utterances(seed, LENGTHS)
    with opened(image) as engine:
        batch = run_utterances(engine, {f"u{k}": u for k, u in enumerate(utterances)},
                               order=order, integers=True)
        results = dict(batch)
        report = batch.report
    assert results.keys() == {f"u{k}" for k in range(len(utterances))}
    for number, utterance in enumerate(utterances):
        np.testing.assert_array_equal(results[f"u{number}"], alone(image, utterance))
    lengths = LENGTHS if order == "arrival" else sorted(LENGTHS, reverse=True)
    assert report.utterances == len(LENGTHS) and report.frames == sum(LENGTHS)
    assert report.engine_frames == schedule_length(lengths, 2)
    assert report.occupancy == sum(LENGTHS) / (2 * report.engine_frames)
    assert report.counters["frames"] == report.engine_frames
    assert report.counters["products"] == report.engine_frames * image.manifest.entries
    assert report.seconds > 0
    if "cycles" in report.counters:
        assert report.cycles_per_frame > image.manifest.entries / 2
        assert report.frames_per_second * report.cycles_per_frame == pytest.approx(
            200e6 * 2 * report.occupancy)
        assert f"{report.cycles_per_frame:,.0f} cycles" in str(report)
    else:
        assert report.cycles_per_frame is None and report.frames_per_second is None


def test_thirty_two_streams(make_image, make_utterances, alone, seed) -> None:
    """All at once, each pushed to when chance wants, each ending when it will; then a queue."""
    rng = np.random.default_rng(seed)
    config = make_image(seed).config.replace(channels=32)
    image = make_image(seed, config)
    utterances = make_utterances(seed, rng.integers(1, 12, 32).tolist())
    with Engine.open("golden") as engine:
        engine.load(image)
        streams = [engine.open_stream(integers=True) for _ in utterances]
        got = [[] for _ in utterances]
        left = [list(utterance) for utterance in utterances]
        while any(left):
            number = int(rng.choice([k for k in range(32) if left[k]]))
            got[number].append(streams[number].push([left[number].pop(0)]))
            if not left[number]:
                got[number].append(streams[number].finish(wait=False))
        for number, stream in enumerate(streams):
            got[number].append(stream.finish())
            np.testing.assert_array_equal(np.concatenate(got[number]),
                                          alone(image, utterances[number]))
        many = make_utterances(seed + 1, rng.integers(0, 9, 70).tolist())
        results = dict(run_utterances(engine, many, integers=True))
    assert results.keys() == set(range(70))
    for number, utterance in enumerate(many):
        np.testing.assert_array_equal(results[number],
                                      alone(image, utterance) if len(utterance)
                                      else np.zeros((0, 4), np.int64))


def test_a_queue_is_read_as_channels_become_free(image, make_utterances, seed) -> None:
    taken = []

    def arriving():
        for number, utterance in enumerate(make_utterances(seed, [2, 2, 2, 2])):
            taken.append(number)
            yield utterance

    with Engine.open("golden") as engine:
        engine.load(image)
        batch = run_utterances(engine, arriving(), integers=True)
        assert taken == []
        key, _outputs = next(iter(batch))
        assert key == 0 and len(taken) <= 4
        with pytest.raises(EseError, match="report: must be asked for when every utterance is "
                                           "done"):
            _ = batch.report


def test_leaving_early_frees_the_channels(opened, image, make_utterances, alone, seed) -> None:
    utterances = make_utterances(seed, [2, 30, 4])
    with opened(image) as engine:
        batch = run_utterances(engine, utterances, integers=True)
        for _key, _outputs in itertools.islice(batch, 1):
            pass
        batch.close()
        with engine.open_stream(integers=True) as a, engine.open_stream(integers=True) as b:
            b.finish()
            np.testing.assert_array_equal(np.concatenate([a.push(utterances[2]), a.finish()]),
                                          alone(image, utterances[2]))


def test_nothing_to_run(image) -> None:
    with Engine.open("golden") as engine:
        engine.load(image)
        batch = run_utterances(engine, [])
        assert dict(batch) == {}
        assert batch.report.frames == 0 and batch.report.occupancy == 0


def test_real_values_count_saturations(image) -> None:
    with Engine.open("golden") as engine:
        engine.load(image)
        batch = run_utterances(engine, [np.full((2, 5), 1e9), np.zeros((1, 5))])
        assert {key: outputs.dtype for key, outputs in batch} == {0: float, 1: float}
        assert batch.saturated == 10


def test_mistakes(image) -> None:
    with Engine.open("golden", timeout_s=0.05) as engine:
        engine.load(image)
        with pytest.raises(EseError, match="order: must be arrival or longest, got 'shortest'"):
            run_utterances(engine, [], order="shortest")
        with pytest.raises(EseError, match=r"frames: must have the shape \(T, 5\), got \(3, 4\)"):
            list(run_utterances(engine, [np.zeros((2, 5)), np.zeros((3, 4))]))
        with pytest.raises(EseError, match=r"frames: must have the shape \(T, 5\), got rows of "
                                           r"different lengths"):
            list(run_utterances(engine, [[[0.0] * 5, [0.0] * 4]]))
        with engine.open_stream(), pytest.raises(EseError, match="wait for a stream on channel 0"):
            list(run_utterances(engine, [np.zeros((2, 5))]))


def test_no_channel_for_an_utterance(make_image, make_utterances, seed) -> None:
    """Two streams of the caller's own once made it wait for ever."""
    utterance, = make_utterances(seed, [5])
    with Engine.open("golden", timeout_s=0.3) as engine:
        engine.load(make_image(seed))
        with engine.open_stream(integers=True), engine.open_stream(integers=True) as second:
            with pytest.raises(NoFreeChannel, match=r"^channels: must be free for utterances to "
                                                    r"run, but all 2 are held by open streams, and "
                                                    r"no frame ran for timeout_s=0\.3$"):
                list(run_utterances(engine, [utterance], integers=True))
            closing = threading.Timer(0.1, second.close)
            closing.start()
            with pytest.raises(EngineTimeout, match="push to it, finish it or close it"):
                list(run_utterances(engine, [utterance], integers=True))
            closing.join()
        (key, outputs), = run_utterances(engine, [utterance], integers=True)
    assert key == 0 and len(outputs) == 5
