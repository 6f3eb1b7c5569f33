"""Normalisation: against the loops, numerical gradients and PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from ops.strategies import seeds
from ops.witness import DTYPES, NUMERICAL, assert_agrees, drawn, frozen, tensor
from pellucid.errors import ShapeError
from pellucid.ops import (
    batch_norm,
    batch_norm_backward,
    batch_norm_fixed_backward,
    batch_statistics,
    group_norm,
    group_norm_backward,
    local_response_norm,
    local_response_norm_backward,
)

# Local response normalisation.


@dataclass(frozen=True)
class Response:
    """Images and constants for local response normalisation; n may be even, or beyond C."""

    shape: tuple[int, int, int, int]
    n: int
    k: float
    alpha: float
    beta: float
    seed: int

    def arrays(self, dtype="float64"):
        rng = np.random.default_rng(self.seed)
        return drawn(rng, self.shape, dtype), drawn(rng, self.shape, dtype)

    @property
    def constants(self):
        return {"n": self.n, "k": self.k, "alpha": self.alpha, "beta": self.beta}


responses = st.builds(
    Response,
    shape=st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 3), st.integers(1, 3)),
    n=st.integers(1, 9),
    k=st.sampled_from([1.0, 2.0]),
    alpha=st.sampled_from([1e-4, 0.1, 1.0]),
    beta=st.sampled_from([0.5, 0.75, 1.0]),
    seed=seeds,
)


def _respond(case: Response, dtype="float64"):
    a, db = case.arrays(dtype)
    b, s = local_response_norm(a, **case.constants)
    return b, local_response_norm_backward(db, a, frozen(s), case.n, case.alpha, case.beta)


def test_the_papers_constants_are_the_defaults():
    a = np.full((1, 7, 1, 1), 10.0)
    b, s = local_response_norm(a)
    # Channels at the ends have three and four neighbours (themselves included), then five.
    assert np.allclose(s.ravel(), 2 + 1e-4 * 100 * np.array([3, 4, 5, 5, 5, 4, 3]))
    assert np.allclose(b, a / s**0.75)


@given(case=responses)
def test_response_norm_and_its_gradient_equal_the_loops(case: Response):
    a, db = case.arrays()
    b, da = _respond(case)
    assert_agrees(b, naive.local_response_norm(a, **case.constants))
    expected = naive.local_response_norm_gradient(db, a, **case.constants)
    assert_agrees(da, expected, magnitude=abs(db).max())


@settings(max_examples=15)
@given(case=responses)
def test_response_norm_gradient_equals_the_numerical_gradient(case: Response):
    a, db = case.arrays()
    numerical = naive.numerical_gradient(
        lambda z: float((db * local_response_norm(z, **case.constants)[0]).sum()), a
    )
    assert_agrees(_respond(case)[1], numerical, within=NUMERICAL, magnitude=abs(db).max())


@pytest.mark.parametrize("dtype", DTYPES)
@given(case=responses)
def test_response_norm_equals_torch_whose_alpha_is_divided_by_n(case: Response, dtype, torch):
    a, db = case.arrays(dtype)
    ta = tensor(torch, a)
    tb = torch.nn.functional.local_response_norm(
        ta, case.n, alpha=case.alpha * case.n, beta=case.beta, k=case.k
    )
    tb.backward(tensor(torch, db, grad=False))
    b, da = _respond(case, dtype)
    assert str(b.dtype) == str(da.dtype) == dtype
    assert_agrees(b, tb.detach().numpy(), what="local_response_norm y")
    size = abs(db).max()
    assert_agrees(da, ta.grad.numpy(), magnitude=size, what="local_response_norm dx")


def test_an_even_window_has_one_more_channel_below_than_above():
    a = np.array([1.0, 10.0, 100.0]).reshape(1, 3, 1, 1)
    _, s = local_response_norm(a, n=2, k=0.0, alpha=1.0)
    assert s.ravel().tolist() == [1, 101, 10100]


def test_a_window_of_one_sees_only_itself():
    a = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    assert local_response_norm(a, n=1, k=0.0, alpha=1.0)[1].ravel().tolist() == [1, 4, 9]


# Batch normalisation.


@dataclass(frozen=True)
class Batch:
    """Rows or images with at least two values a channel."""

    shape: tuple[int, ...]
    eps: float
    seed: int

    def arrays(self, dtype="float64"):
        rng = np.random.default_rng(self.seed)
        c = self.shape[1]
        x = frozen((rng.normal(size=self.shape) * 2 + rng.normal(size=1)).astype(dtype))
        return x, *(drawn(rng, s, dtype) for s in ((c,), (c,), self.shape))

    def running(self, dtype="float64"):
        rng = np.random.default_rng(self.seed + 1)
        c = self.shape[1]
        return drawn(rng, (c,), dtype), frozen((rng.random(c) + 0.1).astype(dtype))


batches = st.builds(
    Batch,
    shape=st.tuples(st.integers(3, 6), st.integers(1, 4))
    | st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(2, 4), st.integers(2, 4)),
    eps=st.sampled_from([1e-5, 1e-3]),
    seed=seeds,
)


def _train(case: Batch, dtype="float64"):
    x, gamma, beta, dy = case.arrays(dtype)
    mean, var = batch_statistics(x)
    y, x_hat = batch_norm(x, gamma, beta, mean, var, case.eps)
    return y, *batch_norm_backward(dy, frozen(x_hat), gamma, var, case.eps)


def _sizes(case: Batch, scale):
    """Return what the terms of (y, dx, dγ, dβ) add up to before they cancel."""
    x, gamma, beta, dy = (abs(a) for a in case.arrays())
    x_hat = scale * (x + x.mean())
    dx = scale * gamma.max() * dy.max() * (1 + x_hat.max())
    return [gamma.max() * x_hat + beta.max(), dx, (dy * x_hat).sum(), dy.sum()]


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=60)
@given(case=batches)
def test_training_equals_torch(case: Batch, dtype, torch):
    x, gamma, beta, dy = case.arrays(dtype)
    tx, tg, tb = (tensor(torch, a) for a in (x, gamma, beta))
    ty = torch.nn.functional.batch_norm(tx, None, None, tg, tb, training=True, eps=case.eps)
    ty.backward(tensor(torch, dy, grad=False))
    theirs = [a.detach().numpy() for a in (ty, tx.grad, tg.grad, tb.grad)]
    sizes = _sizes(case, (batch_statistics(x)[1].min() + case.eps) ** -0.5)
    names = ("y", "dx", "dgamma", "dbeta")
    for name, a, e, size in zip(names, _train(case, dtype), theirs, sizes, strict=True):
        assert a.dtype == dtype
        assert_agrees(a, e, magnitude=size, what=f"batch_norm {name}")


@pytest.mark.parametrize("dtype", DTYPES)
@given(case=batches)
def test_evaluation_equals_torch(case: Batch, dtype, torch):
    x, gamma, beta, dy = case.arrays(dtype)
    mean, var = case.running(dtype)
    tx, tg, tb = (tensor(torch, a) for a in (x, gamma, beta))
    tm, tv = (tensor(torch, a, grad=False) for a in (mean, var))
    ty = torch.nn.functional.batch_norm(tx, tm, tv, tg, tb, training=False, eps=case.eps)
    ty.backward(tensor(torch, dy, grad=False))
    theirs = [a.detach().numpy() for a in (ty, tx.grad, tg.grad, tb.grad)]
    y, x_hat = batch_norm(x, gamma, beta, mean, var, case.eps)
    ours = [y, *batch_norm_fixed_backward(dy, frozen(x_hat), gamma, var, case.eps)]
    sizes = _sizes(case, (var.min() + case.eps) ** -0.5)
    names = ("y", "dx", "dgamma", "dbeta")
    for name, a, e, size in zip(names, ours, theirs, sizes, strict=True):
        assert a.dtype == dtype
        assert_agrees(a, e, magnitude=size, what=f"batch_norm (eval) {name}")


@given(case=batches)
def test_training_equals_the_loops(case: Batch):
    x, gamma, beta, dy = case.arrays()
    images = x.reshape(*x.shape, *(1,) * (4 - x.ndim))
    dys = dy.reshape(images.shape)
    expected = [
        naive.batch_norm(images, gamma, beta, case.eps),
        *naive.batch_norm_gradients(dys, images, gamma, case.eps),
    ]
    sizes = _sizes(case, (batch_statistics(x)[1].min() + case.eps) ** -0.5)
    for a, e, size in zip(_train(case), expected, sizes, strict=True):
        assert_agrees(a, e.reshape(a.shape), magnitude=size)


@settings(max_examples=15)
@given(case=batches)
def test_backward_equals_numerical_gradients(case: Batch):
    x, gamma, beta, dy = case.arrays()

    def loss(x, gamma, beta):
        y, _ = batch_norm(x, gamma, beta, *batch_statistics(x), case.eps)
        return float((dy * y).sum())

    losses = (
        lambda a: loss(a, gamma, beta),
        lambda a: loss(x, a, beta),
        lambda a: loss(x, gamma, a),
    )
    sizes = _sizes(case, (batch_statistics(x)[1].min() + case.eps) ** -0.5)[1:]
    for a, f, at, size in zip(_train(case)[1:], losses, (x, gamma, beta), sizes, strict=True):
        numerical = naive.numerical_gradient(f, at, h=1e-4)
        assert_agrees(a, numerical, within=NUMERICAL, magnitude=size)


def test_a_normalised_batch_has_mean_beta_and_deviation_gamma():
    x = drawn(np.random.default_rng(0), (8, 3, 4, 4)) * 7 + 2
    gamma, beta = np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 5.0])
    y, _ = batch_norm(x, gamma, beta, *batch_statistics(x), eps=0.0)
    assert np.allclose(y.mean(axis=(0, 2, 3)), beta)
    assert np.allclose(y.std(axis=(0, 2, 3)), gamma)


def test_the_variance_is_divided_by_the_number_of_values():
    mean, var = batch_statistics(np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert mean.tolist() == [2, 5]
    assert var.tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1), (0, 3, 4, 4)])
def test_one_value_a_channel_is_refused(shape):
    with pytest.raises(
        ShapeError,
        match=r"needs more than one value per channel in training, .*a larger batch, or eval",
    ):
        batch_statistics(np.zeros(shape))


@pytest.mark.parametrize("shape", [(4,), (4, 3, 2), (4, 3, 2, 2, 2)])
def test_batch_statistics_of_another_rank_are_refused(shape):
    with pytest.raises(
        ShapeError, match=r"expects \(N, C\) or \(N, C, H, W\), received shape \(4,"
    ):
        batch_statistics(np.zeros(shape))


# Group normalisation.


@dataclass(frozen=True)
class Groups:
    """Images or rows of ``groups`` groups of ``each`` channels, two values a group at least."""

    n: int
    groups: int
    each: int
    image: tuple[int, ...]
    eps: float
    seed: int

    def arrays(self, dtype="float64"):
        rng = np.random.default_rng(self.seed)
        c = self.groups * self.each
        shape = (self.n, c, *self.image)
        x = frozen((rng.normal(size=shape) * 2 + rng.normal(size=1)).astype(dtype))
        return x, *(drawn(rng, s, dtype) for s in ((c,), (c,), shape))

    def run(self, dtype="float64"):
        x, gamma, beta, dy = self.arrays(dtype)
        y, x_hat, inverse = group_norm(x, self.groups, gamma, beta, self.eps)
        back = group_norm_backward(dy, frozen(x_hat), self.groups, gamma, frozen(inverse))
        return y, *back

    def sizes(self):
        """Return what the terms of (y, dx, dγ, dβ) add up to before they cancel."""
        x, gamma, beta, dy = (abs(a) for a in self.arrays())
        inverse = group_norm(self.arrays()[0], self.groups, gamma, beta, self.eps)[2].max()
        x_hat = inverse * (x + x.max())
        dx = inverse * gamma.max() * dy.max() * (1 + x_hat.max())
        return [gamma.max() * x_hat.max() + beta.max(), dx, (dy * x_hat).sum(), dy.sum()]


in_groups = st.builds(
    Groups,
    n=st.integers(1, 3),
    groups=st.integers(1, 3),
    each=st.integers(2, 3),
    image=st.sampled_from([(), (1, 1), (2, 3), (4, 1)]),
    eps=st.sampled_from([1e-5, 1e-2]),
    seed=seeds,
) | st.builds(
    Groups,  # one channel a group
    n=st.integers(1, 2),
    groups=st.integers(1, 3),
    each=st.just(1),
    image=st.sampled_from([(2, 3), (4, 1)]),
    eps=st.just(1e-3),
    seed=seeds,
)


@given(case=in_groups)
def test_group_norm_equals_the_loops(case: Groups):
    x, gamma, beta, _ = case.arrays()
    images = x.reshape(*x.shape, *(1,) * (4 - x.ndim))
    expected = naive.group_norm(images, case.groups, gamma, beta, case.eps)
    assert_agrees(case.run()[0], expected.reshape(x.shape), magnitude=case.sizes()[0])


@settings(max_examples=25)
@given(case=in_groups)
def test_the_gradients_of_group_norm_equal_numerical_ones(case: Groups):
    x, gamma, beta, dy = case.arrays()

    def loss(x, gamma, beta):
        return float((dy * group_norm(x, case.groups, gamma, beta, case.eps)[0]).sum())

    losses = (
        lambda a: loss(a, gamma, beta),
        lambda a: loss(x, a, beta),
        lambda a: loss(x, gamma, a),
    )
    pairs = zip(case.run()[1:], losses, (x, gamma, beta), case.sizes()[1:], strict=True)
    for a, f, at, size in pairs:
        numerical = naive.numerical_gradient(f, at, h=1e-4)
        assert_agrees(a, numerical, within=NUMERICAL, magnitude=size)


@pytest.mark.parametrize("dtype", DTYPES)
@given(case=in_groups)
def test_group_norm_equals_torch(case: Groups, dtype, torch):
    x, gamma, beta, dy = case.arrays(dtype)
    tx, tg, tb = (tensor(torch, a) for a in (x, gamma, beta))
    ty = torch.nn.functional.group_norm(tx, case.groups, tg, tb, case.eps)
    ty.backward(tensor(torch, dy, grad=False))
    theirs = [a.detach().numpy() for a in (ty, tx.grad, tg.grad, tb.grad)]
    names = ("y", "dx", "dgamma", "dbeta")
    for name, a, e, size in zip(names, case.run(dtype), theirs, case.sizes(), strict=True):
        assert a.dtype == dtype
        assert_agrees(a, e, magnitude=size, what=f"group_norm {name}")


def test_the_groups_of_an_image_have_mean_beta_and_do_not_see_other_images():
    x = drawn(np.random.default_rng(0), (2, 6, 4, 4)) * 7 + 2
    y, *_ = group_norm(x, 3, np.full(6, 2.0), np.full(6, -1.0), eps=0.0)
    groups = y.reshape(2, 3, -1)
    assert np.allclose(groups.mean(axis=2), -1)
    assert np.allclose(groups.std(axis=2), 2)
    alone, *_ = group_norm(x[:1], 3, np.full(6, 2.0), np.full(6, -1.0), eps=0.0)
    assert np.array_equal(alone[0], y[0])


def test_the_squares_of_half_precision_do_not_overflow():
    x = np.array([[-400.0, 400.0]], dtype=np.float16)
    y, *_ = group_norm(x, 1, np.ones(2, np.float16), np.zeros(2, np.float16))
    assert y.tolist() == [[-1, 1]]


@pytest.mark.parametrize(
    ("shape", "groups", "said"),
    [
        ((2, 6, 3, 3), 4, r"4 groups do not divide 6"),
        ((2, 6), 6, r"more than one value per group, received shape \(6,\) for 6 groups"),
        ((2, 6, 1, 1), 6, r"more than one value per group"),
    ],
)
def test_groups_that_an_image_cannot_have_are_refused(shape, groups, said):
    with pytest.raises(ShapeError, match=said):
        group_norm(np.zeros(shape), groups, np.ones(6), np.zeros(6))
