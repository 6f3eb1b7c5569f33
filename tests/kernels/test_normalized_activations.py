"""A norm and the activation after it in one pass equal their equations, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import ops
from pellucid.kernels import normalization, normalized_activations
from pellucid.kernels.convolution.activation import HARDSWISH, SILU
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads

KINDS = {
    SILU: (ops.silu, ops.silu_backward),
    HARDSWISH: (ops.hardswish, ops.hardswish_backward),
}


@pytest.fixture
def threads():
    """Set how many threads there are, for one test."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def _drawn(pixels, c, seed=0):
    return np.random.default_rng(seed).normal(0, 2, size=(pixels, c)).astype(np.float32)


def _results(kind, x, dy, channels, pixels, *, in_place=False):
    """Return y, dz and its sums, computed in blocks of so many pixels."""
    c = x.shape[1]
    rows = np.tile(np.float32(channels), normalization.period(c) // c)[np.newaxis]
    per, blocks = pixels * c, -(-len(x) // pixels)
    y, dy = np.full_like(x, 99), dy.copy()
    dz = dy if in_place else np.full_like(x, 99)
    run(normalized_activations.normalize(kind), blocks, x.ravel(), y.ravel(), rows, per)
    scratch = np.full((blocks, 3, rows.shape[2]), np.nan, np.float32)
    sums, bounds = np.full((blocks, 2, c), np.nan), np.append(np.arange(0, x.size, per), x.size)
    arrays = dy.ravel(), dz.ravel(), x.ravel(), rows, scratch, sums, bounds
    run(normalized_activations.gradient_sums(kind), blocks, *arrays)
    return y, dz, sums


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("c", [1, 3, 16, 30, 255, 256, 700])
def test_both_passes_follow_their_equations(c, kind):
    x, dy, channels = _drawn(100, c), _drawn(100, c, 1), _drawn(5, c, 2)
    around, scale, shift = channels[:3].astype(float)
    f, f_backward = KINDS[kind]
    y, dz, sums = _results(kind, x, dy, channels, 37)
    z = (x - around) * scale + shift
    exact = f_backward(dy.astype(float), z)
    assert_agrees(y, f(z), within=1e-6)
    assert_agrees(dz, exact, within=1e-6, magnitude=[abs(dy).max()])
    assert_agrees(sums.sum(axis=0)[0], exact.sum(axis=0), magnitude=[100], within=1e-6)
    along = (exact * (x - around)).sum(axis=0)
    assert_agrees(sums.sum(axis=0)[1], along, magnitude=[1000], within=1e-6)
    again = _results(kind, x, dy, channels, 37, in_place=True)
    for one, other in zip(again, (y, dz, sums), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_threads_nor_the_place_in_a_block_change_a_bit(kind, threads):
    x, dy, channels, seen = _drawn(901, 7), _drawn(901, 7, 1), _drawn(5, 7, 2), []
    for count in (1, 2, 3):
        threads(count)
        seen.append([a.tobytes() for a in _results(kind, x, dy, channels, 50)])
    assert seen[1:] == seen[:-1]
    y, dz, _ = _results(kind, x, dy, channels, 50)
    for pixels in (1, 3, 901):
        other_y, other_dz, _ = _results(kind, x, dy, channels, pixels)
        np.testing.assert_array_equal(other_y, y)
        np.testing.assert_array_equal(other_dz, dz)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_a_number_stays_visible_and_where_it_is(kind):
    x, dy = _drawn(40, 3), _drawn(40, 3, 1)
    x[17, 1] = dy[20, 2] = np.nan
    y, dz, sums = _results(kind, x, dy, np.ones((5, 3)), 40)
    assert np.argwhere(np.isnan(y)).tolist() == [[17, 1]]
    found = np.argwhere(np.isnan(dz)).tolist()
    assert found == ([[17, 1]] if kind == SILU else []) + [[20, 2]]  # as the op: its slope is 1
    np.testing.assert_array_equal(np.isnan(sums[0, 1]), [False, True, True])
