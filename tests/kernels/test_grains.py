"""Vectors of patterns and the merging of regions, compiled and interpreted, against sums in numpy."""

import numpy as np
import pytest

from difsims_core.kernels.scan import grains


@pytest.fixture(params=["compiled", "interpreted"])
def kernels(request):
    names = ("fill_vectors", "products", "merge_regions", "roots_of")
    found = {name: getattr(grains, name) for name in names}
    return found if request.param == "compiled" else {name: kernel.py_func for name, kernel in found.items()}


def test_vectors_are_what_lies_above_the_rings(kernels):
    rng = np.random.default_rng(0)
    patterns, weight = rng.random((3, 5, 6), np.float32), rng.random(5, np.float32)
    out = np.ones((3, 32), np.float32)
    kernels["fill_vectors"](patterns, weight, np.zeros(5, np.float32), out)
    expected = (patterns - patterns.mean(axis=2, keepdims=True)) * weight[:, None]
    np.testing.assert_allclose(out[:, :30], expected.reshape(3, 30), atol=1e-6)
    assert not out[:, 30:].any()
    patterns[1, 2, 3] = np.nan
    kernels["fill_vectors"](patterns, weight, np.zeros(5, np.float32), out)
    assert np.isfinite(out).all()
    assert not out[1, 12:18].any()


def test_vectors_of_profiles_are_their_shapes_without_that_of_the_scan(kernels):
    rng = np.random.default_rng(1)
    profiles, weight, level = rng.random((3, 16, 1)), rng.random(16, np.float32), rng.random(16, np.float32)
    out = np.empty((3, 16), np.float32)
    kernels["fill_vectors"](profiles, weight, level, out)
    shapes = profiles[..., 0] / profiles.mean(axis=(1, 2))[:, None]
    np.testing.assert_allclose(out, (shapes - level) * weight, atol=1e-5)


def test_products_are_those_of_numpy(kernels):
    rng = np.random.default_rng(2)
    rows, others = rng.normal(size=(4, 48)).astype(np.float32), rng.normal(size=(3, 48)).astype(np.float32)
    one, other, out = np.array([0, 3, 3]), np.array([2, 0, 1]), np.empty(3)
    kernels["products"](rows, others, one, other, out)
    np.testing.assert_allclose(out, (rows[one] * others[other]).sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize(("least_product", "groups"), [(0.0, 3), (5.0, 4), (100.0, 6)])
def test_regions_of_one_pattern_are_merged_and_no_others(kernels, least_product, groups):
    """Six pixels in a row: three of one pattern, two of a weaker one, and one half of the weaker one."""
    one, other = np.zeros((2, 32), np.float32)
    one[:4], other[8:12] = 2.0, 1.0
    sums = np.stack([one, one, one, other, other, other / 2])
    squares, sizes = (sums.astype(float) ** 2).sum(axis=1), np.ones(6, np.int64)
    parent, root, strength = np.arange(6), np.empty(6, np.int64), squares.copy()
    pairs = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]])
    vectors = sums.copy()
    merge = (sums, squares, sizes, strength, pairs, parent, 0.85, least_product)
    n = kernels["merge_regions"](*merge)
    assert kernels["merge_regions"](*merge) == 0
    kernels["roots_of"](parent, root)
    assert len(np.unique(root)) == groups == 6 - n
    for k in np.unique(root):
        members = vectors[root == k].astype(float)
        np.testing.assert_allclose(sums[k], members.sum(axis=0))
        assert (sizes[k], squares[k]) == (len(members), (members**2).sum())
        if len(members) > 1:
            assert strength[k] == pytest.approx((members[0] * members[1]).sum())
