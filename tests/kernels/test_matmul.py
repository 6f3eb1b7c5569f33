"""The matrix products equal NumPy's, whole tiles or not."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid.kernels.matmul import product, rows_by_rows

SIZES = [(1, 1, 1), (7, 33, 5), (100, 432, 10), (13, 100, 70), (1, 4320, 100), (24, 8, 64)]


def _drawn(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize(("m", "k", "n"), SIZES)
def test_rows_by_rows_is_a_linear_layer(m, k, n, rectify):
    x, w, b, y = _drawn(m, k), _drawn(n, k), _drawn(n), np.full((m, n), np.nan, np.float32)
    rows_by_rows(x, w, b, y, rectify)
    expected = x.astype(float) @ w.T.astype(float) + b
    magnitude = np.abs(x).astype(float) @ np.abs(w).T + np.abs(b)
    assert_agrees(y, np.maximum(expected, 0) if rectify else expected, magnitude=magnitude)


@pytest.mark.parametrize(("m", "k", "n"), SIZES)
def test_product_multiplies_by_the_transpose(m, k, n):
    a, b, y = _drawn(k, m), _drawn(k, n), np.full((m, n), np.nan, np.float32)
    product(a, b, y)
    magnitude = np.abs(a).T.astype(float) @ np.abs(b)
    assert_agrees(y, a.T.astype(float) @ b, magnitude=magnitude)


def test_a_nan_reaches_every_sum_it_belongs_to():
    x, w, b, y = _drawn(6, 40), _drawn(5, 40), _drawn(5), np.empty((6, 5), np.float32)
    x[2, 39] = np.nan
    rows_by_rows(x, w, b, y, True)
    assert np.isnan(y).all(axis=1).tolist() == [False, False, True, False, False, False]
