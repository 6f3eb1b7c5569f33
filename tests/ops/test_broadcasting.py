"""Arithmetic with broadcasting: against loops, PyTorch and numerical gradients; where it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import naive
from ops.strategies import seeds
from ops.witness import DTYPES, NUMERICAL, assert_agrees, drawn, tensor
from pellucid import ops
from pellucid.errors import ArgumentError, ShapeError

# name: forward, and backward of (dy, y, inputs)
OPS = {
    "add": (ops.add, lambda dy, y, inputs: ops.add_backward(dy, [x.shape for x in inputs])),
    "subtract": (
        ops.subtract,
        lambda dy, y, inputs: ops.subtract_backward(dy, [x.shape for x in inputs]),
    ),
    "multiply": (ops.multiply, lambda dy, y, inputs: ops.multiply_backward(dy, *inputs)),
    "divide": (ops.divide, lambda dy, y, inputs: ops.divide_backward(dy, *inputs)),
    "maximum": (ops.maximum, ops.maximum_backward),
    "minimum": (ops.minimum, ops.minimum_backward),
}
every_op = pytest.mark.parametrize("name", OPS)
two_shapes = mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4)


@every_op
@pytest.mark.parametrize("dtype", DTYPES)
@given(shapes=two_shapes, seed=seeds)
def test_forward_and_backward_equal_the_loops_and_torch(name, dtype, shapes, seed, torch):
    rng = np.random.default_rng(seed)
    a, b = (drawn(rng, shape, dtype) for shape in shapes.input_shapes)
    if name == "divide":
        b = np.where(b < 0, b - 1, b + 1)
    dy = drawn(rng, shapes.result_shape, dtype)
    forward, backward = OPS[name]
    y = forward(a, b)
    grads = backward(dy, y, (a, b))
    assert y.dtype == grads[0].dtype == grads[1].dtype == dtype
    expected, *slow = naive.broadcast(name, a, b, dy)
    ta, tb = tensor(torch, a), tensor(torch, b)
    ty = getattr(torch, name)(ta, tb)
    ty.backward(tensor(torch, dy, grad=False))
    assert_agrees(y, expected)
    assert_agrees(y, ty.detach().numpy())
    size = max(float(np.abs(dy).max(initial=0)) * y.size, 1e-3)
    for ours, loops, theirs in zip(grads, slow, (ta.grad, tb.grad), strict=True):
        assert_agrees(ours, loops, magnitude=size)
        assert_agrees(ours, theirs.numpy(), magnitude=size)


@pytest.mark.parametrize("kind", ["maximum", "minimum"])
def test_equal_inputs_share_the_gradient_evenly(kind):
    forward, backward = OPS[kind]
    inputs = [np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 4.0]), np.array([[4.0], [1.0]])]
    y = forward(*inputs)
    dys = backward(np.ones_like(y), y, inputs)
    assert sum(dx.sum() for dx in dys) == pytest.approx(6)
    third = backward(np.ones(1), np.ones(1), [np.ones(1)] * 3)
    assert np.allclose(third, 1 / 3)


@given(seed=seeds, rows=st.integers(1, 4), inner=st.integers(1, 4), columns=st.integers(1, 4))
def test_products_of_matrices_equal_the_loops_and_torch(seed, rows, inner, columns, torch):
    rng = np.random.default_rng(seed)
    a, b = drawn(rng, (3, 1, rows, inner)), drawn(rng, (3, 2, inner, columns))
    dy = drawn(rng, (3, 2, rows, columns))
    ta, tb = tensor(torch, a), tensor(torch, b)
    torch.matmul(ta, tb).backward(tensor(torch, dy, grad=False))
    y, dys = ops.matmul(a, b), ops.matmul_backward(dy, a, b)
    expected, *slow = naive.matmul(a, b, dy)
    assert_agrees(y, expected)
    for ours, loops, theirs in zip(dys, slow, (ta.grad, tb.grad), strict=True):
        assert_agrees(ours, loops)
        assert_agrees(ours, theirs.numpy())
    numerical = naive.numerical_gradient(lambda a: float((ops.matmul(a, b) * dy).sum()), a)
    assert_agrees(dys[0], numerical, within=NUMERICAL)


def test_integers_neither_wrap_nor_lose_their_fractions():
    small = np.array([200, 3], np.uint8)
    assert ops.multiply(small, small).tolist() == [40000, 9]
    assert ops.subtract(small, small[::-1]).tolist() == [197, -197]
    assert ops.divide(small, np.array([3, 2], np.uint8)).tolist() == [200 / 3, 1.5]
    assert ops.matmul(small[None], small[:, None]).tolist() == [[40009]]


def test_division_by_zero_is_seen_and_warns_of_nothing():
    a, b = np.array([1.0, 0.0, -2.0]), np.zeros(3)
    assert np.isposinf(ops.divide(a, b)[0])
    assert np.isnan(ops.divide(a, b)[1])
    assert np.isnan(ops.divide_backward(np.ones(3), a, b)[1][1])


def test_nan_is_seen_in_the_largest_and_the_smallest():
    a, b = np.array([np.nan, 1.0]), np.array([0.0, 2.0])
    assert np.isnan(ops.maximum(a, b)[0])
    assert np.isnan(ops.minimum(b, a)[0])


@every_op
def test_shapes_that_numpy_would_not_broadcast_are_refused(name):
    a, b = np.zeros((2, 3)), np.zeros((2, 2))
    with pytest.raises(ShapeError, match=r"lengths that are equal, or 1, .* \(2, 3\), \(2, 2\)\.$"):
        OPS[name][0](a, b)
    with pytest.raises(ArgumentError, match=rf"^{name}: expects real numbers"):
        OPS[name][0](a, a.astype(complex))
    with pytest.raises(ShapeError, match=r"expects an output gradient of shape like the output"):
        OPS[name][1](np.zeros((2, 2)), a, (a, a))


@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((3,), (3, 2)), ((2, 2, 3), (3, 3, 2))])
def test_what_cannot_be_multiplied_as_matrices_is_refused(shapes):
    with pytest.raises(ShapeError, match=r"expects (matrices|lengths)"):
        ops.matmul(*(np.zeros(shape) for shape in shapes))
