"""Formats of checkpoints: found by themselves, one file each."""

from collections import Counter

import numpy as np

from ese_lstm.compress.read import formats
from ese_lstm.compress.read.checkpoint import load_network

TOY = '''
import numpy as np
from ese_lstm.compress.read.reader import Reader, Stated, TensorFile

def read(path, prefix, wanted):
    inputs, cells = map(int, path.read_text().split())
    return TensorFile({"weight_ih_l0": np.ones((4 * cells, inputs)),
                       "weight_hh_l0": np.ones((4 * cells, cells))}, notes=("a toy",))

READER = Reader((".toy",), read, Stated("ifgo", "TOY", "toys"))
'''


def test_no_two_formats_accept_the_same_file():
    suffixes = Counter(suffix for reader in formats.readers() for suffix in reader.suffixes)
    assert set(suffixes.values()) == {1} and {".pt", ".safetensors", ".onnx"} <= set(suffixes)
    assert all(suffix.startswith(".") for suffix in suffixes)


def test_a_format_is_a_file_and_no_edit_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "toy_format.py").write_text(TOY)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    (tmp_path / "a.toy").write_text("3 2")
    network = load_network(tmp_path / "a.toy")
    assert np.array_equal(network.layers[0].w_x, np.ones((8, 3))) and network.notes == ("a toy",)
