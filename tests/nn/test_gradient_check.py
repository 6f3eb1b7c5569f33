"""The gradient check itself: it must find what is wrong, and nothing else."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nn.cases import CASES
from ops.witness import drawn
from pellucid import nn
from pellucid.errors import ArgumentError, NumericsError
from pellucid.models import SimpleConvNet
from pellucid.nn import (
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    Parameter,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    Tanh,
    gradcheck,
    numerical_gradient,
)

X = drawn(np.random.default_rng(0), (3, 2, 6, 6))


class WrongSign(Tanh):
    def backward(self, dy):
        return -super().backward(dy)


class MissingFactor(nn.Sigmoid):
    def backward(self, dy):
        (y,) = self.recall()
        return dy * y  # without (1 - y)


class ForgottenBias(Conv2d):
    def backward(self, dy):
        dx = super().backward(dy)
        self.bias.grad = dy.sum(axis=(0, 2))[:, 0]  # one axis is missing
        return dx


class OneWrongWeight(Conv2d):
    def backward(self, dy):
        dx = super().backward(dy)
        self.weight.grad[1, 0, 2, 1] *= 1.001
        return dx


class MeanInsteadOfSum(Linear):
    def backward(self, dy):
        dx = super().backward(dy)
        self.weight.grad /= len(dy)
        return dx


class TooLateByOne(MaxPool2d):
    def backward(self, dy):
        return np.roll(super().backward(dy), 1, axis=-1)


class NotANumber(Tanh):
    def backward(self, dy):
        return super().backward(dy) * np.nan


@pytest.mark.parametrize(
    ("layer", "x", "found"),
    [
        (WrongSign(), X, "input"),
        (MissingFactor(), X, "input"),
        (ForgottenBias(2, 3, 3), X, "bias"),
        (OneWrongWeight(2, 3, 3), X, "weight"),
        (MeanInsteadOfSum(5, 2), drawn(np.random.default_rng(1), (4, 5)), "weight"),
        (TooLateByOne(2), X, "input"),
        (NotANumber(), X, "input"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "",
)
def test_a_wrong_backward_is_found_in_the_right_array(layer, x, found):
    report = gradcheck(layer, x, samples=None)
    assert not report.worst < 1e-4
    assert [row.name for row in report.rows if not row.error < 1e-6] == [found]


def test_the_place_of_the_worst_entry_is_said():
    report = gradcheck(OneWrongWeight(2, 3, 3), X, samples=None)
    row = {row.name: row for row in report.rows}["weight"]
    assert row.where == (1, 0, 2, 1)
    assert row.analytic == pytest.approx(1.001 * row.numerical)
    assert row.error == pytest.approx(0.001, rel=0.01)


def test_a_gradient_where_there_is_none_is_found():
    class Invented(Layer):
        def forward(self, x):
            self.remember(x)
            return x.sum(axis=1, keepdims=True) - x.sum(axis=1, keepdims=True)

        def backward(self, dy):
            return 0.01 * np.ones_like(self.recall()[0])

    assert gradcheck(Invented(), drawn(np.random.default_rng(0), (2, 3))).worst == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6])
def test_one_gradient_of_many_that_is_not_finite_or_far_too_large_is_always_found(value):
    class OneBad(Layer):
        def forward(self, x):
            return 2 * x

        def backward(self, dy):
            dx = 2 * dy
            dx[3, 7] = value
            return dx

    report = gradcheck(OneBad(), np.ones((10, 10)), samples=2)
    (row,) = report.rows
    assert row.where == (3, 7)
    assert row.checked == 2
    assert report.worst > 0.9


def test_a_gradient_that_is_not_finite_is_found_where_no_slope_can_be_told():
    class NanAtZero(ReLU):
        def backward(self, dy):
            return np.where(self.recall()[0] == 0, np.nan, super().backward(dy))

    assert gradcheck(NanAtZero(), np.array([[1.0, 0.0, -1.0]])).worst == np.inf


def test_a_wrong_gradient_deep_inside_a_network_is_found():
    rng = np.random.default_rng(0)
    model = Sequential(
        good=Conv2d(2, 3, 3, rng=rng), relu=ReLU(), bad=ForgottenBias(3, 2, 2, rng=rng),
        flat=Flatten(), fc=Linear(18, 4, rng=rng),
    )  # fmt: skip
    report = gradcheck(model, X, np.array([0, 3, 1]), SoftmaxCrossEntropy())
    assert [row.name for row in report.rows if row.error > 1e-6] == ["bad.bias"]


# Kinks.


def test_an_entry_exactly_on_the_kink_of_a_relu_is_skipped_not_reported():
    x = np.array([[1.0, 0.0, -1.0, 0.0, 2.0]])
    report = gradcheck(ReLU(), x, samples=None)
    assert (report.rows[0].checked, report.rows[0].skipped) == (3, 2)
    assert report.worst < 1e-9


def test_an_entry_near_a_kink_is_checked_with_smaller_steps():
    x = np.array([[1e-3, -1e-3, 3e-5]])  # all nearer than the first step of 1e-2
    report = gradcheck(ReLU(), x, samples=None)
    assert (report.rows[0].checked, report.rows[0].skipped) == (3, 0)
    assert report.worst < 1e-6


def test_ties_of_a_maximum_are_skipped_not_reported():
    x = np.array([[[[1.0, 1.0, 3.0, 0.0], [0.0, -1.0, 1.0, 2.0]]]])
    report = gradcheck(MaxPool2d(2), x, samples=None)
    assert (report.rows[0].checked, report.rows[0].skipped) == (6, 2)
    assert report.worst < 1e-9


def test_a_network_of_relus_and_maxima_is_checked_almost_everywhere():
    rng = np.random.default_rng(3)
    model = SimpleConvNet((1, 8, 8), 4, 12, "he", filters=5, rng=rng)
    x = rng.normal(size=(4, 1, 8, 8))
    report = gradcheck(model, x, np.array([0, 1, 2, 3]), SoftmaxCrossEntropy(), samples=40)
    assert report.worst < 1e-6
    assert sum(r.skipped for r in report.rows) < 0.5 * sum(r.checked for r in report.rows)
    assert all(row.checked for row in report.rows)


@pytest.mark.parametrize("loss", [nn.SoftmaxCrossEntropy, nn.MulticlassHinge, nn.MeanSquaredError])
def test_every_loss_is_checked(loss):
    x = drawn(np.random.default_rng(0), (4, 5))
    model = Linear(5, 3, rng=np.random.default_rng(1))
    report = gradcheck(model, x, np.array([0, 2, 1, 1]), loss(), samples=None)
    assert report.worst < 1e-6
    assert all(row.checked > 0 for row in report.rows)


# What it does not do.


def test_the_model_and_its_input_stay_untouched():
    (case,) = (case for case in CASES if case.id == "Sequential")
    model, (x, dy) = case.layer(), case.arrays(np.float32)
    model(x)
    model.backward(dy)
    before = model.state_dict()
    gradients = {name: p.grad for name, p in model.parameters().items()}
    drop = model["more"]["drop"]
    draws = drop.rng.bit_generator.state
    gradcheck(model, x)
    after = model.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)
    assert [array.dtype for array in before.values()] == [array.dtype for array in after.values()]
    assert all(p.grad is gradients[name] for name, p in model.parameters().items())
    assert drop.rng.bit_generator.state == draws
    assert model.training


def test_the_mode_of_the_model_is_the_one_that_is_checked():
    dropout, x = Dropout(0.5, "book", rng=np.random.default_rng(0)), np.ones((1, 30))
    assert gradcheck(dropout, x, samples=None).worst < 1e-6
    assert gradcheck(dropout.eval(), x, samples=None).worst < 1e-6


def test_only_so_many_entries_of_each_array_are_checked_and_always_the_same():
    layer = Conv2d(2, 3, 3, rng=np.random.default_rng(0))
    report = gradcheck(layer, X, samples=7)
    counts = {row.name: row.checked + row.skipped for row in report.rows}
    assert counts == {"weight": 7, "bias": 3, "input": 7}
    assert gradcheck(layer, X, samples=7) == report
    other = gradcheck(layer, X, samples=7, rng=np.random.default_rng(5))
    assert other.rows[0].where != report.rows[0].where
    everything = gradcheck(layer, X, samples=None)
    assert {r.name: r.checked + r.skipped for r in everything.rows} == {
        "weight": 54, "bias": 3, "input": X.size,
    }  # fmt: skip


def test_a_layer_that_may_draw_but_has_no_generator_yet_is_checked():
    class Quiet(Tanh):
        rng = None

    assert gradcheck(Quiet(), X).worst < 1e-6


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_is_refused(value):
    x = np.array(X)
    x[0, 0, 0, 0] = value
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(
            NumericsError, match=r"^gradcheck: needs a finite loss, received (nan|-?inf)"
        ),
    ):
        gradcheck(Conv2d(2, 3, 3, rng=np.random.default_rng(0)), x)


def test_a_loss_without_labels_is_refused():
    with pytest.raises(
        ArgumentError, match=r"^gradcheck: needs labels to compute the loss: give `labels`\.$"
    ):
        gradcheck(Flatten(), X, loss=SoftmaxCrossEntropy())


def test_a_parameter_that_backward_forgets_is_named():
    class Forgetful(Layer):
        def __init__(self):
            self.gain = Parameter(np.ones(1))

        def forward(self, x):
            return x * self.gain.data

        def backward(self, dy):
            return dy * self.gain.data

    with pytest.raises(NumericsError, match=r"^gradcheck: backward left no gradient for 'gain'\.$"):
        gradcheck(Forgetful(), X)


def test_the_report_prints_one_row_an_array():
    report = gradcheck(Conv2d(2, 3, 3, rng=np.random.default_rng(0)), X, samples=5)
    header, rule, *rows = str(report).splitlines()
    assert header.split() == [
        "array", "shape", "checked", "skipped", "worst", "error", "at", "backward", "numerical",
    ]  # fmt: skip
    assert set(rule) == {"-"}
    assert [re.split(r"\s{2,}", row)[:4] for row in rows] == [
        ["weight", "3x2x3x3", "5", "0"],
        ["bias", "3", "3", "0"],
        ["input", "3x2x6x6", "5", "0"],
    ]


# numerical_gradient.


def test_the_numerical_gradient_of_a_known_function():
    x = drawn(np.random.default_rng(0), (3, 4)).copy()
    gradient = numerical_gradient(lambda x: float(np.sin(x).sum() + x[0, 1] * x[2, 3]), x)
    expected = np.cos(x)
    expected[0, 1] += x[2, 3]
    expected[2, 3] += x[0, 1]
    assert np.abs(gradient - expected).max() < 1e-7


def test_integers_are_refused_as_they_cannot_move_by_h():
    with pytest.raises(
        ArgumentError, match=r"^numerical_gradient: expects floating-point numbers, received int64"
    ):
        numerical_gradient(lambda x: float((x**2).sum()), np.array([3, 4], dtype=np.int64))


def test_the_step_is_h():
    x = np.array([2.0])
    # (f(x+h) - f(x-h)) / 2h of x³ is 3x² + h², exactly.
    for h in (0.5, 0.1):
        assert numerical_gradient(lambda x: float(x[0] ** 3), x, h)[0] == pytest.approx(12 + h * h)


def test_x_is_as_before_also_when_f_fails():
    x = np.array([[1.1, 2.2], [3.3, 4.4]])
    before, calls = x.copy(), []

    def fails(x):
        calls.append(x.copy())
        if len(calls) == 6:
            raise RuntimeError("in the middle")
        return float(x.sum())

    with pytest.raises(RuntimeError, match="in the middle"):
        numerical_gradient(fails, x)
    assert np.array_equal(x, before)
    assert not np.array_equal(calls[-1], before)
    numerical_gradient(lambda x: float(x.sum()), x)
    assert np.array_equal(x, before)


def test_a_report_in_which_nothing_could_be_checked_passes_no_limit():
    report = gradcheck(nn.ReLU(), np.zeros((2, 3)))
    assert report.rows[0].checked == 0
    assert not report.worst < 1e-6
