"""Losses: against the loops, numerical gradients and PyTorch; extreme scores; labels refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import naive
from ops.strategies import seeds
from ops.witness import DTYPES, NUMERICAL, assert_agrees, drawn, frozen, tensor
from pellucid.errors import DataError, ShapeError
from pellucid.ops import (
    mean_squared_error,
    mean_squared_error_backward,
    multiclass_hinge,
    multiclass_hinge_backward,
    one_hot,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)

batches = st.integers(1, 6)
classes = st.integers(1, 10)


def _drawn(seed: int, n: int, k: int, dtype="float64"):
    rng = np.random.default_rng(seed)
    scores = frozen((3 * rng.normal(size=(n, k))).astype(dtype))
    return scores, frozen(rng.integers(0, k, size=n))


def _cross_entropy(scores, labels):
    loss, y = softmax_cross_entropy(scores, labels)
    return loss, softmax_cross_entropy_backward(frozen(y), labels)


def _hinge(scores, labels):
    loss, violated = multiclass_hinge(scores, labels)
    return loss, multiclass_hinge_backward(frozen(violated), labels, dtype=scores.dtype)


LOSSES = {"softmax_cross_entropy": _cross_entropy, "multiclass_hinge": _hinge}
both_losses = pytest.mark.parametrize("name", LOSSES)


@both_losses
@given(seed=seeds, n=batches, k=classes)
def test_loss_and_gradient_equal_the_loops(name, seed, n, k):
    scores, labels = _drawn(seed, n, k)
    loss, dx = LOSSES[name](scores, labels)
    expected, gradient = getattr(naive, name)(scores, labels)
    assert_agrees(loss, expected, magnitude=abs(scores).max() + 1)
    assert_agrees(dx, gradient, magnitude=1 / n)


@both_losses
@given(seed=seeds, n=batches, k=classes)
def test_gradient_equals_the_numerical_gradient(name, seed, n, k):
    scores, labels = _drawn(seed, n, k)
    right = scores[np.arange(n), labels][:, np.newaxis]
    assume(abs(scores - right + 1).min() > 1e-3)  # away from the kink of the hinge
    numerical = naive.numerical_gradient(lambda a: LOSSES[name](a, labels)[0], scores)
    assert_agrees(LOSSES[name](scores, labels)[1], numerical, within=NUMERICAL, magnitude=1 / n)


@pytest.mark.parametrize("dtype", DTYPES)
@both_losses
@given(seed=seeds, n=batches, k=st.integers(2, 10))
def test_loss_and_gradient_equal_torch(name, dtype, seed, n, k, torch):
    scores, labels = _drawn(seed, n, k, dtype)
    ts, tl = tensor(torch, scores), tensor(torch, labels, grad=False)
    if name == "softmax_cross_entropy":
        expected = torch.nn.functional.cross_entropy(ts, tl)
    else:
        expected = torch.nn.functional.multi_margin_loss(ts, tl) * k  # PyTorch's is a mean over K
    expected.backward()
    loss, dx = LOSSES[name](scores, labels)
    assert dx.dtype == dtype
    size = abs(scores).max() + 1
    assert_agrees(np.asarray(loss, dtype), expected.item(), magnitude=size, what=f"{name} loss")
    assert_agrees(dx, ts.grad.numpy(), magnitude=1 / n, what=f"{name} dx")


@pytest.mark.parametrize("margin", [0.5, 2.0])
def test_the_margin_of_the_hinge_is_torchs(margin, torch):
    scores, labels = _drawn(1, 5, 4)
    loss, violated = multiclass_hinge(scores, labels, margin)
    ts = tensor(torch, scores)
    expected = torch.nn.functional.multi_margin_loss(
        ts, tensor(torch, labels, grad=False), margin=margin
    )
    (expected * 4).backward()
    assert loss == pytest.approx(4 * expected.item(), rel=1e-12)
    dx = multiclass_hinge_backward(violated, labels, dtype="float64")
    assert_agrees(dx, ts.grad.numpy())


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=seeds, n=batches, k=classes)
def test_squared_error_and_its_gradient_equal_torch(dtype, seed, n, k, torch):
    rng = np.random.default_rng(seed)
    x, t = drawn(rng, (n, k), dtype), drawn(rng, (n, k), dtype)
    tx = tensor(torch, x)
    expected = torch.nn.functional.mse_loss(tx, tensor(torch, t, grad=False))
    expected.backward()
    loss = np.asarray(mean_squared_error(x, t), dtype)
    assert_agrees(loss, expected.item(), what="mean_squared_error loss")
    dx = mean_squared_error_backward(x, t)
    assert dx.dtype == dtype
    assert_agrees(dx, tx.grad.numpy(), what="mean_squared_error dx")


@given(seed=seeds, n=batches, k=classes)
def test_squared_error_gradient_equals_the_numerical_gradient(seed, n, k):
    rng = np.random.default_rng(seed)
    x, t = drawn(rng, (n, k)), drawn(rng, (n, k))
    numerical = naive.numerical_gradient(lambda a: mean_squared_error(a, t), x)
    assert_agrees(mean_squared_error_backward(x, t), numerical, within=NUMERICAL, magnitude=1)


@pytest.mark.parametrize("integer", ["int64", "int32", "uint8"])
@both_losses
@given(seed=seeds, n=batches, k=classes)
def test_integer_and_one_hot_labels_give_the_same(name, integer, seed, n, k):
    scores, labels = _drawn(seed, n, k)
    rows = frozen(np.eye(k)[labels])
    one = LOSSES[name](scores, labels.astype(integer))
    two = LOSSES[name](scores, rows)
    three = LOSSES[name](scores, rows.astype(integer))
    assert one[0] == two[0] == three[0]
    assert np.array_equal(one[1], two[1])
    assert np.array_equal(one[1], three[1])


@given(seed=seeds, n=batches, k=st.integers(2, 6))
def test_soft_labels_are_allowed_where_rows_sum_to_one(seed, n, k):
    scores, _ = _drawn(seed, n, k)
    t = np.random.default_rng(seed).random((n, k)) + 0.1
    t = frozen(t / t.sum(axis=1, keepdims=True))
    numerical = naive.numerical_gradient(lambda a: softmax_cross_entropy(a, t)[0], scores)
    assert_agrees(_cross_entropy(scores, t)[1], numerical, within=NUMERICAL, magnitude=1 / n)


@both_losses
def test_the_gradient_scales_with_the_gradient_of_the_loss(name):
    scores, labels = _drawn(2, 4, 3)
    if name == "softmax_cross_entropy":
        _, kept = softmax_cross_entropy(scores, labels)
        tripled = softmax_cross_entropy_backward(kept, labels, 3.0)
    else:
        _, kept = multiclass_hinge(scores, labels)
        tripled = multiclass_hinge_backward(kept, labels, 3.0, dtype="float64")
    assert_agrees(tripled, 3 * LOSSES[name](scores, labels)[1])
    assert_agrees(
        mean_squared_error_backward(scores, scores + 1, 3.0),
        3 * mean_squared_error_backward(scores, scores + 1),
    )


def test_the_hinge_refuses_labels_that_are_shared_between_classes():
    with pytest.raises(DataError, match=r"^loss: one-hot labels must be 0 but for a single 1"):
        multiclass_hinge(np.zeros((1, 3)), np.array([[0.5, 0.5, 0]]))


def test_the_notes_example_of_the_hinge():
    # CS231n: cat 3.2, car 5.1, frog -1.7; and 1.3, 4.9, 2.0; and 2.2, 2.5, -3.1.
    scores = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
    loss, violated = multiclass_hinge(scores, np.array([0, 1, 2]))
    assert loss == pytest.approx((2.9 + 0 + 12.9) / 3)
    assert violated.tolist() == [[False, True, False], [False] * 3, [True, True, False]]


def test_a_network_that_knows_nothing_pays_the_logarithm_of_the_classes():
    loss, y = softmax_cross_entropy(np.zeros((4, 10)), np.arange(4))
    assert loss == pytest.approx(math.log(10))
    assert np.allclose(y, 0.1)


def test_the_gradient_of_softmax_with_cross_entropy_is_y_minus_t():
    y, labels = np.array([[0.3, 0.2, 0.5], [0.01, 0.99, 0.0]]), np.array([1, 1])
    dx = softmax_cross_entropy_backward(y, labels)
    assert np.allclose(dx * 2, [[0.3, -0.8, 0.5], [0.01, -0.01, 0]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_scores_give_a_finite_loss_and_no_warning(dtype):
    scores = frozen(np.array([[1000.0, -1000.0], [1e30, 0.0]], dtype=dtype))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss, dx = _cross_entropy(scores, np.array([1, 0]))
    assert loss == 1000
    assert np.array_equal(dx, [[0.5, -0.5], [0, 0]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert _hinge(scores, np.array([1, 0]))[0] == pytest.approx(1000.5)


@both_losses
def test_another_class_may_be_ruled_out_with_minus_infinity(name):
    scores = np.array([[0.0, -np.inf, 0.0]])
    loss, dx = LOSSES[name](scores, np.array([0]))
    two, dtwo = LOSSES[name](scores[:, [0, 2]], np.array([0]))
    assert loss == pytest.approx(two)
    assert np.allclose(dx[:, [0, 2]], dtwo)
    assert dx[0, 1] == 0


def test_the_right_class_at_minus_infinity_costs_everything():
    assert softmax_cross_entropy(np.array([[0.0, -np.inf]]), np.array([1]))[0] == math.inf


@both_losses
@pytest.mark.parametrize("label", [0, 1])
def test_nan_scores_give_a_nan_loss(name, label):
    loss, dx = LOSSES[name](np.array([[np.nan, 1.0], [0.0, 1.0]]), np.array([label, 1]))
    assert math.isnan(loss)
    assert dx[0].any()


def test_nan_outputs_give_a_nan_squared_error():
    assert math.isnan(mean_squared_error(np.array([np.nan, 1.0]), np.zeros(2)))


def test_losses_are_plain_floats():
    scores, labels = _drawn(3, 4, 3, "float32")
    for loss in (_cross_entropy(scores, labels)[0], _hinge(scores, labels)[0]):
        assert type(loss) is float
    assert type(mean_squared_error(scores, scores)) is float


# Labels that are refused.


@both_losses
@pytest.mark.parametrize(("labels", "received"), [([0, 3], "0 to 3"), ([-1, 2], "-1 to 2")])
def test_labels_out_of_range_are_refused_with_what_was_received(name, labels, received):
    with pytest.raises(
        DataError,
        match=rf"loss: labels must be 0 to 2 for 3 classes, received {received}\. Count classes fr",
    ):
        LOSSES[name](np.zeros((2, 3)), np.array(labels))


@both_losses
@pytest.mark.parametrize("dtype", ["float32", "bool"])
def test_labels_that_are_no_integers_are_refused(name, dtype):
    with pytest.raises(
        DataError, match=rf"loss: labels must be integers \(class numbers\), received {dtype}"
    ):
        LOSSES[name](np.zeros((2, 3)), np.array([0, 1], dtype=dtype))


@both_losses
@pytest.mark.parametrize("shape", [(3,), (2, 1), (2, 4), (3, 3), (2, 3, 1), ()])
def test_labels_of_another_shape_are_refused(name, shape):
    with pytest.raises(
        ShapeError, match=r"expects labels of shape \(2,\), or one-hot \(2, 3\), received \("
    ):
        LOSSES[name](np.zeros((2, 3)), np.zeros(shape, dtype=int))


@both_losses
@pytest.mark.parametrize("row", [[0, 0, 0], [1, 1, 0], [0.5, 0.4, 0], [np.nan, 1, 0]])
def test_one_hot_labels_that_do_not_sum_to_one_are_refused(name, row):
    with pytest.raises(
        DataError, match="one-hot labels must be non-negative and sum to 1 in every row"
    ):
        LOSSES[name](np.zeros((1, 3)), np.array([row], dtype=float))


@both_losses
@pytest.mark.parametrize("shape", [(3,), (2, 3, 1, 1)])
def test_scores_of_another_rank_are_refused(name, shape):
    with pytest.raises(ShapeError, match=r"loss: expects scores \(N, K\), received shape \("):
        LOSSES[name](np.zeros(shape), np.array([0, 1]))


def test_targets_of_another_shape_are_refused():
    with pytest.raises(
        ShapeError,
        match=r"mean_squared_error: expects targets of shape like the outputs = \(2, 3\), received",
    ):
        mean_squared_error(np.zeros((2, 3)), np.zeros((2, 1)))


def test_one_hot_rows_have_the_dtype_of_the_scores():
    rows = one_hot(np.array([2, 0]), np.zeros((2, 3), dtype="float32"))
    assert rows.dtype == "float32"
    assert rows.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("labels", [np.array([0, 1]), np.eye(2)])
def test_a_loss_of_nothing_is_zero_without_a_sign(labels):
    scores = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    for loss in (
        softmax_cross_entropy(scores, labels)[0],
        multiclass_hinge(scores, labels)[0],
        softmax_cross_entropy(scores[:, :1], np.zeros(2, int))[0],
    ):
        assert str(loss) == "0.0"
