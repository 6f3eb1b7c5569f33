"""The kernels of max pooling equal their op to the bit, whatever the window and the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.strategies import poolings
from ops.witness import assert_agrees
from pellucid import ops
from pellucid.kernels import max_pooling, pooling
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads
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


def _max_pool(x, dy, windows, *, numbers=np.uint8, per=3):
    """Return maxima, argmax and gradient of images and gradients (N, C, H, W)."""
    x, dy = _last(x), _last(dy)
    y, dx, argmax = np.full_like(dy, 99), np.full_like(x, 99), np.full(dy.size, 99, numbers)
    tasks, taps = -(-len(x) * y.shape[1] // per), pooling.reads(windows)
    run(max_pooling.forward, tasks, x, y, argmax[:0], taps, per)
    assert (argmax == 99).all()
    alone = y.tobytes()
    y[:] = 99
    run(max_pooling.forward, tasks, x, y, argmax, taps, per)
    assert y.tobytes() == alone
    tasks = -(-len(x) * x.shape[1] // per)
    run(max_pooling.backward, tasks, dy, argmax, dx, pooling.readers(windows), per)
    return _first(y), _first(argmax.reshape(y.shape)), _first(dx)


def _assert_the_ops(x, dy, windows, **how):
    """Compare with the op; return maxima and argmax."""
    x = x.astype(np.float32)
    y, argmax, dx = _max_pool(x, dy, windows, **how)
    expected, numbers = ops.max_pool2d(x, windows)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(argmax, numbers)
    assert_agrees(dx, ops.max_pool2d_backward(dy.astype(float), numbers, windows))
    return y, argmax


@pytest.mark.parametrize("numbers", [np.uint8, np.float32])
@given(case=poolings(), ties=st.booleans())
def test_the_argmax_is_the_first_of_the_largest(numbers, case, ties):
    x, dy = case.arrays(np.float32)
    _assert_the_ops(np.round(x) if ties else x, dy, case.geometry.windows, numbers=numbers)


@pytest.mark.parametrize("c", [1, 3, 15, 16, 17, 32, 63, 64, 70, 130])
def test_channels_that_do_not_fill_whole_vectors(c):
    rng = np.random.default_rng(c)
    windows = slide((7, 6), (3, 2), 2, 1)
    _assert_the_ops(
        rng.normal(size=(2, c, 7, 6)), rng.normal(size=(2, c, *windows.output)), windows
    )


@pytest.mark.parametrize("c", [5, 80])
@pytest.mark.parametrize("numbers", [np.uint8, np.float32])
def test_a_nan_is_the_largest_and_infinities_are_numbers_like_any(numbers, c):
    rng = np.random.default_rng(0)
    windows = slide((12, 12), 3, 2, 1)
    x = rng.choice(
        [np.nan, -np.inf, np.inf, 1, -1], size=(3, c, 12, 12), p=[0.1, 0.6, 0.1, 0.1, 0.1]
    )
    x[0] = -np.inf  # next to padding, which is never the largest
    y, _ = _assert_the_ops(x, np.ones((3, c, *windows.output)), windows, numbers=numbers)
    assert np.isnan(y).any()
    assert (y == -np.inf).any()


@pytest.mark.parametrize("size", [(6, 4), (7, 4), (6, 5), (7, 5), (2, 2), (3, 3)], ids=str)
def test_rows_and_columns_that_no_window_reads_have_no_gradient(size):
    rng = np.random.default_rng(0)
    windows = slide(size, 2, 2)
    _assert_the_ops(
        rng.normal(size=(3, 7, *size)), rng.normal(size=(3, 7, *windows.output)), windows
    )


def test_a_window_of_more_cells_than_a_byte_can_tell_apart():
    rng = np.random.default_rng(0)
    windows = slide((40, 41), (20, 30), (7, 3))
    x, dy = rng.normal(size=(2, 3, 40, 41)), rng.normal(size=(2, 3, *windows.output))
    _, argmax = _assert_the_ops(x, dy, windows, numbers=np.float32)
    assert argmax.max() > 255


def test_neither_threads_nor_tasks_change_a_bit(threads):
    rng = np.random.default_rng(0)
    windows = slide((15, 14), 3, 1, 1)
    x, dy = rng.normal(size=(9, 6, 15, 14)), rng.normal(size=(9, 6, *windows.output))
    seen = []
    for count, per in ((1, 1), (2, 1), (2, 4), (1, 1000)):
        threads(count)
        seen.append([a.tobytes() for a in _max_pool(x, dy, windows, per=per)])
    assert all(bits == seen[0] for bits in seen)
