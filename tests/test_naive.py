"""The oracle itself: small cases worked out by hand, and its gradients against differences."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest

import naive

ROW = np.array([[[[1.0, 2.0, 3.0, 4.0]]]])
RNG_SHAPE = (2, 2, 4, 5)
MOVES = {"stride": (2, 1), "pad": ((1, 0), (0, 2)), "dilation": (1, 2)}


def _normal(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_the_oracle_imports_nothing_of_ours():
    tree = ast.parse(Path(naive.__file__).read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").split(".")[0])
    assert imported == {"__future__", "collections", "math", "numpy", "typing"}


def test_the_numerical_gradient_of_a_cube_is_three_squares():
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    gradient = naive.numerical_gradient(lambda a: float((a**3).sum()), x)
    assert np.allclose(gradient, 3 * x**2, rtol=1e-8)
    assert x.tolist() == [[1, -2], [0.5, 3]]


@pytest.mark.parametrize(
    ("arguments", "count"),
    [((7, 3, 1, (0, 0), 1), 5), ((7, 3, 2, (0, 0), 1), 3), ((10, 3, 2, (0, 0), 1), 4),
     ((5, 3, 1, (1, 1), 1), 5), ((5, 3, 1, (0, 0), 2), 1), ((2, 3, 1, (0, 0), 1), 0)],
)  # fmt: skip
def test_windows_are_counted_one_by_one(arguments, count):
    assert naive.count_windows(*arguments) == count


def test_a_convolution_by_hand():
    w, b = np.array([[[[1.0, 10.0]]]]), np.array([0.5])
    assert naive.convolution(ROW, w, b).tolist() == [[[[21.5, 32.5, 43.5]]]]
    padded = naive.convolution(ROW, w, None, (1, 2), ((0, 0), (1, 0)))
    assert padded.tolist() == [[[[10, 32]]]]
    assert naive.convolution(ROW, w, None, dilation=(1, 3)).tolist() == [[[[41]]]]


def test_groups_by_hand():
    x = np.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 4, 1, 1)
    w = np.array([1.0, 2.0, 3.0, 4.0]).reshape(2, 2, 1, 1)
    assert naive.convolution(x, w, groups=2).ravel().tolist() == [21, 4300]


def test_a_gradient_of_a_convolution_by_hand():
    w, dy = np.array([[[[1.0, 10.0]]]]), np.array([[[[1.0, 0.0, 2.0]]]])
    dx, dw, db = naive.convolution_gradients(dy, ROW, w)
    assert dx.tolist() == [[[[1, 10, 2, 20]]]]
    assert dw.tolist() == [[[[7, 10]]]]
    assert db.tolist() == [3]


def test_convolution_gradients_are_those_of_the_convolution():
    x, w, b = _normal(0, (2, 4, 4, 5)), _normal(1, (4, 2, 2, 2)), _normal(2, (4,))
    y = naive.convolution(x, w, b, **MOVES, groups=2)
    dy = _normal(3, y.shape)
    dx, dw, db = naive.convolution_gradients(dy, x, w, **MOVES, groups=2)

    def loss(x, w, b):
        return float((dy * naive.convolution(x, w, b, **MOVES, groups=2)).sum())

    assert np.allclose(dx, naive.numerical_gradient(lambda a: loss(a, w, b), x, 0.5))
    assert np.allclose(dw, naive.numerical_gradient(lambda a: loss(x, a, b), w, 0.5))
    assert np.allclose(db, naive.numerical_gradient(lambda a: loss(x, w, a), b, 0.5))


def test_im2col_by_hand():
    assert naive.im2col(ROW, (1, 3)).tolist() == [[1, 2, 3], [2, 3, 4]]
    assert naive.im2col(ROW, (1, 2), (1, 2), ((0, 0), (1, 1))).tolist() == [[0, 1], [2, 3], [4, 0]]


def test_pooling_by_hand():
    y, winner = naive.max_pooling(-ROW, (1, 3), (1, 2), ((0, 0), (1, 1)))
    assert y.tolist() == [[[[-1, -2]]]]
    assert winner.tolist() == [[[[1, 0]]]]
    mean = naive.avg_pooling(ROW, (1, 3), (1, 2), ((0, 0), (1, 1)))
    assert mean.tolist() == [[[[1, 3]]]]
    mean = naive.avg_pooling(ROW, (1, 3), (1, 2), ((0, 0), (1, 1)), include_pad=False)
    assert mean.tolist() == [[[[1.5, 3]]]]
    assert naive.lp_pooling(np.array([[[[3.0, -4.0]]]]), (1, 2), (1, 1)).tolist() == [[[[5]]]]


def test_of_equals_the_first_wins_and_a_nan_always():
    assert naive.max_pooling(np.zeros((1, 1, 1, 3)), (1, 3), (1, 1))[1].item() == 0
    y, winner = naive.max_pooling(np.array([[[[5.0, np.nan, 9.0]]]]), (1, 3), (1, 1))
    assert math.isnan(y.item())
    assert winner.item() == 1


@pytest.mark.parametrize("name", ["max", "avg", "lp"])
def test_pooling_gradients_are_those_of_pooling(name):
    x = np.random.default_rng(0).permutation(80).reshape(RNG_SHAPE) / 40 - 0.99
    forward = getattr(naive, f"{name}_pooling")
    backward = getattr(naive, f"{name}_pooling_gradient")

    def pooled(a):
        y = forward(a, (2, 2), **MOVES)
        return y[0] if name == "max" else y

    dy = _normal(4, pooled(x).shape)
    numerical = naive.numerical_gradient(lambda a: float((dy * pooled(a)).sum()), x, 1e-6)
    assert np.allclose(backward(dy, x, (2, 2), **MOVES), numerical, atol=1e-7)


def test_the_neighbours_of_a_channel_stop_at_the_ends():
    assert [list(naive.neighbours(i, 3, 4)) for i in range(4)] == [
        [0, 1], [0, 1, 2], [1, 2, 3], [2, 3],
    ]  # fmt: skip
    assert list(naive.neighbours(1, 2, 4)) == [0, 1]


def test_normalisation_gradients_are_those_of_normalisation():
    x, dy, gamma, beta = _normal(0, RNG_SHAPE), _normal(1, RNG_SHAPE), _normal(2, (2,)), np.ones(2)
    constants = {"n": 2, "k": 1.0, "alpha": 0.5, "beta": 0.75}
    da = naive.local_response_norm_gradient(dy, x, **constants)
    numerical = naive.numerical_gradient(
        lambda a: float((dy * naive.local_response_norm(a, **constants)).sum()), x
    )
    assert np.allclose(da, numerical, atol=1e-8)
    dx, dgamma, dbeta = naive.batch_norm_gradients(dy, x, gamma)

    def loss(x, gamma, beta):
        return float((dy * naive.batch_norm(x, gamma, beta)).sum())

    assert np.allclose(dx, naive.numerical_gradient(lambda a: loss(a, gamma, beta), x), atol=1e-7)
    assert np.allclose(dgamma, naive.numerical_gradient(lambda a: loss(x, a, beta), gamma))
    assert np.allclose(dbeta, naive.numerical_gradient(lambda a: loss(x, gamma, a), beta))


def test_batch_norm_by_hand():
    x = np.array([1.0, 3.0]).reshape(2, 1, 1, 1)
    y = naive.batch_norm(x, np.array([2.0]), np.array([0.5]), eps=0.0)
    assert y.ravel().tolist() == [-1.5, 2.5]


def test_losses_by_hand():
    loss, dx = naive.softmax_cross_entropy(np.zeros((2, 4)), np.array([1, 3]))
    assert loss == pytest.approx(math.log(4))
    assert dx[0].tolist() == [0.125, -0.375, 0.125, 0.125]
    loss, dx = naive.multiclass_hinge(np.array([[3.2, 5.1, -1.7]]), np.array([0]))
    assert loss == pytest.approx(2.9)
    assert dx.tolist() == [[-1, 1, 0]]
