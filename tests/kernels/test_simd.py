"""Each word of the SIMD vocabulary does what its line in the module's docstring says."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.kernels.jit import LANES, REGISTERS, kernel
from pellucid.kernels.simd import (
    add_column,
    add_sums,
    inner,
    inner_at,
    keep_larger,
    load_part,
    outer,
    plus,
    relu,
    store,
    store_part,
    where_above_zero,
    where_equal,
    zeros,
)

ROWS, COLUMNS = 3, 2
WIDTH = COLUMNS * LANES


@kernel
def _outer(a, step, b, bias, y, rectified):
    t = zeros(ROWS, COLUMNS)
    for k in range(len(b) // WIDTH):
        t = outer(t, a, k, step, b, k * WIDTH)
    t = add_column(t, bias, 1)
    store(t, y, 2, WIDTH)
    store(relu(t), rectified, 0, WIDTH)


@kernel
def _inner(a, p, b, q, at, y, y_at):
    t = zeros(ROWS, COLUMNS)
    u = zeros(ROWS, COLUMNS)
    for k in range(0, p, LANES):
        t = inner(t, a, k, p, b, k, q)
        u = inner_at(u, a, k, p, b, k, at, 1)
    add_sums(t, y, 1, COLUMNS)
    add_sums(u, y_at, 0, COLUMNS)


@kernel
def _larger(a, b, y, won):
    t = winner = zeros(1, 1)
    t = load_part(a, 0, LANES)
    t, winner = keep_larger(t, winner, load_part(b, 0, LANES), np.float32(7))
    store_part(t, y, 0, LANES)
    store_part(winner, won, 0, LANES)


@kernel
def _parts(a, u, n, y, above, equal):
    t = load_part(a, 1, n)
    store_part(plus(t, t), y, 2, n)
    store_part(where_above_zero(t, load_part(u, 0, LANES)), above, 0, LANES)
    store_part(where_equal(t, load_part(u, 0, LANES), np.float32(2)), equal, 0, LANES)


def _drawn(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_outer_makes_a_product_of_rows_and_columns():
    depth = 5
    a, b, bias = _drawn(ROWS, depth), _drawn(depth, WIDTH), _drawn(ROWS + 1)
    y, rectified = np.zeros(ROWS * WIDTH + 2, np.float32), np.zeros(ROWS * WIDTH, np.float32)
    _outer(a.ravel(), depth, b.ravel(), bias, y, rectified)
    expected = a.astype(float) @ b + bias[1:, None]
    np.testing.assert_allclose(y[2:].reshape(ROWS, WIDTH), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(y[:2], 0)
    np.testing.assert_array_equal(rectified, np.maximum(y[2:], 0))


def test_inner_makes_a_product_of_rows_and_rows():
    depth = 3 * LANES
    a, b = _drawn(ROWS, depth), _drawn(COLUMNS, depth + 1)
    at = np.array([99, 0, 4])
    y, y_at = np.ones(1 + ROWS * COLUMNS, np.float32), np.zeros(ROWS * COLUMNS, np.float32)
    flat = np.concatenate([b.ravel(), np.zeros(LANES, np.float32)])
    _inner(a.ravel(), depth, flat, depth + 1, at, y, y_at)
    expected = 1 + a.astype(float) @ b[:, :depth].T
    np.testing.assert_allclose(y[1:].reshape(ROWS, COLUMNS), expected, rtol=1e-5, atol=1e-5)
    shifted = np.stack([flat[:depth], flat[4 : 4 + depth]])
    expected = a.astype(float) @ shifted.T
    np.testing.assert_allclose(y_at.reshape(ROWS, COLUMNS), expected, rtol=1e-5, atol=1e-5)


def test_keep_larger_keeps_the_first_of_equals_and_every_nan():
    a, b = np.zeros(LANES, np.float32), np.zeros(LANES, np.float32)
    a[:4], b[:4] = [1, 5, np.nan, 3], [2, 5, 0, np.nan]
    y, won = np.zeros(LANES, np.float32), np.zeros(LANES, np.float32)
    _larger(a, b, y, won)
    np.testing.assert_array_equal(y[:4], [2, 5, np.nan, np.nan])
    np.testing.assert_array_equal(won[:4], [7, 0, 0, 7])


@pytest.mark.parametrize("n", [0, 1, LANES - 1, LANES])
def test_parts_touch_nothing_behind_them(n):
    a, u = _drawn(LANES + 1), np.resize(np.float32([2, -1, 0]), LANES)
    y = np.full(LANES + 4, 9, np.float32)
    above, equal = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    _parts(a, u, n, y, above, equal)
    part = np.where(np.arange(LANES) < n, a[1:], 0)
    np.testing.assert_array_equal(y[2 : 2 + n], 2 * part[:n])
    np.testing.assert_array_equal(np.delete(y, np.s_[2 : 2 + n]), 9)
    np.testing.assert_array_equal(above, np.where(u > 0, part, 0))
    np.testing.assert_array_equal(equal, np.where(u == 2, part, 0))


def test_the_machine_has_vectors():
    assert LANES in (4, 8, 16)
    assert REGISTERS in (16, 32)
