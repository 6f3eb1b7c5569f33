"""The gradients for a single row equal NumPy's, and its columns may be cut into any pieces.

Small whole numbers make every sum exact, in whatever order it is added up.
"""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.kernels.jit import LANES
from pellucid.kernels.matmul import LinearGradients, MaskedGradient
from pellucid.kernels.pool.threads import run
from pellucid.kernels.single_row import TOGETHER, WIDE, gradients


def whole(*shape):
    return np.random.default_rng(sum(shape)).integers(-5, 6, shape).astype(np.float32)


def backward(dy, y, x, w, *, rectified=False, pieces=1, need_dw=True, need_dx=True):
    """Return dw, db and dx."""
    dw, db, dx = (np.full(a.shape, 99, np.float32) for a in (w, dy, x))
    run(
        gradients, pieces * (need_dw + need_dx), MaskedGradient(dy, y, rectified), x, w.ravel(),
        LinearGradients(dw.ravel(), db, dx), pieces, need_dw,
    )  # fmt: skip
    return dw, db, dx


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("k", [1, LANES + 3, 4 * WIDE + LANES + 1])
@pytest.mark.parametrize("f", [1, 2 * TOGETHER + 3])
def test_gradients_of_a_single_row(f, k, pieces, rectified):
    dy, y, x, w = whole(f), whole(f), whole(k), whole(f, k)
    y[-1] = np.nan  # which is not above 0
    dz = np.where(y > 0, dy, 0) if rectified else dy
    got = backward(dy, y, x, w, rectified=rectified, pieces=pieces)
    for mine, expected in zip(got, (np.outer(dz, x), dz, dz @ w), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_what_nobody_needs_is_left_alone():
    dy, x, w = whole(5), whole(2 * WIDE), whole(5, 2 * WIDE)
    dw, db, dx = backward(dy, dy, x, w, pieces=2, need_dw=False)
    assert (dw == 99).all()
    assert (db == 99).all()
    np.testing.assert_array_equal(dx, dy @ w)
    dw, db, dx = backward(dy, dy, x, w, pieces=2, need_dx=False)
    np.testing.assert_array_equal(dw, np.outer(dy, x))
    np.testing.assert_array_equal(db, dy)
    assert (dx == 99).all()
