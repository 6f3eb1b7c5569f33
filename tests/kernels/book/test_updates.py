"""Float64 rounded to float32; the update rules are tested in tests/book/test_optimizer.py."""

from __future__ import annotations

import numpy as np

from pellucid.kernels.blocks import BLOCK, each
from pellucid.kernels.book import updates


def test_numbers_are_rounded_as_numpy_rounds_them():
    x = np.random.default_rng(0).normal(size=3 * BLOCK + 5) * 10.0 ** np.arange(3 * BLOCK + 5).clip(
        0, 30
    )
    y = np.empty(x.shape, np.float32)
    each(updates.to_float32, x, y)
    np.testing.assert_array_equal(y, x.astype(np.float32))
