"""Softmax and the losses equal their ops to 1e-6; a NaN is seen, and a label that is no class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.witness import assert_agrees
from pellucid import ops
from pellucid.kernels import losses
from pellucid.kernels.blocks import BLOCK
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads


def _drawn(n, k, scale=3.0, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=scale, size=(n, k)).astype(np.float32)
    return scores, rng.integers(0, k, n)


def _loss(kernel, scores, labels, *constants, tasks=1):
    dy, parts = np.full_like(scores, np.nan), np.full(tasks, np.nan)
    bounds = np.arange(tasks + 1) * len(scores) // tasks
    run(kernel, tasks, scores, labels, dy, parts, bounds, len(scores), *constants)
    return parts.sum() / len(scores), dy


def _softmax(x, tasks=1):
    y = np.full_like(x, np.nan)
    run(losses.softmax, tasks, x, y, tasks)
    return y


cases = given(
    n=st.integers(1, 40), k=st.integers(1, 50), scale=st.sampled_from([0.1, 3.0, 60.0]),
    seed=st.integers(0, 99), tasks=st.integers(1, 5),
)  # fmt: skip


@cases
def test_softmax_is_its_op(n, k, scale, seed, tasks):
    x, _ = _drawn(n, k, scale, seed)
    dy, _ = _drawn(n, k, 1.0, seed + 1)
    y, dx = _softmax(x, tasks), np.full_like(x, np.nan)
    assert_agrees(y, ops.softmax(x.astype(np.float64)), within=1e-6)
    run(losses.softmax_backward, tasks, dy, y, dx, tasks)
    exact_dy, exact_y = dy.astype(np.float64), y.astype(np.float64)
    magnitude = abs(dy).max() * y.max()
    assert_agrees(dx, ops.softmax_backward(exact_dy, exact_y), within=1e-6, magnitude=magnitude)


@cases
def test_cross_entropy_is_its_op(n, k, scale, seed, tasks):
    x, labels = _drawn(n, k, scale, seed)
    loss, dy = _loss(losses.cross_entropy, x, labels, tasks=tasks)
    expected, y = ops.softmax_cross_entropy(x.astype(np.float64), labels)
    # Where every image is sure of its class, the loss is a difference of scores.
    assert_agrees(loss, expected, within=1e-6, magnitude=max(expected, abs(x).max()))
    expected_dy = ops.softmax_cross_entropy_backward(y, labels)
    assert_agrees(dy, expected_dy, within=1e-6, magnitude=1 / n)


@cases
def test_multiclass_hinge_is_its_op(n, k, scale, seed, tasks):
    x, labels = _drawn(n, k, scale, seed)
    loss, dy = _loss(losses.multiclass_hinge, x, labels, 0.7, tasks=tasks)
    expected, violated = ops.multiclass_hinge(x, labels, 0.7)  # float32: who is just violated?
    assert_agrees(loss, expected, within=1e-5)
    assert_agrees(dy, ops.multiclass_hinge_backward(violated, labels, dtype=np.float64))


@cases
def test_squared_error_is_its_op(n, k, scale, seed, tasks):
    x, labels = _drawn(n, k, scale, seed)
    loss, dy = _loss(losses.squared_error, x, labels, tasks=tasks)
    exact = x.astype(np.float64)
    t = ops.one_hot(labels, exact)
    assert_agrees(loss, ops.mean_squared_error(exact, t), within=1e-6)
    assert_agrees(dy, ops.mean_squared_error_backward(exact, t), within=1e-6)


def test_scores_of_any_size_overflow_nothing():
    x = np.array([[1e38, -1e38, 0], [-1e38, -1e38, -1e38]], np.float32)
    np.testing.assert_array_equal(_softmax(x)[0], [1, 0, 0])
    loss, dy = _loss(losses.cross_entropy, x, np.array([0, 1]))
    assert loss == pytest.approx(np.log(3) / 2)
    assert np.isfinite(dy).all()


@pytest.mark.parametrize("k", range(1, 11))
def test_the_largest_score_is_found_wherever_it_is(k):
    x = np.where(np.eye(k) == 1, 1e30, -1e30).astype(np.float32)
    np.testing.assert_array_equal(_softmax(x), np.eye(k))
    loss, dy = _loss(losses.cross_entropy, x, np.arange(k))
    assert loss == 0
    assert not dy.any()


def test_a_class_that_is_not_asked_for_may_be_impossible():
    x = np.array([[0, -np.inf, 1, 2]], np.float32)
    loss, dy = _loss(losses.cross_entropy, x, np.array([3]))
    assert loss == pytest.approx(ops.softmax_cross_entropy(x, np.array([3]))[0])
    assert dy[0, 1] == 0
    assert _loss(losses.cross_entropy, x, np.array([1]))[0] == np.inf


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", range(6))
def test_what_is_not_finite_is_seen(bad, place):
    x, labels = _drawn(4, 6)
    labels[2] = 1
    x[2, place] = bad
    assert np.isnan(_softmax(x)).any(axis=1).tolist() == [False, False, True, False]
    assert np.isnan(_loss(losses.cross_entropy, x, labels)[0])
    loss, _ = _loss(losses.multiclass_hinge, x, labels, 1.0)
    assert np.isfinite(loss) == (bad == np.inf and place == 1)  # the right class is far ahead
    with np.errstate(invalid="ignore"):
        assert np.isfinite(loss) == np.isfinite(ops.multiclass_hinge(x, labels)[0])
    loss, dy = _loss(losses.squared_error, x, labels)
    assert not np.isfinite(loss)
    assert not np.isfinite(dy[2, place])


@pytest.mark.parametrize("label", [-1, 6, 2**40])
@pytest.mark.parametrize(
    ("kernel", "constants"),
    [(losses.cross_entropy, ()), (losses.multiclass_hinge, (1.0,)), (losses.squared_error, ())],
)
def test_a_label_that_is_no_class_makes_the_loss_nan(kernel, constants, label):
    x, labels = _drawn(4, 6)
    assert np.isfinite(_loss(kernel, x, labels, *constants)[0])
    labels[1] = label
    assert np.isnan(_loss(kernel, x, labels, *constants)[0])


def test_the_bits_do_not_depend_on_the_threads():
    before, results = get_num_threads(), []
    x, labels = _drawn(300, 3 * BLOCK // 300)
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            loss, dy = _loss(losses.cross_entropy, x, labels, tasks=4)
            results.append((loss, dy.tobytes(), _softmax(x, 4).tobytes()))
    finally:
        set_num_threads(before)
    assert results[0] == results[1] == results[2]
