"""Fixtures of every test."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ese_lstm.train.data.dataset import (
    Dataset,
    Utterance,
    save_utterance,
    write_header,
    write_manifest,
)

INPUTS = 6
END = pytest.StashKey[float]()
OVER = "the time is over"
PHONES = ("SIL", "A", "B", "C")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz", type=float, metavar="SECONDS", help=(
        "only the random tests, in an order of the seed's, until the time is over; see fuzz.py"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if "ESE_SEED" in os.environ and config.getoption("--hypothesis-seed", None) is None:
        config.option.hypothesis_seed = os.environ["ESE_SEED"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--fuzz") is not None:
        items[:] = [item for item in items if "seed" in getattr(item, "fixturenames", ())
                    or item.get_closest_marker("hypothesis")]
        random.Random(os.environ.get("ESE_SEED")).shuffle(items)
        config.stash[END] = time.monotonic() + config.getoption("--fuzz")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    if time.monotonic() > item.config.stash.get(END, float("inf")):
        item.session.shouldstop = OVER


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Stopping because the time is over is no failure."""
    if exitstatus == pytest.ExitCode.INTERRUPTED and session.shouldstop == OVER:
        session.exitstatus = pytest.ExitCode.OK


@pytest.fixture
def seed() -> int:
    """Seed of a random test: ESE_SEED, or a new one; printed, so that a failure shows it."""
    value = int(os.environ.get("ESE_SEED") or random.SystemRandom().getrandbits(31))
    print(f"seed: ESE_SEED={value}")
    return value


@pytest.fixture(scope="session")
def make_dataset() -> Callable[[Path], Dataset]:
    """Writes a small dataset that an LSTM can learn into a folder: each phone has a direction,
    frames are noisy."""
    def make(folder: Path) -> Dataset:
        rng = np.random.default_rng(5)
        directions = rng.normal(size=(len(PHONES), INPUTS)) * 2
        utterances = []
        for number in range(14):
            labels = np.repeat(rng.integers(0, len(PHONES), 6), 4)[:int(rng.integers(9, 24))]
            frames = directions[labels] + rng.normal(size=(len(labels), INPUTS)) * 0.5
            save_utterance(folder, f"u{number}", frames.astype(np.float32), labels)
            utterances.append(Utterance(f"u{number}", len(labels),
                                        "held-out" if number >= 11 else "train", f"word {number}"))
        write_header(folder, INPUTS, 20.0, PHONES)
        write_manifest(folder, utterances)
        return Dataset(folder)
    return make


@pytest.fixture
def dataset(tmp_path: Path, make_dataset: Callable[[Path], Dataset]) -> Dataset:
    """Such a dataset in this test's folder."""
    return make_dataset(tmp_path / "data")
