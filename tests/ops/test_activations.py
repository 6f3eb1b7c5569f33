"""Activations: against PyTorch and numerical gradients; at zero, at the extremes, with NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from ops.strategies import seeds
from ops.witness import DTYPES, NUMERICAL, assert_agrees, drawn, frozen, tensor
from pellucid import ops
from pellucid.ops import (
    leaky_relu,
    leaky_relu_backward,
    log_softmax,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    softmax,
    softmax_backward,
    tanh,
    tanh_backward,
)

# name: forward, backward (dy, x, y), what it remembers being its own affair.
ACTIVATIONS = {
    "relu": (relu, lambda dy, x, y: relu_backward(dy, x)),
    "leaky_relu": (leaky_relu, lambda dy, x, y: leaky_relu_backward(dy, x)),
    "sigmoid": (sigmoid, lambda dy, x, y: sigmoid_backward(dy, y)),
    "tanh": (tanh, lambda dy, x, y: tanh_backward(dy, y)),
    "silu": (silu, lambda dy, x, y: silu_backward(dy, x)),
    "softmax": (softmax, lambda dy, x, y: softmax_backward(dy, y)),
    "hardsigmoid": (ops.hardsigmoid, lambda dy, x, y: ops.hardsigmoid_backward(dy, x)),
    "hardswish": (ops.hardswish, lambda dy, x, y: ops.hardswish_backward(dy, x)),
    "gelu": (ops.gelu, lambda dy, x, y: ops.gelu_backward(dy, x)),
    "gelu by tanh": (
        lambda x: ops.gelu(x, "tanh"),
        lambda dy, x, y: ops.gelu_backward(dy, x, "tanh"),
    ),
    "elu": (ops.elu, lambda dy, x, y: ops.elu_backward(dy, x)),
    "selu": (ops.selu, lambda dy, x, y: ops.selu_backward(dy, x)),
    "celu": (ops.celu, lambda dy, x, y: ops.celu_backward(dy, x)),
    "softplus": (ops.softplus, lambda dy, x, y: ops.softplus_backward(dy, x)),
    "softsign": (ops.softsign, lambda dy, x, y: ops.softsign_backward(dy, x)),
    "mish": (ops.mish, lambda dy, x, y: ops.mish_backward(dy, x)),
    "clip": (lambda x: ops.clip(x, -1, 2), lambda dy, x, y: ops.clip_backward(dy, x, -1, 2)),
    "thresholded_relu": (
        ops.thresholded_relu,
        lambda dy, x, y: ops.thresholded_relu_backward(dy, x),
    ),
}
every_activation = pytest.mark.parametrize("name", ACTIVATIONS)

shapes = st.tuples(st.integers(1, 4), st.integers(1, 6)) | st.tuples(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)
)


def _torch(torch, name: str, x):
    if name in ("sigmoid", "tanh"):
        return getattr(torch, name)(x)
    if name == "clip":
        return x.clamp(-1, 2)
    if name == "hardsigmoid":  # PyTorch's own has a float32 for 1/6
        return (x / 6 + 0.5).clamp(0, 1)
    if name == "gelu by tanh":
        return torch.nn.functional.gelu(x, approximate="tanh")
    if name == "softplus":
        return torch.nn.functional.softplus(x, threshold=80)  # from where on it takes x
    if name == "thresholded_relu":
        return torch.nn.functional.threshold(x, 1, 0)
    function = getattr(torch.nn.functional, name)
    return function(x, 1) if name == "softmax" else function(x)


@every_activation
@pytest.mark.parametrize("dtype", DTYPES)
@given(shape=shapes, seed=seeds, scale=st.sampled_from([0.1, 1.0, 30.0]))
def test_forward_and_backward_equal_torch(name, dtype, shape, seed, scale, torch):
    rng = np.random.default_rng(seed)
    x, dy = frozen((scale * rng.normal(size=shape)).astype(dtype)), drawn(rng, shape, dtype)
    forward, backward = ACTIVATIONS[name]
    tx = tensor(torch, x)
    ty = _torch(torch, name, tx)
    ty.backward(tensor(torch, dy, grad=False))
    y = forward(x)
    dx = backward(dy, x, frozen(y))
    assert y.dtype == dx.dtype == dtype
    assert_agrees(y, ty.detach().numpy(), what=f"{name} y")
    # 1 - y and dy - Σ dy·y cancel where the function is flat; what they cancel from is dy.
    assert_agrees(dx, tx.grad.numpy(), magnitude=abs(dy).max(), what=f"{name} dx")


@every_activation
@given(shape=shapes, seed=seeds)
def test_backward_equals_the_numerical_gradient(name, shape, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    x, dy = frozen(np.where(abs(x) < 1e-3, 0.5, x)), drawn(rng, shape)  # away from relu's kink
    forward, backward = ACTIVATIONS[name]
    numerical = naive.numerical_gradient(lambda a: float((dy * forward(a)).sum()), x)
    dx = backward(dy, x, forward(x))
    assert_agrees(dx, numerical, within=NUMERICAL, magnitude=abs(dy).max())


@pytest.mark.parametrize("dtype", DTYPES)
@given(shape=shapes, seed=seeds)
def test_log_softmax_equals_torch(dtype, shape, seed, torch):
    x = drawn(np.random.default_rng(seed), shape, dtype)
    expected = torch.nn.functional.log_softmax(tensor(torch, x, grad=False), 1).numpy()
    assert log_softmax(x).dtype == dtype
    assert_agrees(log_softmax(x), expected, magnitude=abs(x).max() + 1, what="log_softmax y")


@every_activation
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_thousand_either_way_is_finite_and_warns_of_nothing(name, dtype):
    x = frozen(np.array([[-1000.0, 1000.0, 0.0, -88.8, 88.8, -746.0, 746.0]], dtype=dtype))
    forward, backward = ACTIVATIONS[name]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = forward(x)
        dx = backward(np.ones_like(x), x, y)
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_limits_are_reached_exactly(dtype):
    x = np.array([[-1000.0, 1000.0]], dtype=dtype)
    assert sigmoid(x).tolist() == [[0, 1]]
    assert tanh(x).tolist() == [[-1, 1]]
    assert silu(x).tolist() == [[0, 1000]]
    assert softmax(x).tolist() == [[0, 1]]
    assert log_softmax(x).tolist() == [[-2000, 0]]
    assert relu(x).tolist() == [[0, 1000]]
    assert softmax(x + x.dtype.type(1e30)).tolist() == [[0.5, 0.5]]


@every_activation
@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays_nan(name, dtype):
    x = np.array([[1.0, np.nan, -1.0]], dtype=dtype)
    y = ACTIVATIONS[name][0](x)
    assert np.isnan(y[0, 1])
    assert np.isnan(y).all() == (name == "softmax")  # all classes share its sum


def test_a_nan_gradient_stays_nan_where_it_passes():
    x, dy = np.array([[1.0, -1.0]]), np.array([[np.nan, np.nan]])
    for forward, backward in ACTIVATIONS.values():
        assert np.isnan(backward(dy, x, forward(x))).any()


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_at_zero_the_gradient_is_that_of_the_negative_side(zero):
    x, dy = np.array([[zero]]), np.array([[2.0]])
    assert relu_backward(dy, x).item() == 0
    assert leaky_relu_backward(dy, x).item() == 0.02
    assert sigmoid_backward(dy, sigmoid(x)).item() == 0.5
    assert tanh_backward(dy, tanh(x)).item() == 2


@given(slope=st.floats(0, 1))
def test_leaky_relu_multiplies_what_is_below_zero_by_its_slope(slope):
    x = np.array([[-2.0, 3.0]])
    assert leaky_relu(x, slope).tolist() == [[-2 * slope, 3]]
    assert leaky_relu_backward(np.ones_like(x), x, slope).tolist() == [[slope, 1]]


@given(shape=shapes, seed=seeds)
def test_probabilities_sum_to_one_and_shifting_all_scores_changes_nothing(shape, seed):
    x = drawn(np.random.default_rng(seed), shape)
    assert np.allclose(softmax(x).sum(axis=1), 1, rtol=1e-12)
    assert np.allclose(softmax(x + 5), softmax(x), rtol=1e-12)
    assert np.allclose(np.exp(log_softmax(x)), softmax(x), rtol=1e-12)


def test_softmax_works_along_any_axis():
    x = drawn(np.random.default_rng(0), (3, 4))
    assert np.array_equal(softmax(x.T, axis=0), softmax(x).T)
    assert np.array_equal(log_softmax(x.T, axis=0), log_softmax(x).T)
    dy = drawn(np.random.default_rng(1), (3, 4))
    one, two = (
        softmax_backward(dy.T, softmax(x.T, axis=0), axis=0),
        softmax_backward(dy, softmax(x)),
    )
    assert np.array_equal(one, two.T)


def test_the_logarithm_of_an_impossible_class_is_finite():
    assert log_softmax(np.array([[0.0, -900.0]]))[0, 1] == pytest.approx(-900)


def test_a_class_ruled_out_with_minus_infinity_gets_no_probability():
    x = np.array([[0.0, -np.inf, 0.0]])
    assert softmax(x).tolist() == [[0.5, 0, 0.5]]
    assert log_softmax(x)[0, 1] == -math.inf
