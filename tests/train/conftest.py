from collections.abc import Callable
from pathlib import Path

import pytest

from ese_lstm.train.dataset import Dataset


@pytest.fixture
def dataset(tmp_path: Path, make_dataset: Callable[[Path], Dataset]) -> Dataset:
    return make_dataset(tmp_path / "data")
