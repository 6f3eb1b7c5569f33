"""The matrix products equal NumPy's, whole tiles or not.

Small whole numbers make every sum exact, in whatever order it is added up.
"""

from __future__ import annotations

import numpy as np
import pytest

from engine.shares import begun, shares, total
from pellucid.kernels.jit import LANES
from pellucid.kernels.matmul import (
    NEAR,
    PANEL,
    LinearGradients,
    MaskedGradient,
    gradients,
    linear,
)
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads

# Images, numbers of each, and outputs.
SIZES = [
    (5, 3, 4), (7, LANES, 5), (6, 2 * LANES + 1, 2 * LANES), (13, PANEL + LANES + 3, 70),
    (6, NEAR + 5, 5), (9, 3 * NEAR, 4),
]  # fmt: skip
TILES = [(1, 1), (1, 4), (3, 1), (4, 3)]
EMPTY = 99


def whole(*shape):
    return np.random.default_rng(sum(shape)).integers(-5, 6, shape).astype(np.float32)


def nothing(*shape):
    return np.full(shape, np.nan, np.float32)


def forward(x, w, b, rectify=False, tile=(3, 3), down=1, across=1):
    """Return ``x·wᵀ + b``."""
    y = nothing(len(x), len(w))
    run(linear(*tile), down * across, x.ravel(), w.ravel(), b, y.ravel(), down, across, rectify)
    return y


def backward(
    dy, y, x, w, rectified=False, height=4, pieces=2, need_dw=True, need_dx=True, share=None
):
    """Return dw, db and dx."""
    share = share or begun(len(x), 4)
    dw, db, dx = nothing(*w.shape), nothing(len(w)), nothing(*x.shape)
    out = LinearGradients(dw.ravel(), db, dx.ravel())
    run(
        gradients(height), pieces * (need_dw + need_dx),
        MaskedGradient(dy.ravel(), y.ravel(), rectified), x.ravel(), w.ravel(), out, pieces,
        share.bounds(share.chunks), need_dw, share.images <= height,
    )  # fmt: skip
    return dw, db, dx


@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("cut", [1, 3])
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize(("n", "k", "f"), SIZES)
def test_a_linear_layer(n, k, f, tile, cut, rectify):
    x, w, b = whole(n, k), whole(f, k), whole(f)
    expected = x @ w.T + b
    assert (expected < 0).any()
    # A task has two tiles at least, if there are two.
    down, across = (
        max(1, min(cut, -(-m // side) // 2)) for m, side in zip((n, f), tile, strict=True)
    )
    np.testing.assert_array_equal(
        forward(x, w, b, rectify, tile, down, across),
        np.maximum(expected, 0) if rectify else expected,
    )


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("height", [1, 4])
@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize(("n", "k", "f"), [(1, 1, 1), (1, 3, 7), *SIZES[:4]])
def test_gradients_of_a_linear_layer(n, k, f, pieces, height, rectified):
    dy, y, x, w = whole(n, f), whole(n, f) + 1, whole(n, k), whole(f, k)
    dz = np.where(y > 0, dy, 0) if rectified else dy
    got = backward(dy, y, x, w, rectified, height, pieces)
    for mine, expected in zip(got, (dz.T @ x, dz.sum(axis=0), dz @ w), strict=True):
        np.testing.assert_array_equal(mine, expected)


@pytest.mark.parametrize("ranks", [2, 3, 8])
@pytest.mark.parametrize("n", [1, 5, 24])
@pytest.mark.parametrize("rectified", [False, True])
def test_processes_that_share_a_batch_have_the_bits_of_one(ranks, n, rectified):
    rng = np.random.default_rng(ranks)
    k, f = 3 * PANEL + 5, 21
    dy, y, x, w = (rng.normal(size=s).astype(np.float32) for s in ((n, f), (n, f), (n, k), (f, k)))
    whole = backward(dy, y, x, w, rectified, share=begun(n))
    each = []
    for share in shares(ranks):
        own = share.begin(n)
        each.append(backward(dy[own], y[own], x[own], w, rectified, share=share))
    for one, parts in zip(whole[:2], zip(*(g[:2] for g in each), strict=True), strict=True):
        assert total(parts, ranks).tobytes() == one.tobytes()
    assert np.concatenate([dx for _, _, dx in each]).tobytes() == whole[2].tobytes()


@pytest.mark.parametrize("k", [LANES + 3, 2 * NEAR + 5])
def test_the_bits_of_a_row_do_not_depend_on_the_others(k):
    rng = np.random.default_rng(k)
    x, w, b = (rng.normal(size=s).astype(np.float32) for s in ((13, k), (9, k), 9))
    whole = forward(x, w, b, tile=(4, 4))
    for first, count, tile in ((0, 4, (4, 4)), (5, 8, (4, 4)), (12, 1, (1, 4))):
        part = forward(x[first : first + count], w, b, tile=tile)
        assert part.tobytes() == whole[first : first + count].tobytes()


def test_dw_and_db_are_left_alone_where_the_weights_are_frozen():
    dy, x, w = whole(6, 5), whole(6, 2 * PANEL), whole(5, 2 * PANEL)
    dw, db, dx = backward(dy, dy, x, w, need_dw=False)
    assert np.isnan(dw).all()
    assert np.isnan(db).all()
    np.testing.assert_array_equal(dx, dy @ w)


def test_dx_is_left_alone_where_nobody_needs_it():
    dy, x, w = whole(6, 5), whole(6, 2 * PANEL), whole(5, 2 * PANEL)
    dw, _, dx = backward(dy, dy, x, w, need_dx=False)
    np.testing.assert_array_equal(dw, dy.T @ x)
    assert np.isnan(dx).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("rectify", [False, True])
def test_what_is_not_finite_reaches_every_sum_it_belongs_to(bad, rectify):
    x, w, b, dy = abs(whole(6, 40)), abs(whole(5, 40)) + 1, whole(5), abs(whole(6, 5)) + 1
    x[2, 39] = bad
    for tile in TILES:
        lost = ~np.isfinite(forward(x, w, b, rectify, tile))
        assert lost.all(axis=1).tolist() == lost.any(axis=1).tolist() == [n == 2 for n in range(6)]
    dw, db, dx = backward(dy, dy, x, w, rectify)
    lost = ~np.isfinite(dw)
    assert lost.all(axis=0).tolist() == lost.any(axis=0).tolist() == [k == 39 for k in range(40)]
    assert np.isfinite(db).all()
    assert np.isfinite(dx).all()


def test_the_bits_do_not_depend_on_the_threads():
    before = get_num_threads()
    x, w, b, dy = (
        np.random.default_rng(0).normal(size=s).astype(np.float32)
        for s in ((40, 2 * NEAR + 1), (50, 2 * NEAR + 1), 50, (40, 50))
    )
    results = []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            y = forward(x, w, b, False, (4, 3), 3, 2)
            arrays = y, *backward(dy, y, x, w, True, pieces=5)
            results.append([a.tobytes() for a in arrays])
    finally:
        set_num_threads(before)
    assert results[0] == results[1] == results[2]
