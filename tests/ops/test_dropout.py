"""Dropout: how many fall silent, what stays expected, and which random numbers decide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.strategies import seeds
from ops.witness import DTYPES, drawn, frozen
from pellucid.errors import ArgumentError
from pellucid.ops import dropout, dropout_backward, dropout_book

BOTH = pytest.mark.parametrize("op", [dropout, dropout_book])
SIZE = 200_000


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
@BOTH
def test_a_share_of_p_falls_silent(op, p):
    _, mask = op(np.ones(SIZE), p, rng=np.random.default_rng(0))
    # Five standard deviations of a binomial share.
    assert abs((mask == 0).mean() - p) < 5 * (p * (1 - p) / SIZE) ** 0.5


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_the_expectation_is_kept_by_scaling_while_training(p):
    y, mask = dropout(np.full(SIZE, 3.0), p, rng=np.random.default_rng(1))
    assert abs(y.mean() - 3) < 5 * 3 * (p / (1 - p) / SIZE) ** 0.5
    assert np.allclose(np.unique(mask), [0, 1 / (1 - p)])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_the_books_variant_leaves_the_scaling_to_test_time(p):
    x = np.full(SIZE, 3.0)
    y, mask = dropout_book(x, p, rng=np.random.default_rng(1))
    assert np.unique(mask).tolist() == [0, 1]
    assert np.unique(y).tolist() == [0, 3]
    assert abs(y.mean() - (x * (1 - p)).mean()) < 5 * 3 * (p * (1 - p) / SIZE) ** 0.5


@BOTH
@given(seed=seeds, p=st.floats(0, 0.99))
def test_the_same_generator_gives_the_same_mask_and_moves_on(op, seed, p):
    x = frozen(np.ones((4, 50)))
    _, one = op(x, p, rng=np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    _, two = op(x, p, rng=rng)
    _, three = op(x, p, rng=rng)
    assert np.array_equal(one, two)
    if 0.1 < p < 0.9:
        assert not np.array_equal(two, three)


@BOTH
def test_both_variants_silence_the_same_numbers(op):
    _, mask = op(np.ones(100), 0.3, rng=np.random.default_rng(5))
    assert np.array_equal(mask != 0, np.random.default_rng(5).random(100) >= 0.3)


@BOTH
def test_p_of_zero_changes_nothing(op):
    x = drawn(np.random.default_rng(2), (3, 4))
    y, mask = op(x, 0, rng=np.random.default_rng(3))
    assert np.array_equal(y, x)
    assert (mask == 1).all()
    assert np.array_equal(dropout_backward(x, mask), x)


@BOTH
@pytest.mark.parametrize("p", [1, 1.0, -0.1, 2, float("nan")])
def test_a_probability_that_is_none_or_leaves_nothing_is_refused(op, p):
    with pytest.raises(
        ArgumentError, match=r"^p: must be a probability of at least 0 and below 1, received "
    ):
        op(np.ones(3), p, rng=np.random.default_rng(0))


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_goes_through_the_same_mask_in_the_same_dtype(op, dtype):
    rng = np.random.default_rng(4)
    x, dy = drawn(rng, (5, 6), dtype), drawn(rng, (5, 6), dtype)
    y, mask = op(x, 0.4, rng=rng)
    assert np.allclose(y, x * mask, rtol=1e-6)
    dx = dropout_backward(dy, frozen(mask))
    assert np.array_equal(dx, dy * mask)
    assert str(y.dtype) == str(mask.dtype) == str(dx.dtype) == dtype


def test_the_generator_must_be_given_by_name():
    with pytest.raises(TypeError):
        dropout(np.ones(3), 0.5, np.random.default_rng(0))
