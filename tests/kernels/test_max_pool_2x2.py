"""Pooling of 2x2 windows side by side, against the op: argmax, ties, NaN, gradients."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import ops
from pellucid.kernels import max_pool_2x2
from pellucid.kernels.pool.threads import run
from pellucid.shapes import slide

RNG = np.random.default_rng(0)


def pooled(x):
    """Run both kernels on images (N, H, W, C) and a made gradient."""
    n, h, w, c = x.shape
    y = np.full((n, h // 2, w // 2, c), 99, np.float32)
    argmax, dx = np.full(y.size, 99, np.uint8), np.zeros_like(x)
    dy = RNG.normal(size=y.shape).astype(np.float32)
    per = 4
    tasks = -(-n * (h // 2) // per)
    run(max_pool_2x2.forward, tasks, x, y, argmax, per)
    run(max_pool_2x2.backward, tasks, dy, argmax, dx, per)
    return y, argmax.reshape(y.shape), dy, dx


def first(a):
    return a.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("channels", [1, 7, 16, 30, 33])
@pytest.mark.parametrize("values", ["drawn", "ties", "NaN"])
@pytest.mark.parametrize("size", [(6, 4), (7, 4), (6, 5), (7, 5), (2, 2), (3, 3)], ids=str)
def test_maxima_argmax_and_gradients_are_the_ops(channels, values, size):
    x = RNG.normal(size=(3, *size, channels)).astype(np.float32)
    if values == "ties":
        x = RNG.integers(0, 2, x.shape).astype(np.float32)
    if values == "NaN":
        x[0, 1, 1], x[2, 0], x[1, -1] = np.nan, np.nan, np.nan
    y, argmax, dy, dx = pooled(x)
    windows = slide(size, (2, 2), 2)
    expected, numbers = ops.max_pool2d(first(x), windows)
    np.testing.assert_array_equal(first(y), expected)
    np.testing.assert_array_equal(first(argmax), numbers)
    np.testing.assert_array_equal(first(dx), ops.max_pool2d_backward(first(dy), numbers, windows))
