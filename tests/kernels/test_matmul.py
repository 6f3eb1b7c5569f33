"""The matrix products equal NumPy's, whole tiles or not.

Small whole numbers make every sum exact, in whatever order it is added up.
"""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.kernels.jit import LANES
from pellucid.kernels.matmul import add_parts, by_columns, by_dots, product, transpose
from pellucid.kernels.threads import get_num_threads, run, set_num_threads

# Rows of the result, terms of a sum, columns of the result. NEAR is crossed by 2000 terms.
SIZES = [(5, 3, 4), (7, 33, 5), (6, 2 * LANES, 2 * LANES), (13, 100, 70), (9, 2000, 3)]
TILES = [(3, 1), (5, 2)]
EMPTY = 99


def whole(*shape):
    return np.random.default_rng(sum(shape)).integers(-5, 6, shape).astype(np.float32)


def nothing(*shape):
    return np.full(shape, np.nan, np.float32)


def linear(x, w, b, rectify, tile, blocks):
    """Return ``x·wᵀ + b``; a task is all panels of a block or, of an odd number, one."""
    (rows, _), columns, panel = x.shape, len(w), tile[1] * LANES
    panels = -(-columns // panel)
    parts, y = nothing(blocks, rows, panels * panel), nothing(rows, columns)
    groups = panels if blocks % 2 else 1
    run(
        by_columns(*tile), blocks * groups, x.ravel(), w.ravel(), parts, rows, columns, blocks,
        groups,
    )  # fmt: skip
    run(add_parts, rows, parts, b, y, rectify)
    return y


@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize(("m", "k", "n"), SIZES)
def test_by_columns_is_a_linear_layer(m, k, n, tile, blocks, rectify):
    x, w, b = whole(m, k), whole(n, k), whole(n)
    expected = x @ w.T + b
    assert (expected < 0).any()
    np.testing.assert_array_equal(
        linear(x, w, b, rectify, tile, blocks), np.maximum(expected, 0) if rectify else expected
    )


@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("tasks", [1, 3, 7])
@pytest.mark.parametrize(
    ("m", "k", "n"), [(1, 1, 1), (1, LANES, 4), (2, 3 * LANES + 5, 11), (3, LANES - 1, 6)]
)
def test_by_dots_is_a_linear_layer(m, k, n, tasks, rectify):
    x, w, b, y = whole(m, k), whole(n, k), whole(n), nothing(m, n)
    run(by_dots, tasks, x.ravel(), w.ravel(), b, y.ravel(), tasks, rectify)
    expected = x @ w.T + b
    np.testing.assert_array_equal(y, np.maximum(expected, 0) if rectify else expected)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize(("m", "k", "n"), SIZES)
def test_product_takes_its_left_matrix_either_way_round(m, k, n, tile, turned):
    a, b, y = whole(m, k), whole(k, n), nothing(m, n)
    tasks = -(-n // (tile[1] * LANES))
    (down, along), left = ((1, m), a.T.ravel()) if turned else ((k, 1), a.ravel())
    run(product(*tile), tasks, left, down, along, b.ravel(), y.ravel(), m, n)
    np.testing.assert_array_equal(y, a @ b)


@pytest.mark.parametrize(
    ("n", "rows", "columns"),
    [(1, 1, 1), (2, LANES, LANES), (3, LANES + 1, 2 * LANES - 1), (2, 3, 2 * LANES), (3, 5, 1)],
)
def test_transpose_turns_every_image_and_writes_nothing_else(n, rows, columns):
    x = whole(n, rows, columns)
    room = np.full(x.size + LANES, EMPTY, np.float32)
    run(transpose, n, x.ravel(), room[: x.size], rows, columns)
    np.testing.assert_array_equal(room[: x.size], x.transpose(0, 2, 1).ravel())
    assert set(room[x.size :].tolist()) == {EMPTY}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("rectify", [False, True])
def test_what_is_not_finite_reaches_every_sum_it_belongs_to(bad, rectify):
    x, w, b, y = abs(whole(6, 40)), abs(whole(5, 40)) + 1, whole(5), nothing(6, 5)
    x[2, 39] = bad
    expected = [row == 2 for row in range(6)]
    run(by_dots, 2, x.ravel(), w.ravel(), b, y.ravel(), 2, rectify)
    for result in (y, linear(x, w, b, rectify, (3, 1), 3)):
        assert (~np.isfinite(result)).all(axis=1).tolist() == expected
        assert (~np.isfinite(result)).any(axis=1).tolist() == expected


def test_the_bits_do_not_depend_on_the_threads():
    before = get_num_threads()
    x, w, b = (
        np.random.default_rng(0).normal(size=s).astype(np.float32)
        for s in ((40, 999), (50, 999), 50)
    )
    results = []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            results.append(linear(x, w, b, False, (5, 2), 4).tobytes())
    finally:
        set_num_threads(before)
    assert len(set(results)) == 1
