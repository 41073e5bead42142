from itertools import pairwise, product

import numpy as np
import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.train.scoring import (
    edit_distance,
    label_statistics,
    log_softmax,
    phone_string,
    score,
    viterbi,
)


@pytest.mark.parametrize("states, steps", [(1, 1), (2, 1), (2, 6), (3, 5), (4, 4)])
def test_viterbi_finds_the_best_of_all_paths(states: int, steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(5):
        emissions = rng.normal(size=(steps, states))
        transitions = rng.normal(size=(states, states))

        def value(path: tuple[int, ...], e: np.ndarray = emissions,
                  a: np.ndarray = transitions) -> float:
            return float(sum(e[t, s] for t, s in enumerate(path))
                         + sum(a[p, q] for p, q in pairwise(path)))

        best = max(product(range(states), repeat=steps), key=value)
        assert tuple(viterbi(emissions, transitions)) == best


def distance(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """By definition, recursively."""
    if not a or not b:
        return len(a) + len(b)
    return min(distance(a[1:], b) + 1, distance(a, b[1:]) + 1,
               distance(a[1:], b[1:]) + (a[0] != b[0]))


def test_edit_distance_against_its_definition() -> None:
    words = [word for length in range(4) for word in product((1, 2), repeat=length)]
    compared = 0
    for a, b in product(words, words):
        assert edit_distance(a, b) == distance(a, b)
        compared += 1
    assert compared == 225


def test_phone_string() -> None:
    assert phone_string(np.array([0, 0, 3, 3, 0, 3, 4, 4, 0])) == [3, 3, 4]
    assert phone_string(np.array([0, 0])) == []


def test_score_counts() -> None:
    labels = np.array([0, 1, 1, 2, 0])
    answers = np.full((5, 3), -20.0)
    answers[np.arange(5), [0, 1, 1, 1, 0]] = 20.0
    result = score([(answers, labels)], np.zeros(3), np.zeros((3, 3)))
    assert (result.frames, result.frame_errors, result.phones, result.phone_errors) == (5, 1, 2, 1)
    assert result.fer == 20.0 and result.per == 50.0
    assert result.confusion.tolist() == [[2, 0, 0], [0, 2, 0], [0, 1, 0]]


def test_the_bigram_matters() -> None:
    """A transition that never occurs is not taken, though its frame scores are a little higher."""
    labels = np.array([1, 1, 1])
    answers = np.array([[0.0, 5.0, 0.0], [0.0, 0.9, 1.0], [0.0, 5.0, 0.0]])
    bigram = np.log(np.array([[1 / 3] * 3, [0.49, 0.5, 0.01], [1 / 3] * 3]))
    result = score([(answers, labels)], np.zeros(3), bigram)
    assert (result.frame_errors, result.phone_errors) == (1, 0)


def test_nothing_to_score() -> None:
    with pytest.raises(EseError, match="at least one utterance must be scored"):
        score([], np.zeros(3), np.zeros((3, 3)))


def test_statistics_are_probabilities() -> None:
    priors, bigram = label_statistics([np.array([0, 1, 1, 0]), np.array([2])], 3)
    np.testing.assert_allclose(np.exp(priors), np.array([2.5, 2.5, 1.5]) / 6.5)
    np.testing.assert_allclose(np.exp(bigram).sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(bigram[0]), np.array([0.5, 1.5, 0.5]) / 2.5)


def test_log_softmax_of_large_values() -> None:
    np.testing.assert_allclose(log_softmax(np.array([[1000.0, 1000.0]])), np.log([[0.5, 0.5]]))
