"""Each word of the SIMD vocabulary does what its line in the module's docstring says.

Whole numbers make every sum exact, so that what is expected is expected bit for bit. Arrays that
are written to are longer than what a word may touch, and full of `EMPTY`.
"""

from __future__ import annotations

import numpy as np
import pytest
from numba import TypingError

from pellucid.kernels.jit import LANES, REGISTERS, inlined, kernel
from pellucid.kernels.simd import (
    NEAREST,
    SECOND,
    add_groups,
    add_row,
    add_rows_from,
    add_scaled,
    add_vector,
    add_where_equal,
    flat,
    inner,
    inner_first,
    interleave,
    interleave_lanes,
    keep_larger,
    lane_sums,
    larger,
    largest,
    load,
    load_at,
    load_bytes,
    load_bytes_between,
    load_first,
    load_part,
    load_rows_between,
    load_within,
    outer,
    outer_argmax,
    outer_at,
    outer_pairs,
    outer_run,
    pairs,
    plus,
    prefetch,
    prefetch_row,
    prefetch_tile,
    relu,
    row,
    row_sum,
    rows,
    scatter,
    separate_lanes,
    slide,
    slide_back,
    store,
    store_at,
    store_bytes,
    store_bytes_at,
    store_bytes_within,
    store_first,
    store_part,
    store_rows,
    store_rows_at,
    store_within,
    strided,
    transpose,
    transpose_lanes,
    where_above_zero,
    where_below,
    where_equal,
    zeros,
)

ROWS, COLUMNS = 4, 2
WIDTH = COLUMNS * LANES
SIZE = ROWS * WIDTH
EMPTY = 99
COUNTS = [0, 1, LANES - 1, LANES]
ODD = np.array([0, -0.0, 1, -1, 2, np.nan, np.inf, -np.inf, 1e-41, -1e-41], dtype=np.float32)

rng = np.random.default_rng(0)


def whole(size, dtype=np.float32):
    """Return whole numbers, with repetitions."""
    return rng.integers(0 if dtype == np.uint8 else -9, 10, size).astype(dtype)


def empty(size, dtype=np.float32):
    return np.full(size, EMPTY, dtype)


def vectors(a, at, count=LANES):
    """Return the first ``count`` numbers from every place in ``at`` on."""
    return a[np.asarray(at)[..., np.newaxis] + np.arange(count)]


def places(i, p, q, below=ROWS, beside=COLUMNS):
    """Return i + r·p + c·q."""
    return i + np.arange(below)[:, np.newaxis] * p + np.arange(beside) * q


def written(size, at, numbers, dtype=np.float32):
    """Return an array in which only the ``numbers`` from each place in ``at`` on are written."""
    y = empty(size, dtype)
    y[at[..., np.newaxis] + np.arange(numbers.shape[-1])] = numbers
    return y


@kernel
def _move(a, i, p, q, y, j, v, w):
    scatter(load(ROWS, COLUMNS, a, i, p, q), y, j, v, w)


@pytest.mark.parametrize(("i", "p", "q"), [(0, WIDTH, LANES), (3, 1, 2), (1, LANES, 5 * LANES)])
def test_load_and_scatter_go_by_rows_and_columns(i, p, q):
    a, y = whole(9 * SIZE), empty(9 * SIZE)
    _move(a, i, p, q, y, 2, LANES + 1, 5 * LANES)
    expected = vectors(a, places(i, p, q))
    np.testing.assert_array_equal(y, written(9 * SIZE, places(2, LANES + 1, 5 * LANES), expected))


@kernel
def _number_by_number(a, b, k, y):
    t, u = load(ROWS, COLUMNS, a, 0, WIDTH, LANES), load(ROWS, COLUMNS, b, 0, WIDTH, LANES)
    store(zeros(ROWS, COLUMNS), y, 0, WIDTH)
    store(plus(t, u), y, SIZE, WIDTH)
    store(t + u, y, 2 * SIZE, WIDTH)
    store(t - u, y, 3 * SIZE, WIDTH)
    store(k * t, y, 4 * SIZE, WIDTH)
    store(relu(t), y, 5 * SIZE, WIDTH)
    store(where_above_zero(t, u, k), y, 6 * SIZE, WIDTH)
    store(where_equal(t, u, k), y, 7 * SIZE, WIDTH)
    best, winner = keep_larger(t, zeros(ROWS, COLUMNS), u, k)
    store(where_below(t, u, k), y, 8 * SIZE, WIDTH)
    store(best, y, 9 * SIZE, WIDTH)
    store(winner, y, 10 * SIZE, WIDTH)
    store(larger(t, u), y, 11 * SIZE, WIDTH)


def _pairs():
    """Return every pair of odd numbers, and pairs of whole ones, in as many tiles as they take."""
    a, b = (np.append(m.ravel(), whole(SIZE)) for m in np.meshgrid(ODD, ODD))
    return zip(*(np.resize(m, (-(-len(m) // SIZE), SIZE)) for m in (a, b)), strict=True)


@pytest.mark.parametrize("k", [np.float32(2), np.float32(-3)])
def test_arithmetic_goes_number_by_number(k):
    for a, b in _pairs():
        y = np.empty(12 * SIZE, np.float32)
        _number_by_number(a, b, k, y)
        with np.errstate(invalid="ignore"):
            expected = [
                np.zeros(SIZE), a + b, a + b, a - b, k * a, np.where(a < 0, 0, a),
                np.where(b > 0, a, k), np.where(b == k, a, 0),
                np.where(b < k, a, 0),
            ]  # fmt: skip
        np.testing.assert_array_equal(y.reshape(12, SIZE)[:9], expected)


def test_the_larger_is_the_first_of_equals_and_of_nans():
    for a, b in _pairs():
        y = np.empty(12 * SIZE, np.float32)
        _number_by_number(a, b, np.float32(7), y)
        best, winner, alone = y.reshape(12, SIZE)[9:]
        wins = (b > a) | (np.isnan(b) & ~np.isnan(a))
        np.testing.assert_array_equal(best, np.where(wins, b, a))
        np.testing.assert_array_equal(winner, np.where(wins, 7, 0))
        np.testing.assert_array_equal(alone, best)
        np.testing.assert_array_equal(np.signbit(alone), np.signbit(best))


@kernel
def _largest_of_rows(t, y):
    best, winner = largest(load(ROWS, COLUMNS, t, 0, WIDTH, LANES), ROWS)
    prefetch(y, 0)  # changes nothing
    prefetch_row(COLUMNS, y, 10**9)  # nor where there is no memory
    store(best, y, 0, WIDTH)
    store(winner, y, WIDTH, WIDTH)


def test_largest_keeps_the_first_of_equals_and_of_nans():
    rng = np.random.default_rng(0)
    for _ in range(20):
        t, y = rng.choice(ODD, (ROWS, WIDTH)), np.empty((2, WIDTH), np.float32)
        _largest_of_rows(t.ravel(), y.ravel())
        winner = np.where(np.isnan(t).any(axis=0), np.isnan(t).argmax(axis=0), t.argmax(axis=0))
        np.testing.assert_array_equal(y[1], winner)
        np.testing.assert_array_equal(y[0], np.take_along_axis(t, winner[np.newaxis], axis=0)[0])


@kernel
def _products(a, i, step, at, k, b, j, q, n, y):
    t = load(ROWS, COLUMNS, y, 0, WIDTH, LANES)
    store(outer(t, a, i, step, b, j), y, SIZE, WIDTH)
    store(outer_at(t, a, i, at, k, b, j), y, 2 * SIZE, WIDTH)
    store(inner(t, a, i, step, b, j, q), y, 3 * SIZE, WIDTH)
    store(inner_first(t, a, i, step, b, j, q, n), y, 4 * SIZE, WIDTH)


@pytest.mark.parametrize("n", COUNTS)
def test_outer_and_inner_multiply_rows_with_columns_and_rows_with_rows(n):
    a, b, y = whole(200), whole(200), whole(5 * SIZE)
    at, i, step, k, j, q = np.array([77, 0, 5, 3, 11]), 2, 7, 1, 3, 9
    t = y[:SIZE].reshape(ROWS, COLUMNS, LANES).copy()
    _products(a, i, step, at, k, b, j, q, n, y)
    got = y.reshape(5, ROWS, COLUMNS, LANES)
    right = vectors(b, places(j, 0, LANES, 1))
    column = a[places(i, step, 0, beside=1)][..., np.newaxis]
    np.testing.assert_array_equal(got[1], t + column * right)
    np.testing.assert_array_equal(got[2], t + a[i + at[k:]].reshape(ROWS, 1, 1) * right)
    dots = vectors(a, places(i, step, 0, beside=1)) * vectors(b, places(j, 0, q, 1))
    np.testing.assert_array_equal(got[3], t + dots)
    np.testing.assert_array_equal(got[4], t + np.where(np.arange(LANES) < n, dots, 0))


@kernel
def _slides(a, i, b, j, p, q, d, y):
    t = load(ROWS, 6, y, 0, 6 * LANES, LANES)
    size = ROWS * 6 * LANES
    u, few = load(1, 6, a, 0, 0, LANES), load(1, COLUMNS, d, 0, 0, LANES)
    for_later = i + 10**9  # where there may be no memory
    prefetch_tile(NEAREST, ROWS, COLUMNS, a, i, p, q)  # changes nothing
    prefetch_tile(SECOND, ROWS, COLUMNS, a, for_later, p, q)  # nor this
    store(add_groups(t, u, 1, 1, b, j, p), y, size, 6 * LANES)
    store(add_groups(t, u, 2, 2, b, j, p), y, 2 * size, 6 * LANES)
    store(add_groups(t, u, 1, 3, b, j, p), y, 3 * size, 6 * LANES)
    store(slide(t, a, i, q, 3, 2, b, j, p, -5, 99, 1, 1), y, 4 * size, 6 * LANES)
    store(slide_back(t, a, i, p, q, 2, 1, 1, few), y, 5 * size, 6 * LANES)
    store(slide_back(t, a, i, p, q, 1, 2, 2, few), y, 6 * size, 6 * LANES)
    store(slide(t, a, i, q, 3, 2, b, j, p, 1, 12, 1, 1), y, 7 * size, 6 * LANES)  # of 13
    store(slide(t, a, i, q, 3, 1, b, j, p, 0, 7, 2, 2), y, 8 * size, 6 * LANES)  # of 8 pixels


def lanes_of_groups(u, given, made, k):
    """Return the k-th of each ``given`` lanes, repeated ``made`` times."""
    return u[..., np.minimum(np.arange(LANES) // made * given + k, LANES - 1)]


def test_slides_multiply_what_windows_see_and_spread_it_over_groups():
    a, b, d, (i, j, p, q) = whole(3000), whole(3000), whole(200), (3, 5, 77, 21)
    y = whole(9 * ROWS * 6 * LANES)
    t = y[: ROWS * 6 * LANES].reshape(ROWS, 6, LANES).copy()
    _slides(a, i, b, j, p, q, d, y)
    got = y.reshape(9, ROWS, 6, LANES)
    u, few = vectors(a, np.arange(6) * LANES), vectors(d, np.arange(COLUMNS) * LANES)
    for n, (given, made) in enumerate([(1, 1), (2, 2), (1, 3)], 1):
        weights = vectors(b, places(j, p, LANES, ROWS, given))
        spread = [lanes_of_groups(u, given, made, k) for k in range(given)]
        sums = sum(weights[:, k : k + 1] * spread[k] for k in range(given))
        np.testing.assert_array_equal(got[n], t + sums)
    taps = vectors(b, places(j, p, LANES, ROWS, 3))
    seen = vectors(a, i + (2 * np.arange(6)[:, np.newaxis] + np.arange(3)) * q)
    np.testing.assert_array_equal(got[4], t + np.einsum("cvl,rvl->rcl", seen, taps))
    seen[0, 0] = seen[5, 2] = 0  # the frame
    np.testing.assert_array_equal(got[7], t + np.einsum("cvl,rvl->rcl", seen, taps))
    taps = vectors(b, places(j, p, LANES, ROWS, 6)).reshape(ROWS, 3, 2, LANES)
    seen = vectors(a, i + (np.arange(6)[:, np.newaxis] + np.arange(3)) * q)
    seen[5, 2] = 0
    by_group = np.stack([lanes_of_groups(seen, 2, 2, k) for k in range(2)], axis=2)
    np.testing.assert_array_equal(got[8], t + np.einsum("cvkl,rvkl->rcl", by_group, taps))
    windows = np.arange(ROWS)[:, np.newaxis, np.newaxis] * p + i
    seen = vectors(a, windows + (2 * np.arange(COLUMNS) + np.arange(6)[:, np.newaxis]) * q)
    np.testing.assert_array_equal(got[5], t + np.einsum("rvcl,cl->rvl", seen, few))
    seen = vectors(a, windows + (np.arange(COLUMNS) + np.arange(3)[:, np.newaxis]) * q)
    by_group = np.stack([lanes_of_groups(seen, 2, 2, k) for k in range(2)], axis=2)
    sums = np.einsum("rvkcl,cl->rvkl", by_group, few).reshape(ROWS, 6, LANES)
    np.testing.assert_array_equal(got[6], t + sums)


@kernel
def _sums_1(a, y):
    store(lane_sums(load(ROWS, 1, a, 0, LANES, 0)), y, 0, LANES)


@kernel
def _sums_3(a, y):
    store(lane_sums(load(ROWS, 3, a, 0, 3 * LANES, LANES)), y, 0, LANES)


@kernel
def _sums_4(a, y):
    store(lane_sums(load(ROWS, 4, a, 0, 4 * LANES, LANES)), y, 0, LANES)


@pytest.mark.parametrize(("columns", "add"), [(1, _sums_1), (3, _sums_3), (4, _sums_4)])
def test_the_sums_of_a_row_of_vectors_are_in_as_many_lanes(columns, add):
    a, y = whole(ROWS * columns * LANES), np.empty(ROWS * LANES, np.float32)
    add(a, y)
    np.testing.assert_array_equal(
        y.reshape(ROWS, LANES)[:, :columns], a.reshape(ROWS, columns, LANES).sum(axis=-1)
    )


@kernel
def _sums_of_rows(a, y):
    store(row_sum(load(ROWS, COLUMNS, a, 0, WIDTH, LANES)), y, 0, WIDTH)
    store(row_sum(load(5, COLUMNS, a, 0, WIDTH, LANES)), y, WIDTH, WIDTH)


def test_rows_are_added_up_whether_or_not_they_make_pairs():
    a, y = whole(5 * WIDTH), empty(3 * WIDTH)
    _sums_of_rows(a, y)
    lines = a.reshape(5, WIDTH)
    expected = [lines[:ROWS].sum(axis=0), lines.sum(axis=0), empty(WIDTH)]
    np.testing.assert_array_equal(y.reshape(3, WIDTH), expected)


def test_a_sum_does_not_depend_on_what_stands_beside_it():
    a = rng.normal(size=(ROWS, 3, LANES)).astype(np.float32)
    y, alone = (np.empty((ROWS, LANES), np.float32) for _ in range(2))
    _sums_3(a.ravel(), y.ravel())
    for c in range(3):
        _sums_1(np.ascontiguousarray(a[:, c]).ravel(), alone.ravel())
        assert alone[:, 0].tobytes() == y[:, c].tobytes()


@kernel
def _run(a, i, at, k, b, j, q, y):
    t = load(ROWS, COLUMNS, y, 0, WIDTH, LANES)
    store(outer_run(t, a, i, at, k, b, j, q, 3), y, SIZE, WIDTH)


def test_outer_run_multiplies_numbers_side_by_side_with_as_many_rows():
    a, b, y, at = whole(200), whole(3 * WIDTH + 20), whole(2 * SIZE), rng.integers(0, 150, ROWS + 2)
    i, k, j, q = 5, 2, 4, WIDTH + 3
    t = y[:SIZE].reshape(ROWS, WIDTH).copy()
    _run(a, i, at, k, b, j, q, y)
    for m in range(3):
        t += a[i + at[k:] + m][:, np.newaxis] * b[j + m * q : j + m * q + WIDTH]
    np.testing.assert_array_equal(y[SIZE:].reshape(t.shape), t)


@kernel
def _scaled(a, i, b, j, p, y):
    t = load(ROWS, COLUMNS, y, 0, WIDTH, LANES)
    store(add_scaled(t, a, i, b, j, p), y, SIZE, WIDTH)


@inlined  # a kernel from the cache has no code to be read
def products(count, a, y):
    t = zeros(ROWS, COLUMNS)
    for k in range(count):
        t = outer(t, a, k, SIZE, a, k * WIDTH)
    store(t, y, 0, WIDTH)


def test_a_loop_over_products_is_not_unrolled_which_would_spill_the_sums_of_large_tiles():
    products(1, np.ones(4 * SIZE, np.float32), np.empty(SIZE, np.float32))
    (code,) = products.inspect_llvm().values()
    assert code.count(f"call <{LANES} x float> @llvm.fma.") == ROWS * COLUMNS


@pytest.mark.parametrize("p", [WIDTH, 3])
def test_add_scaled_multiplies_rows_with_one_number(p):
    a, b, y = whole(5), whole(2 * SIZE), whole(2 * SIZE)
    _scaled(a, 3, b, 2, p, y)
    right = vectors(b, places(2, p, LANES)).ravel()
    np.testing.assert_array_equal(y[SIZE:], y[:SIZE] + a[3] * right)


@kernel
def _won(b, j, won, i, at, q, a, k, y):
    t = load(ROWS, COLUMNS, y, 0, WIDTH, LANES)
    store(outer_argmax(t, b, j, won, i, at, q, a, k), y, SIZE, WIDTH)


def test_outer_won_multiplies_each_row_with_what_its_byte_points_to():
    a, b, y, at = whole(200), whole(20), whole(2 * SIZE), np.arange(300) % 77
    won, i, j, q, k = np.array([9, 0, 255, 3, 1, 200], np.uint8), 1, 3, 40, 5
    t = y[:SIZE].reshape(ROWS, COLUMNS, LANES).copy()
    _won(b, j, won, i, at, q, a, k, y)
    rows = k + at[q + won[i : i + ROWS].astype(int)]
    right = vectors(a, rows, COLUMNS * LANES).reshape(t.shape)
    expected = t + b[j : j + ROWS].reshape(ROWS, 1, 1) * right
    np.testing.assert_array_equal(y[SIZE:].reshape(t.shape), expected)


@kernel
def _add(a, b, j, y):
    t = load(ROWS, COLUMNS, a, 0, WIDTH, LANES)
    store(add_row(t, b, j), y, 0, WIDTH)
    store(add_vector(t, b, j), y, SIZE, WIDTH)


def test_a_row_is_added_to_every_row_and_a_vector_to_all():
    a, b, y = whole(SIZE), whole(WIDTH + 3), np.empty(2 * SIZE, np.float32)
    _add(a, b, 3, y)
    np.testing.assert_array_equal(y[:SIZE].reshape(ROWS, WIDTH), a.reshape(ROWS, WIDTH) + b[3:])
    expected = a.reshape(-1, LANES) + b[3 : 3 + LANES]
    np.testing.assert_array_equal(y[SIZE:].reshape(-1, LANES), expected)


@kernel
def _store(a, i, step, first, n, y, part, some, sums, bytes_):
    t = load(ROWS, COLUMNS, a, 0, WIDTH, LANES)
    store(t, y, i, step)
    store_first(t, part, i, step, n)
    store_rows(t, some, i, step, first, n)
    add_rows_from(t, sums, i, step, first, n)
    store_bytes(t, bytes_, i, step, n)


@pytest.mark.parametrize("n", [*COUNTS, LANES + 1, WIDTH - 1, WIDTH])
@pytest.mark.parametrize("first", [0, 1, ROWS])
def test_a_tile_is_stored_in_rows_whole_or_in_part(n, first):
    i, step, size = 3, WIDTH + 2, 2 * SIZE
    a = rng.integers(0, 256, SIZE).astype(np.float32)
    a[:2] = 0, 255
    y, part, some, sums, bytes_ = *(empty(size) for _ in range(4)), empty(size, np.uint8)
    _store(a, i, step, first, n, y, part, some, sums, bytes_)
    t, at = a.reshape(ROWS, WIDTH), places(i, step, 0, beside=1)[:, 0]
    np.testing.assert_array_equal(y, written(size, at, t))
    np.testing.assert_array_equal(part, written(size, at, t[:, :n]))
    np.testing.assert_array_equal(some, written(size, at[:first], t[:first, :n]))
    np.testing.assert_array_equal(bytes_, written(size, at, t[:, :n], np.uint8))
    np.testing.assert_array_equal(sums, written(size, at[first:], EMPTY + t[first:, :n]))


@kernel
def _store_at(a, i, at, k, rows, n, y, some, bytes_):
    t = load(ROWS, COLUMNS, a, 0, WIDTH, LANES)
    store_at(t, y, i, at, k, n)
    store_rows_at(t, some, i, at, k, rows, n)
    store_bytes_at(t, bytes_, i, at, k, n)


@pytest.mark.parametrize("n", [*COUNTS, LANES + 1, WIDTH])
@pytest.mark.parametrize("rows", [0, 1, ROWS])
def test_the_rows_of_a_tile_are_stored_at_places_of_a_table(n, rows):
    i, k, size = 3, 2, 3 * SIZE
    a = rng.integers(0, 256, SIZE).astype(np.float32)
    table = (rng.permutation(ROWS + 2) * (WIDTH + 1)).astype(np.int32)
    y, some, bytes_ = empty(size), empty(size), empty(size, np.uint8)
    _store_at(a, i, table, k, rows, n, y, some, bytes_)
    t, at = a.reshape(ROWS, WIDTH), i + table[k:]
    np.testing.assert_array_equal(y, written(size, at, t[:, :n]))
    np.testing.assert_array_equal(some, written(size, at[:rows], t[:rows, :n]))
    np.testing.assert_array_equal(bytes_, written(size, at, t[:, :n], np.uint8))


def test_rows_that_lie_over_each_other_are_added_one_by_one():
    a, bytes_, sums = whole(SIZE), empty(2 * SIZE, np.uint8), np.zeros(2 * SIZE, np.float32)
    others = [empty(2 * SIZE) for _ in range(3)]
    _store(abs(a), 0, 1, 1, WIDTH, *others, sums, bytes_)
    expected = np.zeros(2 * SIZE)
    for r in range(1, ROWS):
        expected[r : r + WIDTH] += abs(a).reshape(ROWS, WIDTH)[r]
    np.testing.assert_array_equal(sums, expected)


@kernel
def _parts(a, bytes_, i, n, y, from_bytes, j, m):
    store_part(load_part(a, i, n), y, j, m)
    store_part(load_bytes(bytes_, i, n), from_bytes, j, m)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("m", COUNTS)
def test_a_part_of_a_vector_has_zeros_behind_it_and_is_stored_alone(n, m):
    a, bytes_ = whole(LANES + 1), np.arange(255 - LANES, 256).astype(np.uint8)
    a[1 + n :] = np.nan  # what must not be read
    y, from_bytes = empty(LANES + 4), empty(LANES + 4)
    _parts(a, bytes_, 1, n, y, from_bytes, 2, m)
    for got, source in ((y, a), (from_bytes, bytes_)):
        part = np.where(np.arange(LANES) < n, source[1:], 0)
        np.testing.assert_array_equal(got, written(LANES + 4, np.array([2]), part[np.newaxis, :m]))


@kernel
def _first_of_row(a, i, n, y, j, bytes_, marks, m, k, sums):
    t = load_first(COLUMNS, a, i, n)
    store(t, y, j, WIDTH)
    store_first(t, bytes_, j, WIDTH, n)
    store_first(add_where_equal(t, a, i, marks, m, k, n), sums, j, WIDTH, n)


@pytest.mark.parametrize("marks", [np.uint8, np.float32])
@pytest.mark.parametrize("n", [*COUNTS, LANES + 1, WIDTH])
def test_of_a_row_the_first_numbers_are_read_and_added_where_they_are_marked(n, marks):
    a, m = whole(WIDTH + 1, np.uint8).astype(np.float32), whole(WIDTH + 2, np.uint8) % 3
    a[1 + n :] = np.nan  # what must not be read
    y, bytes_, sums = empty(WIDTH + 4), empty(WIDTH + 4, np.uint8), empty(WIDTH + 4)
    _first_of_row(a, 1, n, y, 2, bytes_, m.astype(marks), 2, 1, sums)
    at, first = np.array([2]), a[np.newaxis, 1 : 1 + n]
    np.testing.assert_array_equal(y[2:-2], np.append(first, np.zeros(WIDTH - n)))
    np.testing.assert_array_equal(bytes_, written(WIDTH + 4, at, first, np.uint8))
    doubled = np.where(m[2 : 2 + n] == 1, 2, 1) * first
    np.testing.assert_array_equal(sums, written(WIDTH + 4, at, doubled))


@kernel
def _within(a, i, p, q, below, beside, n, y, j):
    t = load_within(ROWS, COLUMNS, a, i, p, q, below, beside, n)
    scatter(t, y, j, WIDTH, LANES)


@kernel
def _load_at(a, i, at, k, n, y):
    store(load_at(ROWS, COLUMNS, a, i, at, k, n), y, 0, WIDTH)


@pytest.mark.parametrize("n", [*COUNTS, LANES + 1, WIDTH])
def test_the_rows_of_a_tile_are_loaded_from_places_of_a_table(n):
    i, k = 3, 2
    table = (rng.permutation(ROWS + 2) * (WIDTH + 1)).astype(np.int32)
    at = (i + table[k:])[:, np.newaxis] + np.arange(n)
    a, expected = np.full(3 * SIZE, np.nan, np.float32), np.zeros((ROWS, WIDTH))
    a[at] = expected[:, :n] = rng.integers(0, 256, at.shape)  # the rest must not be read
    y = empty(SIZE)
    _load_at(a, i, table, k, n, y)
    np.testing.assert_array_equal(y, expected.ravel())


@kernel
def _store_within(a, i, p, q, below, beside, n, y, bytes_):
    t = load(ROWS, COLUMNS, a, 0, WIDTH, LANES)
    store_within(t, y, i, p, q, below, beside, n)
    store_bytes_within(t, bytes_, i, p, q, below, beside, n)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize(
    ("below", "beside"),
    [(ROWS, COLUMNS), (ROWS - 1, 1), (1, COLUMNS), (0, COLUMNS), (ROWS, 0), (-3, 1), (99, 99)],
)
def test_within_bounds_nothing_outside_is_read_or_written(below, beside, n):
    i, p, q = 2, 3 * LANES, LANES + 1
    within = places(i, p, q, max(0, min(below, ROWS)), min(beside, COLUMNS))
    a = rng.integers(0, 256, SIZE).astype(np.float32)
    y, bytes_ = empty(3 * SIZE), empty(3 * SIZE, np.uint8)
    _store_within(a, i, p, q, below, beside, n, y, bytes_)
    t = a.reshape(ROWS, COLUMNS, LANES)[: len(within), : within.shape[1], :n]
    np.testing.assert_array_equal(y, written(3 * SIZE, within, t))
    np.testing.assert_array_equal(bytes_, written(3 * SIZE, within, t, np.uint8))

    source = np.full(3 * SIZE, np.nan, np.float32)
    source[within[..., np.newaxis] + np.arange(n)] = t
    back = empty(SIZE + 1)
    _within(source, i, p, q, below, beside, n, back, 1)
    expected = np.zeros((ROWS, COLUMNS, LANES))
    expected[: len(within), : within.shape[1], :n] = t
    np.testing.assert_array_equal(back[1:], expected.ravel())
    assert back[0] == EMPTY


@kernel
def _between(a, bytes_, i, p, first, last, n, y, from_bytes):
    store(load_rows_between(ROWS, a, i, p, first, last, n), y, 0, LANES)
    store(load_bytes_between(ROWS, bytes_, i, p, first, last, n), from_bytes, 0, LANES)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize(
    ("first", "last"), [(0, ROWS), (1, ROWS - 1), (-2, 1), (3, 99), (2, 2), (ROWS, 99), (-9, -3)]
)
def test_rows_between_two_are_read_and_no_others(first, last, n):
    p, within = LANES + 3, slice(max(0, first), max(0, last))
    rows_ = np.full((ROWS, p), np.nan, np.float32)
    bytes_ = np.full((ROWS, p), EMPTY, np.uint8)
    expected = np.zeros((ROWS, LANES), np.float32)
    expected[within, :n] = rng.integers(0, 256, (ROWS, n))[within]
    rows_[within, :n] = expected[within, :n]
    bytes_[within, :n] = expected[within, :n]
    y, from_bytes = empty(ROWS * LANES), empty(ROWS * LANES)
    _between(rows_.ravel(), bytes_.ravel(), 0, p, first, last, n, y, from_bytes)
    np.testing.assert_array_equal(y, expected.ravel())
    np.testing.assert_array_equal(from_bytes, expected.ravel())


@kernel
def _alternate(a, y):
    t, u = load(2, COLUMNS, a, 0, WIDTH, LANES), load(2, COLUMNS, a, 2 * WIDTH, WIDTH, LANES)
    scatter(interleave(t, u, 0, 4), y, 0, WIDTH, LANES)
    scatter(interleave(t, u, 1, 2), y, SIZE, WIDTH, LANES)


def test_the_rows_of_two_tiles_alternate():
    a, y = whole(SIZE), empty(SIZE + 2 * WIDTH)
    _alternate(a, y)
    (t, u), got = a.reshape(2, 2, WIDTH), y.reshape(-1, WIDTH)
    np.testing.assert_array_equal(got, [t[0], u[0], t[1], u[1], u[0], t[1]])


@kernel
def _arrange(a, y):
    t = load(ROWS, COLUMNS, a, 0, WIDTH, LANES)
    scatter(row(t, 2), y, 0, 0, LANES)
    scatter(rows((row(t, 3), row(t, 0))), y, SIZE, WIDTH, LANES)
    scatter(transpose(t), y, 2 * SIZE, ROWS * LANES, LANES)
    for_columns = 3 * SIZE
    scatter(strided(t, 0, 0), y, for_columns, LANES, LANES)
    scatter(strided(t, 1, 0), y, for_columns + 2 * LANES, LANES, LANES)
    scatter(strided(transpose(t), 0, 1), y, for_columns + 4 * LANES, LANES, LANES)
    scatter(strided(transpose(t), 1, 1), y, for_columns + 6 * LANES, LANES, LANES)


def test_rows_and_columns_are_chosen_and_turned():
    a, y = whole(SIZE), empty(4 * SIZE)
    _arrange(a, y)
    t, got = a.reshape(ROWS, COLUMNS, LANES), y.reshape(4, SIZE)
    np.testing.assert_array_equal(got[0], [*t[2].ravel(), *empty(SIZE - WIDTH)])
    np.testing.assert_array_equal(got[1], [*t[3].ravel(), *t[0].ravel(), *empty(SIZE - 2 * WIDTH)])
    turn = t.transpose(1, 0, 2)
    np.testing.assert_array_equal(got[2], turn.ravel())
    quarters = [t[0::2, 0::2], t[1::2, 0::2], turn[0::2, 1::2], turn[1::2, 1::2]]
    np.testing.assert_array_equal(got[3], np.concatenate([q.ravel() for q in quarters]))


@kernel
def _lanes_of_rows(a, y, back):
    t = interleave_lanes(load(3, 1, a, 0, LANES, 0))
    store(t, y, 0, LANES)
    store(separate_lanes(t), back, 0, LANES)


def test_the_lanes_of_rows_are_interleaved_and_separated():
    a, y, back = (np.arange(k, k + 3 * LANES, dtype=np.float32) for k in range(3))
    _lanes_of_rows(a, y, back)
    np.testing.assert_array_equal(y, a.reshape(3, LANES).T.ravel())
    np.testing.assert_array_equal(back, a)


@kernel
def _turn_square(a, y):
    store(transpose_lanes(load(LANES, 1, a, 0, LANES, 0)), y, 0, LANES)


def test_a_square_of_lanes_is_turned():
    a, y = np.arange(LANES * LANES, dtype=np.float32), np.empty(LANES * LANES, np.float32)
    _turn_square(a, y)
    np.testing.assert_array_equal(y.reshape(LANES, LANES), a.reshape(LANES, LANES).T)


@kernel
def _words(a, b, y, z):
    store(pairs(load(2, 2, a, 0, WIDTH, LANES), load(2, 2, b, 0, WIDTH, LANES)), y, 0, WIDTH)
    store(outer_pairs(load(2, 2, a, WIDTH, 0, LANES), y, WIDTH + 1, 3, y, WIDTH), z, 0, WIDTH)


def rounded(a):
    """Return what numbers are as bfloat16, in float32: to the nearest, of two to the even one."""
    bits = a.view(np.uint32)
    up = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(a), a, up.view(np.float32))


def test_pairs_are_rounded_to_the_nearest_and_multiplied_together():
    near = np.float32([1, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -1 - 2**-8, 3e38, 3.4e38])
    odd = np.append(near, [np.nan, np.inf, -np.inf, -0.0]).astype(np.float32)
    nans = np.uint32([0x7FFFFFFF, 0xFFC00001, 0x7F800001]).view(np.float32)
    a, b = (np.resize(np.append(odd, nans), 2 * WIDTH) for _ in range(2))
    a[WIDTH:], b[WIDTH:] = rng.normal(size=(2, WIDTH))
    y, z = empty(2 * WIDTH), empty(2 * WIDTH)
    _words(a, b, y, z)
    halves = (y.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    beside = np.stack((a, b)).reshape(2, -1, LANES).transpose(1, 0, 2).ravel()
    np.testing.assert_array_equal(halves, rounded(beside))
    words = halves.astype(np.float64).reshape(-1, 2)[WIDTH:]
    products = [words @ words[m] + a[WIDTH:] for m in (1, 4)]
    np.testing.assert_allclose(z.reshape(2, WIDTH), products, rtol=1e-6, atol=1e-6)


def test_the_machine_has_vectors():
    assert LANES in (4, 8, 16)
    assert REGISTERS in (16, 32)


@kernel
def count(whole):
    numbers = flat(whole)
    for k in range(len(numbers)):
        numbers[k] = k
    return numbers


def test_an_array_seen_as_flat_is_the_array_itself():
    whole = np.zeros((2, 3, 4), dtype=np.float32)
    numbers = count(whole[1:])
    np.testing.assert_array_equal(whole, np.stack([np.zeros((3, 4)), np.arange(12).reshape(3, 4)]))
    del whole
    np.testing.assert_array_equal(numbers, np.arange(12))
    with pytest.raises(TypingError):
        count(np.zeros((2, 6), dtype=np.float32)[:, :3])  # which is not C-contiguous
