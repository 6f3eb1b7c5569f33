"""The fully connected layer: against PyTorch and numerical gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from ops.strategies import seeds
from ops.witness import DTYPES, NUMERICAL, assert_agrees, drawn, tensor
from pellucid.errors import ShapeError
from pellucid.ops import linear, linear_backward

sizes = st.integers(1, 12)


def _drawn(seed: int, n: int, i: int, o: int, dtype="float64"):
    rng = np.random.default_rng(seed)
    return [drawn(rng, shape, dtype) for shape in ((n, i), (o, i), (o,), (n, o))]


def test_the_equation_by_hand():
    x, w = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
    assert linear(x, w).tolist() == [[11, 17, 23]]
    assert linear(x, w, np.array([1.0, 0.0, -1.0])).tolist() == [[12, 17, 22]]
    dx, dw, db = linear_backward(np.array([[1.0, 0.0, 2.0]]), x, w)
    assert dx.tolist() == [[17, 20]]
    assert dw.tolist() == [[1, 2], [0, 0], [2, 4]]
    assert db.tolist() == [1, 0, 2]


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=seeds, n=sizes, i=sizes, o=sizes)
def test_forward_and_backward_equal_torch(seed, n, i, o, dtype, torch):
    x, w, b, dy = _drawn(seed, n, i, o, dtype)
    results = []
    for absolute in (False, True):
        tx, tw, tb, tdy = (tensor(torch, abs(a) if absolute else a) for a in (x, w, b, dy))
        ty = torch.nn.functional.linear(tx, tw, tb)
        ty.backward(tdy)
        results.append([a.detach().numpy() for a in (ty, tx.grad, tw.grad, tb.grad)])
    ours = [linear(x, w, b), *linear_backward(dy, x, w)]
    for name, a, e, size in zip(("y", "dx", "dw", "db"), ours, *results, strict=True):
        assert a.dtype == dtype
        assert_agrees(a, e, magnitude=size, what=f"linear {name}")


@given(seed=seeds, n=st.integers(1, 3), i=st.integers(1, 5), o=st.integers(1, 5))
def test_backward_equals_numerical_gradients(seed, n, i, o):
    x, w, b, dy = _drawn(seed, n, i, o)
    losses = (
        lambda a: float((dy * linear(a, w, b)).sum()),
        lambda a: float((dy * linear(x, a, b)).sum()),
        lambda a: float((dy * linear(x, w, a)).sum()),
    )
    for dx, loss, at in zip(linear_backward(dy, x, w), losses, (x, w, b), strict=True):
        numerical = naive.numerical_gradient(loss, at, h=0.5)  # linear in each: any h is exact
        assert_agrees(dx, numerical, within=NUMERICAL, magnitude=abs(dx).max() + 1)


def test_a_batch_of_no_images_gives_no_outputs_and_zero_gradients():
    x, w = np.zeros((0, 4)), np.ones((3, 4))
    y = linear(x, w, np.ones(3))
    assert y.shape == (0, 3)
    dx, dw, db = linear_backward(y, x, w)
    assert dx.shape == (0, 4)
    assert dw.tolist() == np.zeros((3, 4)).tolist()
    assert db.tolist() == [0, 0, 0]


def test_images_that_were_not_flattened_are_refused_with_the_way_to_do_it():
    with pytest.raises(
        ShapeError,
        match=r"linear: expects rows of 48 numbers, received shape \(3, 4, 4\) for each image\. "
        r"Put a Flatten before the first Linear\.",
    ):
        linear(np.zeros((2, 3, 4, 4)), np.zeros((10, 48)))


def test_another_number_of_features_is_refused_with_what_to_change():
    with pytest.raises(
        ShapeError,
        match=r"linear: expects 48 input features, received 47\. Build it as `Linear\(47, "
        r"\.\.\.\)`, or change the size of the layers before it\.",
    ):
        linear(np.zeros((2, 47)), np.zeros((10, 48)))
    with pytest.raises(ShapeError, match="expects 48 input features, received a single number"):
        linear(np.zeros(2), np.zeros((10, 48)))


@pytest.mark.parametrize("shape", [(1,), (1, 10), (9,), ()])
def test_a_bias_of_another_shape_is_refused(shape):
    with pytest.raises(ShapeError, match=r"linear: expects a bias of shape \(out,\) = \(10,\)"):
        linear(np.zeros((2, 48)), np.zeros((10, 48)), np.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 1), (1, 10), (10,)])
def test_an_output_gradient_of_another_shape_is_refused(shape):
    with pytest.raises(
        ShapeError,
        match=r"linear_backward: expects an output gradient of shape \(N, out\) = \(2, 10\), rec",
    ):
        linear_backward(np.zeros(shape), np.zeros((2, 48)), np.zeros((10, 48)))
