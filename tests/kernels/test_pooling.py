"""The kernels of average and Lp pooling equal their ops, whatever threads and numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from ops.strategies import geometries, poolings
from ops.witness import assert_agrees
from pellucid import ops
from pellucid.kernels import pooling
from pellucid.kernels.blocks import each
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads
from pellucid.ops.pooling import cells_that_count
from pellucid.shapes import slide


@pytest.fixture
def threads():
    """Set how many threads there are, for one test."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def _last(x):
    return np.array(np.moveaxis(x, 1, -1), dtype=np.float32, order="C")


def _first(x):
    return np.moveaxis(x, -1, 1)


@given(geometry=geometries())
def test_taps_are_the_cells_of_each_window_and_the_windows_of_each_cell(geometry):
    windows = geometry.windows
    for axis in (0, 1):
        stride, dilation = windows.stride[axis], windows.dilation[axis]
        met = {
            (o, u, stride * o + dilation * u - windows.padding[axis][0])
            for o in range(windows.output[axis])
            for u in range(windows.window[axis])
        }
        met = {(o, u, row) for o, u, row in met if 0 <= row < windows.input[axis]}
        assert set(_met(pooling.reads(windows)[axis])) == met
        swapped = {(o, u, row) for row, u, o in _met(pooling.readers(windows)[axis])}
        assert swapped == met


def _met(taps):
    for row, (cell, place, count) in enumerate(taps.table):
        for k in range(count):
            yield row, cell + k * taps.cell, place + k * taps.place


def test_neither_threads_nor_tasks_change_a_bit(threads):
    rng = np.random.default_rng(0)
    windows = slide((15, 14), 3, 1, 1)
    x = rng.normal(size=(9, 6, 15, 14))
    seen = []
    for count, per in ((1, 1), (2, 1), (2, 4), (1, 1000)):
        threads(count)
        seen.append(_sums(x, windows, pooling.reads, 0.5, per).tobytes())
    assert all(bits == seen[0] for bits in seen)


def _sums(x, windows, make, share, per=2):
    x = _last(x)
    size = windows.output if make is pooling.reads else windows.input
    y = np.full((len(x), *size, x.shape[-1]), 99, np.float32)
    shares = (np.full(n, share, np.float32) for n in size)
    run(pooling.sums, -(-len(x) * size[0] // per), x, y, make(windows), *shares, per)
    return _first(y)


@given(case=poolings())
def test_sums_are_averages_and_their_gradients(case):
    x, dy = case.arrays(np.float32)
    windows = case.geometry.windows
    counts = np.outer(*(cells_that_count(windows, axis, include_pad=True) for axis in (0, 1)))
    # The terms of a sum may cancel: it is judged by their size.
    y, dx = _sums(x, windows, pooling.reads, 1), _sums(dy, windows, pooling.readers, 1)
    expected = counts * ops.avg_pool2d(x.astype(float), windows)
    assert_agrees(y, expected, magnitude=[counts.max() * abs(x).max()])
    expected = ops.avg_pool2d_backward(dy.astype(float) * counts, windows)
    assert_agrees(dx, expected, magnitude=[counts.max() * abs(dy).max()])


@pytest.mark.parametrize("c", [1, 3, 15, 16, 17, 32, 64, 70, 130])
def test_channels_that_do_not_fill_whole_vectors(c):
    windows = slide((7, 6), (3, 2), 2)
    x = np.random.default_rng(c).random((2, c, 7, 6))
    expected = 6 * ops.avg_pool2d(x, windows)
    assert_agrees(_sums(x, windows, pooling.reads, 1), expected)


def test_each_row_and_column_of_a_sum_has_its_share():
    x, windows = np.ones((1, 1, 4, 6)), slide((4, 6), 2, 2)
    left, right = np.float32([1, 2]), np.float32([1, 10, 100])
    y = np.empty((1, 2, 3, 1), np.float32)
    run(pooling.sums, 1, _last(x), y, pooling.reads(windows), left, right, 9)
    np.testing.assert_array_equal(y[0, :, :, 0], 4 * np.outer(left, right))


def test_the_sum_of_a_large_image_is_as_exact_as_that_of_a_small_one():
    x = 1 + np.random.default_rng(0).random((1, 2, 600, 600))
    y = _sums(x, slide((600, 600), (600, 600)), pooling.reads, 1)
    assert_agrees(y, _last(x).astype(float).sum(axis=(1, 2)).reshape(1, 2, 1, 1), within=2e-6)
    y = np.empty((1, 2), np.float32)
    run(pooling.whole_sums, 1, _last(x), y, 1.0, 1)
    assert_agrees(y, _last(x).astype(float).sum(axis=(1, 2)), within=2e-6)


@pytest.mark.parametrize("c", [1, 17, 256, 300, 600])
def test_sums_of_whole_images(c):
    x = 1 + np.random.default_rng(c).random((3, c, 7, 5))
    y, parts = np.full((3, c), 99, np.float32), -(-c // pooling.PART)
    run(pooling.whole_sums, 3 * parts, _last(x), y, 0.5, parts)
    assert_agrees(y, _last(x).astype(float).sum(axis=(1, 2)) / 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sum_shows_what_is_not_finite_and_where(bad):
    x = np.zeros((1, 20, 6, 6))
    x[0, 17, 3, 2] = bad
    y = _sums(x, slide((6, 6), 2, 2), pooling.reads, 1)
    expected = np.zeros((1, 20, 3, 3), np.float32)
    expected[0, 17, 1, 1] = bad
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("p", [1, 2, 3, 4, 5, 0.5, 1 / 3, 2.5, 0])
def test_powers(p):
    x = np.random.default_rng(0).normal(size=40_000).astype(np.float32)
    y = np.empty_like(x)
    each(pooling.powers, x, y, float(p))
    assert_agrees(y, np.abs(x.astype(float)) ** p, within=1e-6)


@pytest.mark.parametrize("p", [1, 2, 3, 4, 5, -1, -2, 1.5, -1.5, 0])
def test_times_powers_is_zero_where_x_is(p):
    rng = np.random.default_rng(0)
    a, x = (rng.uniform(0.5, 2, 40_000).astype(np.float32) for _ in range(2))
    x[::3] *= -1
    x[::7] = 0
    y, with_nan = np.empty_like(x), np.float32([0, np.nan, 1])
    each(pooling.times_powers, a, x, y, float(p))
    z = x.astype(float)
    expected = np.where(z == 0, 0, a * np.sign(z) * np.abs(np.where(z == 0, 1, z)) ** p)
    assert_agrees(y, expected, within=1e-6)
    out = np.empty_like(with_nan)
    each(pooling.times_powers, np.ones_like(out), with_nan, out, float(p))
    np.testing.assert_array_equal(np.isnan(out), [False, True, False])
