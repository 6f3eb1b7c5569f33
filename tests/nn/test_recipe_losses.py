"""Class weights, label smoothing and soft labels: those of PyTorch, in the ops and the kernel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.witness import assert_agrees
from pellucid import ops
from pellucid.engine import CPU
from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.kernels import losses
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads
from pellucid.kernels.tree import tree_sum
from pellucid.nn import MulticlassHinge, SoftmaxCrossEntropy

CLASSES = 5
WEIGHTS = (0.5, 1.0, 2.0, 3.5, 0.1)
KINDS = {
    "weights": {"class_weights": WEIGHTS},
    "smoothing": {"label_smoothing": 0.1},
    "both": {"class_weights": WEIGHTS, "label_smoothing": 0.3},
    "plain": {},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def drawn(n=20, seed=0, soft=False):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(scale=3, size=(n, CLASSES)), rng.integers(0, CLASSES, n)
    if soft:
        other = rng.integers(0, CLASSES, n)
        share = rng.random((n, 1))
        labels = share * np.eye(CLASSES)[labels] + (1 - share) * np.eye(CLASSES)[other]
    return scores, labels


def of_torch(torch, scores, labels, class_weights=None, label_smoothing=0.0):
    x = torch.tensor(scores, requires_grad=True)
    weight = None if class_weights is None else torch.tensor(class_weights, dtype=x.dtype)
    loss = torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=label_smoothing)(
        x, torch.tensor(labels)
    )
    loss.backward()
    return loss.item(), x.grad.numpy()


@every_kind
def test_the_loss_of_integer_labels_is_that_of_torch(kind, torch):
    scores, labels = drawn()
    expected, gradient = of_torch(torch, scores, labels, **KINDS[kind])
    loss = SoftmaxCrossEntropy(**KINDS[kind])
    assert loss(scores, labels) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(loss.backward(), gradient, rtol=1e-9, atol=1e-14)


@every_kind
def test_the_loss_of_soft_labels_is_that_of_torch_but_for_the_mean(kind, torch):
    scores, labels = drawn(soft=True)
    options = KINDS[kind]
    expected, gradient = of_torch(torch, scores, labels, **options)
    # Torch divides by N where labels are soft, and by the weights of the labels otherwise.
    total = (labels * options.get("class_weights", 1.0)).sum()
    loss = SoftmaxCrossEntropy(**options)
    assert loss(scores, labels) == pytest.approx(expected * len(scores) / total, rel=1e-12)
    np.testing.assert_allclose(
        loss.backward(), gradient * len(scores) / total, rtol=1e-9, atol=1e-14
    )


@every_kind
def test_one_hot_labels_are_integer_labels(kind):
    scores, labels = drawn()
    one, other = SoftmaxCrossEntropy(**KINDS[kind]), SoftmaxCrossEntropy(**KINDS[kind])
    assert one(scores, labels) == other(scores, np.eye(CLASSES)[labels])
    np.testing.assert_array_equal(one.backward(), other.backward())


@every_kind
@pytest.mark.parametrize("soft", [False, True])
def test_the_gradient_is_the_numerical_one(kind, soft):
    scores, labels = drawn(4, soft=soft)
    loss = SoftmaxCrossEntropy(**KINDS[kind])
    loss(scores, labels)
    gradient, step = loss.backward(), 1e-6
    for k in np.ndindex(*scores.shape):
        moved = scores.copy()
        moved[k] += step
        up = loss(moved, labels)
        moved[k] -= 2 * step
        assert (up - loss(moved, labels)) / (2 * step) == pytest.approx(gradient[k], abs=1e-7)


@every_kind
@pytest.mark.parametrize("soft", [False, True])
def test_the_kernel_is_the_loss(kind, soft):
    scores, labels = drawn(130, soft=soft)
    x = scores.astype(np.float32)
    plain = SoftmaxCrossEntropy(**KINDS[kind])
    fused = CPU.loss(plain)
    loss = fused(x, labels)
    assert fused._memory is not None
    exact = SoftmaxCrossEntropy(**KINDS[kind])
    assert_agrees(loss, exact(x.astype(np.float64), labels), within=1e-6)
    assert_agrees(fused.backward(), exact.backward(), within=1e-6)
    bits, threads = [], get_num_threads()
    try:
        for count in {1, threads}:
            set_num_threads(count)
            bits.append((fused(x, labels), fused.backward().copy()))
    finally:
        set_num_threads(threads)
    assert all(one == bits[0][0] for one, _ in bits)
    assert all(np.array_equal(dy, bits[0][1]) for _, dy in bits)


@given(
    n=st.integers(1, 40), k=st.integers(1, 50), scale=st.sampled_from([0.1, 3.0, 60.0]),
    seed=st.integers(0, 99), tasks=st.integers(1, 5),
)  # fmt: skip
def test_the_kernel_is_its_op(n, k, scale, seed, tasks):
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=scale, size=(n, k)).astype(np.float32)
    labels = rng.dirichlet(np.ones(k), n).astype(np.float32)
    weights = rng.uniform(0.1, 3, k)
    q, total = ops.cross_entropy_targets(labels, x, weights, 0.2)
    dy, parts = np.full_like(x, np.nan), np.full(tasks, np.nan)
    bounds = np.arange(tasks + 1) * n // tasks
    run(losses.soft_cross_entropy, tasks, x, q, dy, parts, bounds, total)
    exact, y = ops.softmax_cross_entropy(x.astype(np.float64), labels, weights, 0.2)
    assert_agrees(parts.sum() / total, exact, within=2e-6, magnitude=max(exact, abs(x).max()))
    expected = ops.softmax_cross_entropy_backward(y, labels, 1.0, weights, 0.2)
    assert_agrees(dy, expected, within=3e-6, magnitude=weights.max() / total)


def test_a_smoothed_loss_is_a_tree_over_chunks_of_the_batch():
    scores, labels = drawn(20)
    x = scores.astype(np.float32)
    whole = CPU.loss(SoftmaxCrossEntropy(label_smoothing=0.1))
    loss, dy = whole(x, labels), whole.backward().copy()
    parts, gradients = [], []
    for c in range(4):
        part = CPU.loss(SoftmaxCrossEntropy(label_smoothing=0.1))
        parts.append(part(x[5 * c :][:5], labels[5 * c :][:5]))
        gradients.append(part.backward() / 4)
    assert loss == pytest.approx(float(tree_sum(np.array(parts))) / 4, rel=1e-12)
    np.testing.assert_allclose(np.concatenate(gradients), dy, rtol=1e-5, atol=1e-9)


@every_kind
def test_a_nan_shows_and_a_class_of_probability_0_is_no_nan(kind):
    x, labels = drawn(6)
    x = x.astype(np.float32)
    fused = CPU.loss(SoftmaxCrossEntropy(**KINDS[kind]))
    x[3, 2] = np.nan
    assert np.isnan(fused(x, labels))
    one_hot = np.eye(CLASSES, dtype=np.float32)[labels]
    x[3] = [0, 1, -np.inf, 2, 3]
    one_hot[3] = [0, 0, 0, 1, 0]
    if "label_smoothing" not in KINDS[kind]:
        assert np.isfinite(fused(x, one_hot))


def test_the_evaluated_loss_is_plain():
    loss = SoftmaxCrossEntropy(WEIGHTS, 0.1)
    assert repr(loss.plain()) == "SoftmaxCrossEntropy()"
    same, hinge = SoftmaxCrossEntropy(), MulticlassHinge(0.5)
    assert same.plain() is same
    assert hinge.plain() is hinge
    assert repr(loss) == (
        "SoftmaxCrossEntropy(class_weights=[0.5, 1.0, 2.0, 3.5, 0.1], label_smoothing=0.1)"
    )


@pytest.mark.parametrize("weights", [[], [1, 0], [1, -2], [1, np.nan], [np.inf], ["a"], [[1.0]]])
def test_weights_that_are_no_positive_numbers_are_refused(weights):
    with pytest.raises(ArgumentError, match=r"^class_weights: must be a finite number above 0"):
        SoftmaxCrossEntropy(weights)


@pytest.mark.parametrize("smoothing", [1.0, 1.5, -0.1, np.nan, "0.1", True])
def test_a_smoothing_that_leaves_nothing_of_the_label_is_refused(smoothing):
    with pytest.raises(ArgumentError, match=r"^label_smoothing: must be "):
        SoftmaxCrossEntropy(label_smoothing=smoothing)


def test_labels_that_do_not_fit_are_refused_alike():
    x = np.zeros((3, CLASSES), np.float32)
    for loss in (SoftmaxCrossEntropy(label_smoothing=0.1), SoftmaxCrossEntropy(WEIGHTS)):
        for each in (loss, CPU.loss(loss)):
            with pytest.raises(DataError, match="labels must be 0 to 4 for 5 classes"):
                each(x, np.array([0, 5, 1]))
            with pytest.raises(DataError, match="sum to 1"):
                each(x, np.ones((3, CLASSES), np.float32))
            with pytest.raises(ShapeError, match=r"expects labels of shape \(3,\)"):
                each(x, np.array([0, 1]))
    for each in (SoftmaxCrossEntropy([1.0, 2.0]), CPU.loss(SoftmaxCrossEntropy([1.0, 2.0]))):
        with pytest.raises(ArgumentError, match=r"^class_weights: must be one number for each"):
            each(x, np.array([0, 1, 2]))
