"""The matrix products of the book's `Affine`, against NumPy's in float64."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid.book.layers.products import affine, matmul_nt, matmul_tn
from pellucid.kernels.pool.thread_count import get_num_threads, set_num_threads

RNG = np.random.default_rng(0)
# images, numbers, columns, channels
SIZES = [
    (1, 1, 1, 1),
    (2, 3, 5, 1),
    (4, 18, 16, 3),
    (25, 16, 33, 16),
    (26, 40, 100, 5),
    (100, 1000, 40, 1),
    (100, 1080, 100, 30),
    (3, 2050, 17, 2),
    (7, 513, 1, 1),
    (30, 700, 150, 7),
    (300, 50, 300, 1),
    (500, 24, 9, 4),
]


def drawn(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def in_order(x, channels):
    """Return rows stored pixel by pixel as rows stored channel by channel."""
    return x.reshape(len(x), -1, channels).transpose(0, 2, 1).reshape(x.shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("m", "k", "f", "channels"), SIZES)
def test_the_three_products_are_numpys(m, k, f, channels, dtype):
    x, w, b, dy = drawn(m, k), RNG.normal(size=(k, f)).astype(dtype), drawn(f), drawn(m, f)
    ordered, wide, b64, dy64 = (a.astype(np.float64) for a in (in_order(x, channels), w, b, dy))
    sums = np.abs(ordered) @ np.abs(wide) + np.abs(b64)
    assert_agrees(affine(x, w, b, channels), ordered @ wide + b64, magnitude=sums)
    sums = np.abs(ordered).T @ np.abs(dy64)
    assert_agrees(matmul_tn(x, dy, channels), ordered.T @ dy64, magnitude=sums)
    sums = np.abs(dy64) @ np.abs(wide).T
    back = in_order(matmul_nt(dy, w, channels), channels)
    assert_agrees(back, dy64 @ wide.T, magnitude=sums)


def test_the_bits_do_not_depend_on_the_threads():
    x, w, b, dy = drawn(100, 1400), drawn(1400, 90), drawn(90), drawn(100, 90)
    threads, results = get_num_threads(), []
    try:
        for count in (1, 2, 3):
            set_num_threads(count)
            results.append((affine(x, w, b, 7), matmul_tn(x, dy, 7), matmul_nt(dy, w, 7)))
    finally:
        set_num_threads(threads)
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            np.testing.assert_array_equal(one, other)
