"""Losses as objects: against PyTorch, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import DTYPES, assert_agrees, drawn, tensor
from pellucid import nn
from pellucid.errors import ArgumentError

LABELS = np.array([0, 4, 2, 2, 1])


def _torch_loss(torch, name, scores):
    f, labels = torch.nn.functional, torch.from_numpy(LABELS)
    if name == "SoftmaxCrossEntropy":
        return f.cross_entropy(scores, labels)
    if name == "MulticlassHinge":  # PyTorch divides by the classes too
        return f.multi_margin_loss(scores, labels) * scores.shape[1]
    return f.mse_loss(scores, f.one_hot(labels, scores.shape[1]).to(scores.dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["SoftmaxCrossEntropy", "MulticlassHinge", "MeanSquaredError"])
def test_value_and_gradient_equal_torch(name, dtype, torch):
    scores = drawn(np.random.default_rng(0), (5, 6), dtype)
    t = tensor(torch, scores)
    expected = _torch_loss(torch, name, t)
    expected.backward()
    loss = getattr(nn, name)()
    value = loss(scores, LABELS)
    assert isinstance(value, float)
    assert value == pytest.approx(expected.item(), rel=1e-5 if dtype == "float32" else 1e-12)
    gradient = loss.backward()
    assert gradient.dtype == dtype
    assert_agrees(gradient, t.grad.numpy(), what=name)


@pytest.mark.parametrize("name", ["SoftmaxCrossEntropy", "MulticlassHinge", "MeanSquaredError"])
def test_one_hot_labels_mean_the_same(name):
    scores = drawn(np.random.default_rng(0), (5, 6))
    first, second = getattr(nn, name)(), getattr(nn, name)()
    assert first(scores, LABELS) == second(scores, np.eye(6)[LABELS])
    assert np.array_equal(first.backward(), second.backward())


@pytest.mark.parametrize("name", ["SoftmaxCrossEntropy", "MulticlassHinge", "MeanSquaredError"])
def test_backward_before_forward_teaches(name):
    with pytest.raises(ArgumentError, match=f"^{name}: backward needs a forward first"):
        getattr(nn, name)().backward()


def test_the_margin_of_the_hinge_is_its_own():
    scores = np.array([[1.0, 0.5, -3.0]])
    assert nn.MulticlassHinge()(scores, np.array([0])) == pytest.approx(0.5)
    assert nn.MulticlassHinge(margin=5)(scores, np.array([0])) == pytest.approx(4.5 + 1)


def test_a_loss_of_ones_own_says_what_it_lacks():
    class Own(nn.Loss):
        pass

    with pytest.raises(NotImplementedError, match="Own has no forward yet"):
        Own()(np.zeros((1, 2)), np.zeros(1, int))
    with pytest.raises(NotImplementedError, match="Own has no backward yet"):
        Own().backward()
    assert repr(Own()) == "Own()"
