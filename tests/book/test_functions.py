"""`common.functions`, `common.util` and `common.gradient` against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from book.oracle import functions as oracle
from book.oracle import gradient as oracle_gradient
from book.oracle import util as oracle_util
from pellucid.book.common import functions, gradient, layers, util
from pellucid.errors import ShapeError

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(7, 5))


@pytest.mark.parametrize(
    "name",
    ["identity_function", "step_function", "sigmoid", "sigmoid_grad", "relu", "relu_grad"],
)
@pytest.mark.parametrize("x", [NUMBERS, NUMBERS[0], NUMBERS.astype(np.float32), 0.3, -2])
def test_an_activation_gives_what_the_oracle_gives(name, x):
    ours, theirs = getattr(functions, name)(x), getattr(oracle, name)(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert np.shape(ours) == np.shape(theirs)


@pytest.mark.parametrize("x", [NUMBERS, NUMBERS[0], NUMBERS * 1000])
def test_softmax_gives_what_the_oracle_gives(x):
    np.testing.assert_allclose(functions.softmax(x), oracle.softmax(x), rtol=1e-12)


@pytest.mark.parametrize(
    "t", [np.array([0, 4, 2, 2, 1, 3, 0]), np.eye(5)[[0, 4, 2, 2, 1, 3, 0]]], ids=["labels", "rows"]
)
def test_the_losses_give_what_the_oracle_gives(t):
    y = oracle.softmax(NUMBERS)
    assert functions.cross_entropy_error(y, t) == pytest.approx(oracle.cross_entropy_error(y, t))
    assert functions.softmax_loss(NUMBERS, t) == pytest.approx(oracle.softmax_loss(NUMBERS, t))


def test_one_row_of_probabilities_is_a_batch_of_one():
    y, t = oracle.softmax(NUMBERS[0]), np.eye(5)[3]
    expected = -np.log(y[3] + 1e-7)
    assert functions.cross_entropy_error(y, t) == pytest.approx(expected)
    assert functions.cross_entropy_error(y, np.array([3])) == pytest.approx(expected)


def test_a_probability_of_zero_makes_a_large_loss_and_not_infinity():
    loss = functions.cross_entropy_error(np.array([[1.0, 0.0]]), np.array([1]))
    assert loss == pytest.approx(-np.log(1e-7))


def test_labels_that_are_too_few_are_refused():
    with pytest.raises(ShapeError, match=r"a label for each of the 7 rows .*received t \(3,\)"):
        functions.cross_entropy_error(NUMBERS, np.array([0, 1, 2]))


def test_the_squared_error_has_the_names_of_both_editions():
    t = RNG.normal(size=(7, 5))
    expected = oracle.sum_squared_error(NUMBERS, t)
    assert functions.sum_squared_error(NUMBERS, t) == pytest.approx(expected)
    assert functions.mean_squared_error is functions.sum_squared_error


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 1, 3, 3)])
def test_a_numerical_gradient_is_the_oracles_and_leaves_its_array_as_it_was(shape):
    x = RNG.normal(size=shape)
    before = x.copy()

    def f(z):
        return np.sum(np.sin(z))

    ours = gradient.numerical_gradient(f, x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(ours, oracle_gradient.numerical_gradient(f, x), rtol=1e-12)
    np.testing.assert_allclose(ours, np.cos(before), rtol=1e-6)


def test_an_interrupted_numerical_gradient_leaves_its_array_as_it_was():
    x = np.array([1.0, 2.0])

    def f(z):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gradient.numerical_gradient(f, x)
    assert x.tolist() == [1.0, 2.0]


def test_the_gradient_in_two_dimensions_calls_its_function_with_rows():
    x = RNG.normal(size=(3, 2))

    def f(row):
        assert row.shape == (2,)
        return np.sum(row**2)

    np.testing.assert_allclose(gradient.numerical_gradient_2d(f, x), 2 * x, rtol=1e-6)
    np.testing.assert_allclose(gradient.numerical_gradient_2d(f, x[0]), 2 * x[0], rtol=1e-6)


@pytest.mark.parametrize(
    "window", [(2, 2, 1, 0), (3, 3, 1, 1), (3, 2, 2, 0), (5, 5, 1, 2), (2, 3, 3, 1)]
)
def test_im2col_and_col2im_are_the_oracles(window):
    x = RNG.normal(size=(2, 3, 7, 6))
    col = util.im2col(x, *window)
    assert col.dtype == np.float64
    np.testing.assert_array_equal(col, oracle_util.im2col(x, *window))
    np.testing.assert_allclose(
        util.col2im(col, x.shape, *window), oracle_util.col2im(col, x.shape, *window), rtol=1e-12
    )


def test_a_smoothed_curve_is_the_oracles_and_as_long_as_before():
    x = RNG.normal(size=40)
    np.testing.assert_allclose(util.smooth_curve(x), oracle_util.smooth_curve(x), rtol=1e-12)
    assert len(util.smooth_curve(list(x))) == 40


def test_shuffling_draws_one_permutation():
    x, t = np.arange(10.0).reshape(10, 1), np.arange(10)
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.permutation(10)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    shuffled, labels = util.shuffle_dataset(x, t)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(shuffled[:, 0], expected)


def test_output_sizes_are_floats():
    assert util.conv_output_size(28, 5, stride=2, pad=1) == 13.5
    assert isinstance(util.conv_output_size(28, 4, stride=2), float)


def test_a_star_import_brings_numpy_and_the_functions_along():
    for module in (functions, layers, util, gradient):
        assert module.np is np
        assert "np" in module.__all__
    assert {"softmax", "im2col", "col2im", "Affine"} <= set(layers.__all__)
