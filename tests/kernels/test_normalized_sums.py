"""The end of a residual block follows its equations, in blocks of any size."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid.kernels import normalized_sums
from pellucid.kernels.normalization import period
from pellucid.kernels.pool.threads import run

PIXELS, PER = 100, 37  # of all images, and of a block


def drawn(seed, c, pixels=PIXELS):
    return np.random.default_rng(seed).normal(size=(pixels, c)).astype(np.float32)


def rows_of(values):
    return np.tile(values, period(values.shape[1]) // values.shape[1])[np.newaxis]


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("c", [1, 3, 16, 257])
def test_a_sum_normalises_what_it_adds(c, both, relu):
    a, b, y = drawn(0, c), drawn(1, c), np.full((PIXELS, c), np.nan, np.float32)
    own, others = drawn(2, c, 5), drawn(3, c, 5)
    args = a.ravel(), b.ravel(), y.ravel(), rows_of(own), rows_of(others), both, relu, PER * c
    run(normalized_sums.add_normalized, -(-PIXELS // PER), *args)
    (around, scale, shift, *_), z = own.astype(float), b.astype(float)
    if both:
        z = (b - others[0].astype(float)) * others[1] + others[2]
    z = z + (a - around) * scale + shift
    assert_agrees(y, np.maximum(z, 0) if relu else z, within=1e-6)


@pytest.mark.parametrize("c", [1, 3, 16, 257])
def test_the_gradient_is_masked_and_summed_in_one_pass(c):
    dy, y, x, dz = (drawn(seed, c) for seed in range(4))
    blocks = -(-PIXELS // PER)
    scratch, own = np.full((blocks, 3, period(c)), np.nan, np.float32), drawn(4, c, 5)
    sums, bounds = np.full((blocks, 2, c), np.nan), np.append(np.arange(0, PIXELS, PER), PIXELS) * c
    args = (dy.ravel(), y.ravel(), dz.ravel(), x.ravel(), rows_of(own), scratch, sums, bounds)
    run(normalized_sums.gradient_sums, blocks, *args)
    expected = np.where(y > 0, dy, np.float32(0))
    np.testing.assert_array_equal(dz, expected)
    for k in range(blocks):
        part = slice(k * PER, (k + 1) * PER)
        g = expected[part].astype(float)
        assert_agrees(sums[k, 0], g.sum(axis=0), within=1e-6, magnitude=[abs(g).sum(axis=0)])
        along = g * (x[part] - own[0].astype(float))
        assert_agrees(
            sums[k, 1], along.sum(axis=0), within=1e-6, magnitude=[abs(along).sum(axis=0)]
        )


def test_a_nan_shows_in_the_sum_and_stops_the_gradient():
    a, one = np.float32([[np.nan, 2]]), np.ones((5, 2), np.float32)
    y, rows = np.zeros_like(a), rows_of(one)
    run(normalized_sums.add_normalized, 1, a[0], one[0], y[0], rows, rows, False, True, 2)
    np.testing.assert_array_equal(y, [[np.nan, 3]])
