"""Gathered images are those of a division, to the bit, whatever the peak."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.kernels.gather import gather
from pellucid.kernels.pool.threads import run


def _gathered(images, chosen, peak, tasks=1):
    x = np.full((len(chosen), images.shape[1]), np.nan, np.float32)
    run(gather, tasks, images, np.asarray(chosen), 1 / float(np.float32(peak)), x, tasks)
    return x


@pytest.mark.parametrize("peak", [255, 16, 1, 0.3, 254.99, 1e-7, 1e20, 3.0000002])
def test_every_byte_is_divided_exactly(peak):
    images = np.arange(256, dtype=np.uint8).reshape(4, 64)
    expected = np.divide(images, peak, dtype=np.float32)
    np.testing.assert_array_equal(_gathered(images, [0, 1, 2, 3], peak), expected)


@settings(max_examples=100)
@given(peak=st.floats(1e-20, 1e20), seed=st.integers(0, 99))
def test_floats_are_divided_exactly(peak, seed):
    images = np.random.default_rng(seed).random((2, 500), dtype=np.float32)
    images.view(np.int32)[1] += 2**23  # other exponents
    expected = np.divide(images, peak, dtype=np.float32)
    np.testing.assert_array_equal(_gathered(images, [0, 1], peak), expected)


@pytest.mark.parametrize("tasks", [1, 3, 7])
def test_rows_come_in_the_order_chosen_and_negative_ones_from_the_end(tasks):
    images = np.arange(10, dtype=np.uint8).repeat(21).reshape(10, 21)
    chosen = [3, 3, -1, 0, 9, -10, 5]
    x = _gathered(images, chosen, 1, tasks)
    np.testing.assert_array_equal(x, images[chosen].astype(np.float32))
