"""The learning rate of large batches, and what momentum makes of a rate that changes."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import nn, optim
from pellucid.errors import ArgumentError
from pellucid.nn import Parameter
from pellucid.optim import SGD, scaled_rate

LINEAR = {"sgd", "momentum", "nesterov", "lars"}


def test_a_rate_grows_with_the_batch_or_with_its_root():
    assert scaled_rate(0.1, 1024, 256) == pytest.approx(0.4)
    assert scaled_rate(0.1, 1024, 256, "sqrt") == pytest.approx(0.2)
    assert scaled_rate(0.1, 64, 256) == pytest.approx(0.025)
    assert scaled_rate(0.1, 256, 256, "sqrt") == 0.1


@pytest.mark.parametrize("rule", optim.RULES)
def test_every_rule_says_how_its_rate_grows(rule):
    assert optim.by_name(rule).batch_scaling == ("linear" if rule in LINEAR else "sqrt")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ((0.0, 64, 32), "^lr: must be a finite number above 0"),
        ((0.1, 0, 32), "^batch_size: must be a finite number above 0"),
        ((0.1, 64, -1), "^base: must be a finite number above 0"),
        ((0.1, 64, 32, "linaer"), "^scaling: 'linaer' is unknown. Did you mean 'linear'"),
    ],
)
def test_what_cannot_be_scaled_is_refused(values, match):
    with pytest.raises(ArgumentError, match=match):
        scaled_rate(*values)


def test_one_step_of_a_large_batch_is_that_of_small_ones_while_gradients_stay():
    """Goyal et al. 2017, section 2.1: the mean over all images, at k times the rate."""
    rng, loss = np.random.default_rng(0), nn.SoftmaxCrossEntropy()
    scores, labels = rng.normal(size=(64, 5)), rng.integers(0, 5, 64)
    loss(scores, labels)
    whole = loss.backward().sum(axis=0)
    parts = []
    for k in range(4):
        loss(scores[16 * k : 16 * k + 16], labels[16 * k : 16 * k + 16])
        parts.append(loss.backward().sum(axis=0))
    small, large = Parameter(np.zeros(5)), Parameter(np.zeros(5))
    for part in parts:
        small.grad = part
        SGD(0.1).step({"w": small})
    large.grad = whole
    SGD(scaled_rate(0.1, 64, 16)).step({"w": large})
    np.testing.assert_allclose(large.data, small.data, rtol=1e-12)


def test_momentum_needs_no_correction_when_the_rate_changes():
    """Goyal et al. 2017, section 3, remark 2: eq. 9 is ours, eq. 10 has η within the velocity."""
    rng = np.random.default_rng(0)
    rates = [0.1, 0.2, 0.3, 0.4, 0.4, 0.04, 0.04, 0.004]  # a warm-up and steps down
    ours, rule = Parameter(np.array([1.0, -2.0])), SGD(momentum=0.9)
    forms = {corrected: [ours.data.copy(), np.zeros(2)] for corrected in (True, False)}
    before = rates[0]
    for lr in rates:
        ours.grad = rng.normal(size=2)
        rule.step({"w": ours}, lr)
        for corrected, (w, v) in forms.items():
            v *= 0.9 * (lr / before if corrected else 1.0)
            v += lr * ours.grad
            w -= v
        before = lr
    np.testing.assert_allclose(forms[True][0], ours.data, rtol=1e-12)
    assert np.abs(forms[False][0] - ours.data).max() > 0.1
