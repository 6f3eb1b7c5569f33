"""The mask's kernel draws what the layer draws, bit for bit, on any number of threads."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pellucid import engine, nn
from pellucid.image_random import ImageRandom
from pellucid.kernels.philox import dropout_mask
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads


@pytest.fixture(params=[1, 2])
def threads(request):
    before = get_num_threads()
    set_num_threads(request.param)
    yield request.param
    set_num_threads(before)


@pytest.mark.parametrize(
    ("channels", "cells"), [(1, 1), (3, 1), (4320, 1), (1, 9), (7, 36), (16, 5)]
)
@pytest.mark.parametrize("p", [0.0, 0.25, 0.999])
def test_a_mask_is_that_of_the_layer(channels, cells, p, threads):
    rng, images = ImageRandom(7, "drop"), np.array([3, 2**33 + 1, 0, 10**9])
    rng.at(11, images)
    rng.random((len(images), 5))  # a draw before it
    mask = np.full((len(images), cells, channels), np.nan, np.float32)
    run(
        dropout_mask, len(images), images, np.array(rng.key), rng.epoch, rng.drawn, mask,
        math.ceil(p * 2**32), 1.5,
    )  # fmt: skip
    drawn = rng.random((len(images), channels, cells))
    np.testing.assert_array_equal(mask, 1.5 * (drawn >= p).transpose(0, 2, 1))


@pytest.mark.parametrize("shape", [(5,), (3, 4, 4), (1, 6, 6), (8, 1, 1)])
@pytest.mark.parametrize("variant", ["inverted", "book"])
def test_a_plan_silences_what_the_layer_silences(shape, variant, threads):
    one, two = (nn.Sequential(drop=nn.Dropout(0.3, variant)) for _ in range(2))
    for model in (one, two):
        model["drop"].rng = ImageRandom(2, "drop")
    plan = engine.compile(one, shape, 9)
    for n in (9, 4, 1):
        x = np.random.default_rng(n).normal(size=(n, *shape)).astype(np.float32)
        for times in range(2):
            for model in (one, two):
                if not times:
                    model["drop"].rng.at(n, np.arange(n) + 100)
            np.testing.assert_array_equal(plan(x), two(x))
    x = np.ones((2, *shape), np.float32)  # other images than the rng was told of
    np.testing.assert_array_equal(plan(x), two(x))
    assert one["drop"].rng.drawn == two["drop"].rng.drawn
