"""Parts are joined and taken apart as by NumPy, and nothing beside them is touched."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.kernels.concatenation import copy_parts
from pellucid.kernels.pool.threads import run


@pytest.mark.parametrize("widths", [(1, 16), (3, 15), (17, 48), (64, 70), (150, 64)], ids=str)
@pytest.mark.parametrize("per", [1, 4, 100])
def test_parts_are_joined_and_taken_apart_within_a_wider_whole(widths, per):
    rng, first, pixels = np.random.default_rng(0), 3, 9
    parts = [rng.normal(size=(pixels, n)).astype(np.float32) for n in widths]
    places = first + np.cumsum([0, *widths])
    whole = np.full((pixels, places[-1] + 2), 99, np.float32)
    expected = whole.copy()
    expected[:, first:-2] = np.concatenate(parts, axis=1)
    tasks, flat = -(-pixels // per), tuple(a.ravel() for a in parts)
    run(copy_parts, tasks, flat, places, whole.ravel(), whole.shape[1], True, per)
    np.testing.assert_array_equal(whole, expected)
    guarded = [np.full((pixels + 2, n), 99, np.float32) for n in widths]
    inner = tuple(a[1:-1].ravel() for a in guarded)
    run(copy_parts, tasks, inner, places, whole.ravel(), whole.shape[1], False, per)
    for got, part in zip(guarded, parts, strict=True):
        np.testing.assert_array_equal(got[1:-1], part)
        assert (got[[0, -1]] == 99).all()
