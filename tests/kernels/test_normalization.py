"""The normalisation kernels equal their ops, whatever the threads, the blocks and the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import ops
from pellucid.kernels import normalization
from pellucid.kernels.convolution.activation import NO_ACTIVATION, RELU, clipping
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads


@pytest.fixture
def threads():
    """Set how many threads there are, for one test."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def _drawn(pixels, c, seed=0, *, loc=0.0):
    return np.random.default_rng(seed).normal(loc, size=(pixels, c)).astype(np.float32)


def _rows(*values):
    c = len(values[0])
    return np.tile(np.float32(values), normalization.period(c) // c)[np.newaxis]


def _blocks(x, pixels):
    """Return how many blocks of so many pixels x is, and their sizes as the kernels take them."""
    return -(-len(x) // pixels), x.size, pixels * x.shape[1]


def _sums(kernel, x, pixels, *args):
    """Return the partial sums (blocks, 2, C) of a kernel."""
    blocks, _, per = _blocks(x, pixels)
    scratch = np.full((blocks, 3, normalization.period(x.shape[1])), np.nan, np.float32)
    sums = np.full((blocks, 2, x.shape[1]), np.nan)
    run(kernel, blocks, *(a.ravel() for a in args), scratch, sums, _bounds(x, per))
    return sums


def _bounds(x, per):
    return np.append(np.arange(0, x.size, per), x.size)


def _statistics(x, pixels):
    return _sums(normalization.batch_statistics, x, pixels, x)


CHANNELS = [1, 2, 3, 16, 30, 64, 255, 256, 257, 700]


@pytest.mark.parametrize("c", CHANNELS)
def test_statistics_are_those_of_each_block(c):
    x, pixels = _drawn(100, c), 37
    sums = _statistics(x, pixels)
    for k in range(3):
        block = x[k * pixels : (k + 1) * pixels].astype(float)
        assert_agrees(sums[k, 0], block.mean(axis=0), within=1e-7, magnitude=[1])
        assert_agrees(sums[k, 1], block.var(axis=0) * len(block), within=1e-6)


def test_statistics_around_a_mean_far_from_zero():
    x = _drawn(5000, 3, loc=[1e4, -1e3, 1e6])
    sums = _statistics(x, 5000)[0]
    np.testing.assert_allclose(sums[0], x.astype(float).mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(sums[1], 5000 * x.astype(float).var(axis=0), rtol=1e-5)


@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (0, np.inf), (-0.5, 0.75)])
@pytest.mark.parametrize("c", CHANNELS)
def test_normalising_and_its_gradient_follow_their_equations(c, bounds):
    x, dy = _drawn(100, c), _drawn(100, c, 1)
    around, scale, shift, slope, level = of_channels = _drawn(5, c, 2).astype(float)
    y, dx, rows, (low, high) = np.full_like(x, 99), np.full_like(x, 99), _rows(*of_channels), bounds
    blocks, _, per = _blocks(x, 37)
    run(normalization.batch_norm, blocks, x.ravel(), y.ravel(), rows, clipping(*bounds), per)
    z = (x - around) * scale + shift
    assert_agrees(y, np.clip(z, low, high), within=1e-6)
    dz = dy * ((y > low) & (y < high))
    for fixed, expected in ((False, (x - around) * slope + level), (True, 0)):
        args = (dy.ravel(), x.ravel(), dx.ravel(), rows, clipping(*bounds), fixed, per)
        run(normalization.batch_gradient, blocks, *args)
        assert_agrees(dx, dz * scale + expected, within=1e-6)
        in_place = dy.ravel().copy()
        args = (in_place, x.ravel(), in_place, rows, clipping(*bounds), fixed, per)
        run(normalization.batch_gradient, blocks, *args)
        np.testing.assert_array_equal(in_place, dx.ravel())
    sums = np.empty((blocks, 2, c))
    scratch = np.full((blocks, 3, rows.shape[2]), np.nan, np.float32)
    args = (dy.ravel(), x.ravel(), rows, scratch, sums, clipping(*bounds), _bounds(x, per))
    run(normalization.batch_gradient_sums, blocks, *args)
    assert_agrees(sums.sum(axis=0)[0], dz.astype(float).sum(axis=0), magnitude=[100], within=1e-6)
    along = (dz * (x - around)).sum(axis=0)
    assert_agrees(sums.sum(axis=0)[1], along, magnitude=[100], within=1e-6)


def test_a_relu_lets_a_gradient_through_exactly_where_the_output_is_above_zero():
    x = _drawn(1000, 7)
    rows = _rows(*_drawn(5, 7, 2))
    rows[0, 2] = -np.float32(0.25) * rows[0, 1]  # the output is zero at exactly 0.25 above the mean
    x[::3] = rows[0, 0, :7] + np.float32(0.25)
    rows[0, 3:] = 0
    y, dx = np.empty_like(x), np.empty_like(x)
    run(normalization.batch_norm, 1, x.ravel(), y.ravel(), rows, RELU, x.size)
    args = (np.ones_like(x).ravel(), x.ravel(), dx.ravel(), rows, RELU, False, x.size)
    run(normalization.batch_gradient, 1, *args)
    assert (y == 0).sum() > 2000
    np.testing.assert_array_equal(dx != 0, y > 0)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_batch_norm_shows_what_is_not_finite(bad, relu):
    x = _drawn(40, 3)
    x[17, 1] = bad
    assert np.isfinite(_statistics(x, 40)).all(axis=(0, 1)).tolist() == [True, False, True]
    y = np.empty_like(x)
    rows = _rows(*np.ones((5, 3)))
    run(
        normalization.batch_norm,
        1,
        x.ravel(),
        y.ravel(),
        rows,
        RELU if relu else NO_ACTIVATION,
        x.size,
    )
    expected = 0 if relu and bad < 0 else bad
    np.testing.assert_array_equal(y[17, 1], np.float32(expected))
    assert np.isfinite(np.delete(y.ravel(), 17 * 3 + 1)).all()


def _response(x, n, k, alpha, beta, dy, pixels=10):
    """Return the output and the gradient of local response normalisation."""
    blocks, _, per = _blocks(x, pixels)
    c, y, dx = x.shape[1], np.full_like(x, 99), np.full_like(x, 99)
    scratch = np.zeros((blocks, 5, normalization.response_width(c, n)), np.float32)
    args = (scratch, normalization.Response(c, n, float(k), float(alpha), float(beta)), per)
    for _ in range(2):  # the second time in scratch memory that was used
        run(normalization.local_response, blocks, x.ravel(), y.ravel(), *args)
        images = (dy.ravel(), x.ravel(), dx.ravel())
        run(normalization.local_response_backward, blocks, *images, *args)
    return y, dx


def _plain_response(x, n, k, alpha, beta, dy):
    x, dy = x.astype(float), dy.astype(float)
    y, s = ops.local_response_norm(x, n, k, alpha, beta)
    return y, ops.local_response_norm_backward(dy, x, s, n, alpha, beta)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 40])
@pytest.mark.parametrize("c", [1, 2, 3, 15, 16, 17, 33, 96, 300])
def test_local_responses(c, n):
    x, dy = _drawn(27, c), _drawn(27, c, 1)
    for got, expected in zip(
        _response(x, n, 1.5, 0.3, 0.75, dy), _plain_response(x, n, 1.5, 0.3, 0.75, dy), strict=True
    ):
        assert_agrees(got, expected, within=2e-6)


@pytest.mark.parametrize("beta", [0.75, 0.5, 1.0, 0.0, 2.3])
def test_local_responses_of_any_power(beta):
    x, dy = _drawn(27, 20), _drawn(27, 20, 1)
    for got, expected in zip(
        _response(x, 5, 2.0, 0.1, beta, dy), _plain_response(x, 5, 2.0, 0.1, beta, dy), strict=True
    ):
        assert_agrees(got, expected, within=2e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("beta", [0.75, 0.6])
def test_local_responses_show_what_is_not_finite_and_only_where_it_is_read(bad, beta):
    x, dy = _drawn(30, 18), _drawn(30, 18, 1)
    x[3, 0] = x[7, 17] = x[12, 9] = dy[20, 17] = dy[24, 1] = bad
    with np.errstate(invalid="ignore"):
        expected = _plain_response(x, 4, 1.0, 0.1, beta, dy)
    for got, plain in zip(_response(x, 4, 1.0, 0.1, beta, dy), expected, strict=True):
        np.testing.assert_array_equal(np.isfinite(got), np.isfinite(plain))


def test_local_responses_of_nothing_but_the_squares():
    x, dy = _drawn(9, 3), _drawn(9, 3, 1)
    x[:, 2] = 0  # so that after it, where there is no channel, s would be 0
    for got, expected in zip(
        _response(x, 2, 0.0, 1.0, 0.75, dy), _plain_response(x, 2, 0.0, 1.0, 0.75, dy), strict=True
    ):
        assert_agrees(got, expected)


def test_threads_change_no_bit(threads):
    x, dy = _drawn(900, 24), _drawn(900, 24, 1)
    rows, seen = _rows(*_drawn(5, 24, 2)), []
    for count in (1, 2, 3):
        threads(count)
        y, dx = np.empty_like(x), np.empty_like(x)
        blocks, _, per = _blocks(x, 50)
        sums, scratch = np.empty((blocks, 2, 24)), np.empty((blocks, 3, rows.shape[2]), np.float32)
        flat = (dy.ravel(), x.ravel())
        run(normalization.batch_norm, blocks, x.ravel(), y.ravel(), rows, RELU, per)
        run(
            normalization.batch_gradient_sums,
            blocks,
            *flat,
            rows,
            scratch,
            sums,
            RELU,
            _bounds(x, per),
        )
        run(normalization.batch_gradient, blocks, *flat, dx.ravel(), rows, RELU, False, per)
        results = (_statistics(x, 50), y, sums, dx, *_response(x, 5, 2.0, 0.1, 0.75, dy))
        seen.append([a.tobytes() for a in results])
    assert seen[1:] == seen[:-1]


@pytest.mark.parametrize("c", [1, 96, 10**6])
def test_a_block_is_whole_pixels(c):
    assert normalization.whole_pixels(1000, c) % c == 0
    assert c <= normalization.whole_pixels(1000, c) <= max(c, 1000)
    assert normalization.period(c) % c == 0
