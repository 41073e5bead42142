"""Files of tensors and settings: the same comes back, or an error."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ese_lstm.contract.errors import EseError
from ese_lstm.train.model import PhoneNet, load_model, save_model
from ese_lstm.train.options import Shape
from ese_lstm.train.tensors import read_tensors, save_tensors

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "step": torch.tensor(3.0),
           "mask": torch.tensor([True, False]), "none": torch.zeros(0, 4)}
VALUES = {"step": 5, "settings": {"rate": 0.1, "name": "σ"}}


def same(tensors):
    assert tensors.keys() == TENSORS.keys()
    return all(torch.equal(tensors[name], TENSORS[name])
               and tensors[name].dtype == TENSORS[name].dtype for name in TENSORS)


def test_every_flipped_bit(tmp_path):
    """A checkpoint with a flipped bit once went on training from other weights."""
    path = tmp_path / "a.safetensors"
    save_tensors(path, TENSORS, "key", VALUES)
    data = path.read_bytes()
    values, tensors = read_tensors(path, "key", "model")
    assert values == VALUES and same(tensors)
    refused = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            values, tensors = read_tensors(path, "key", "model")
            assert values == VALUES and same(tensors)
        except EseError:
            refused += 1
    assert refused >= 8 * len(data) - 64 > 1000


def test_files_of_before(tmp_path):
    save_file(TENSORS, tmp_path / "old", {"key": json.dumps(VALUES)})
    values, tensors = read_tensors(tmp_path / "old", "key", "model")
    assert values == VALUES and same(tensors)


@pytest.mark.parametrize("metadata, message", [
    (None, "must be written by ese train, but holds a, mask"), ({"key": "[]"}, "must be written"),
    ({"key": "{}", "more": ""}, "must be written by"), ({"key": "{"}, "must be a complete"),
    ({"key": "[" * 100_000}, "must be a complete"),
    ({"key.2": "{}"}, "must match its SHA-256, but the file is corrupted"),
    ({"key.2": '{"sha256": "0"}'}, "must match its SHA-256, but the file is corrupted")])
def test_other_files(tmp_path, metadata, message):
    save_file(TENSORS, tmp_path / "a", metadata)
    with pytest.raises(EseError, match=rf"^model: .*/a {message}"):
        read_tensors(tmp_path / "a", "key", "model")
    with pytest.raises(EseError, match=r"^model: must be a file, got '.*/none'"):
        read_tensors(tmp_path / "none", "key", "model")


@pytest.mark.parametrize("values", [{}, {"phones": 3}, {"phones": ["A"], "cells": 0},
                                    {"phones": ["A"], "cells": "8"}, {"phones": [], "what": 1}])
def test_a_model_without_a_shape(tmp_path, values):
    save_tensors(tmp_path / "a", TENSORS, "ese-train", values)
    with pytest.raises(EseError, match=r"^model: .*/a must (give the shape of a model|hold )"):
        load_model(tmp_path / "a")


def test_a_model_comes_back(tmp_path, seed):
    torch.manual_seed(seed)
    model = PhoneNet(Shape(3, 4, 2, 1, True, 1, ("A", "B")))
    save_model(tmp_path / "a", model)
    back = load_model(tmp_path / "a")
    assert back.shape == model.shape
    for name, tensor in back.state_dict().items():
        assert np.array_equal(tensor, model.state_dict()[name])
