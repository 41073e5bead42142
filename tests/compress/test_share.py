"""k-means against an exhaustive assignment, and the grouped-gradient rule."""

import numpy as np
import pytest
import torch

from ese_lstm.compress.share import assign, kmeans, share_matrix
from ese_lstm.compress.share_torch import share_parameter
from ese_lstm.contract.errors import EseError


@pytest.mark.parametrize("bits", [1, 3, 5])
def test_kmeans_is_a_fixed_point(seed, bits):
    """Every value has the nearest centroid, every centroid is the mean of its values."""
    values = np.random.default_rng(seed).normal(size=400)
    centroids = kmeans(values, bits)
    assert len(centroids) == 1 << bits and (np.diff(centroids) > 0).all()
    codes = assign(values, centroids)
    nearest = np.abs(values[:, None] - centroids).min(axis=1)
    np.testing.assert_allclose(np.abs(values - centroids[codes]), nearest, atol=1e-15)
    moved = np.array([values[codes == k].mean() if (codes == k).any() else c
                      for k, c in enumerate(centroids)])
    even = np.linspace(values.min(), values.max(), 1 << bits)
    error = np.square(values - centroids[codes]).sum()
    assert error < np.square(values[:, None] - even).min(axis=1).sum()
    assert np.square(centroids - moved).max() < 1e-3


def test_few_values_are_exact():
    matrix = np.array([[0.0, 1.5, -2.0], [1.5, 0.0, 3.0]])
    assert np.array_equal(share_matrix(matrix, 2), matrix)
    assert not share_matrix(np.zeros((2, 2)), 4).any()


def test_linear_start():
    """Two clusters far apart: centroids between them stay empty, where they started."""
    values = np.array([0.0, 0.1, 10.0, 10.1, 0.05])
    assert kmeans(values, 1).tolist() == pytest.approx([0.05, 10.05])
    assert kmeans(values, 2).tolist() == pytest.approx([0.05, 10.1 / 3, 20.2 / 3, 10.05])


def test_pruned_weights_stay_zero(seed):
    matrix = np.random.default_rng(seed).normal(size=(20, 30))
    matrix[np.abs(matrix) < 1] = 0
    shared = share_matrix(matrix, 4)
    assert np.array_equal(shared == 0, matrix == 0)
    assert 4 < len(np.unique(shared[shared != 0])) <= 16  # those in the gap around 0 stay unused


@pytest.mark.parametrize("groups", [1, 4])
def test_grouped_gradients(seed, groups):
    torch.manual_seed(seed)
    layer = torch.nn.Linear(6, 8, bias=False)
    with torch.no_grad():
        layer.weight[layer.weight.abs() < 0.15] = 0
    before = layer.weight.detach().clone()
    book = share_parameter(layer, "weight", 2, groups)
    assert book.shape == (groups, 4) and next(layer.parameters()) is book
    shared = layer.weight.detach().clone()
    for part, got in zip(before.chunk(groups), shared.chunk(groups), strict=True):
        want = share_matrix(part.numpy(), 2)
        np.testing.assert_allclose(got.numpy(), want, atol=1e-6)
    weight = layer.weight
    weight.retain_grad()
    x = torch.randn(5, 6)
    (x @ weight.T).square().sum().backward()
    codes = layer.parametrizations.weight[0].codes
    compared = 0
    for group, (grad, code) in enumerate(zip(weight.grad.chunk(groups), codes.chunk(groups),
                                             strict=True)):
        for k in range(4):
            torch.testing.assert_close(book.grad[group, k], grad[code == k].sum())
            compared += int((code == k).sum())
    assert compared == int((before != 0).sum()) > 0
    torch.optim.SGD(layer.parameters(), lr=0.01).step()
    after = layer.weight.detach()
    assert torch.equal(after == 0, before == 0) and not torch.equal(after, shared)
    for part in after.chunk(groups):
        assert len(part[part != 0].unique()) <= 4


def test_groups_refused():
    with pytest.raises(EseError, match=r"^groups: must divide the 8 rows of weight, got 3$"):
        share_parameter(torch.nn.Linear(6, 8), "weight", 2, 3)
