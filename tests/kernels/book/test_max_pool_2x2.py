"""Pooling of 2x2 windows side by side, against the op: winners, ties, NaN, gradients."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import ops
from pellucid.kernels.book import max_pool_2x2
from pellucid.kernels.pool.threads import run

RNG = np.random.default_rng(0)


def pooled(x):
    """Run both kernels on images (N, H, W, C) and a made gradient."""
    n, h, w, c = x.shape
    y = np.empty((n, h // 2, w // 2, c), np.float32)
    won, dx = np.empty(y.shape, np.uint8), np.empty_like(x)
    dy = RNG.normal(size=y.shape).astype(np.float32)
    rows, per = n * h // 2, 3
    tasks = -(-rows // per)
    run(
        max_pool_2x2.forward, tasks, x.ravel(), y.reshape(-1), won.reshape(-1), rows, w // 2, c, per
    )
    run(max_pool_2x2.backward, tasks, dy.ravel(), won.ravel(), dx.reshape(-1), rows, w // 2, c, per)
    return y, won, dy, dx


def first(a):
    return a.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("channels", [1, 7, 16, 30, 33])
@pytest.mark.parametrize("values", ["drawn", "ties", "NaN"])
def test_maxima_winners_and_gradients_are_the_ops(channels, values):
    x = RNG.normal(size=(3, 6, 4, channels)).astype(np.float32)
    if values == "ties":
        x = RNG.integers(0, 2, x.shape).astype(np.float32)
    if values == "NaN":
        x[0, 1, 2], x[2, 5] = np.nan, np.nan
    y, won, dy, dx = pooled(x)
    windows = ops.pool2d_windows((channels, 6, 4), 2, 2)
    expected, arg_max = ops.max_pool2d(first(x), windows)
    np.testing.assert_array_equal(first(y), expected)
    np.testing.assert_array_equal(first(won), arg_max)
    np.testing.assert_array_equal(first(dx), ops.max_pool2d_backward(first(dy), arg_max, windows))
