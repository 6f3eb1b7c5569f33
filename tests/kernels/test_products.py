"""The matrix products of the book's `Affine`, against NumPy's in float64."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid.book.layers.products import times, times_turned, turned_times
from pellucid.kernels.cores import get_num_threads, set_num_threads
from pellucid.kernels.products import tile_for

RNG = np.random.default_rng(0)
SIZES = [
    (1, 1, 1),
    (2, 3, 5),
    (4, 17, 16),
    (25, 16, 33),
    (26, 40, 100),
    (100, 1000, 40),
    (7, 513, 1),
]


def drawn(*shape):
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("m", "k", "f"), SIZES)
def test_the_three_products_are_numpys(m, k, f):
    a, b, shift, dy = drawn(m, k), drawn(k, f), drawn(f), drawn(m, f)
    wide = [z.astype(np.float64) for z in (a, b, shift, dy)]
    sums = np.abs(wide[0]) @ np.abs(wide[1]) + np.abs(wide[2])
    assert_agrees(times(a, b, shift), wide[0] @ wide[1] + wide[2], magnitude=sums)
    sums = np.abs(wide[0]).T @ np.abs(wide[3])
    assert_agrees(turned_times(a, dy), wide[0].T @ wide[3], magnitude=sums)
    sums = np.abs(wide[3]) @ np.abs(wide[1]).T
    for right in (b, wide[1]):
        assert_agrees(times_turned(dy, right), wide[3] @ wide[1].T, magnitude=sums)


def test_the_bits_do_not_depend_on_the_threads():
    a, b, shift = drawn(100, 700), drawn(700, 90), drawn(90)
    threads, results = get_num_threads(), []
    try:
        for count in (1, 2, 3):
            set_num_threads(count)
            results.append(times(a, b, shift))
    finally:
        set_num_threads(threads)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_a_tile_never_has_more_rows_than_there_are():
    for rows in range(1, 40):
        assert tile_for(rows, 10)[0] <= rows
