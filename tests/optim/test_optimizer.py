"""Optimizers: names, hyperparameters, and what they refuse."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pellucid import optim
from pellucid.errors import ArgumentError, NumericsError, StateDictError
from pellucid.nn import Parameter
from pellucid.optim import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    by_name,
)


@pytest.mark.parametrize("rule", [SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam, AdamW])
def test_a_rule_is_found_by_its_name_in_any_case(rule):
    for name in (rule.__name__, rule.__name__.upper(), rule.__name__.lower()):
        assert type(by_name(name)) is rule
    assert by_name(rule.__name__).lr == rule().lr
    assert by_name(rule.__name__, lr=0.5).lr == 0.5


@pytest.mark.parametrize(("name", "near"), [("adamm", "adam"), ("Nestrov", "nesterov"), ("rms", "rmsprop")])  # fmt: skip  # noqa: E501
def test_an_unknown_name_suggests_the_nearest(name, near):
    with pytest.raises(
        ArgumentError, match=f"^optimizer: '{name}' is unknown. Did you mean '{near}'. Known: adagr"
    ):
        by_name(name)


@pytest.mark.parametrize("lr", [0, -0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("rule", [SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam, AdamW])
def test_a_learning_rate_that_leads_nowhere_is_refused(rule, lr):
    with pytest.raises(
        ArgumentError, match=rf"^lr: must be a finite number above 0, received {lr}"
    ):
        rule(lr=lr)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (Momentum, "momentum"), (Nesterov, "momentum"), (RMSprop, "decay_rate"), (Adam, "beta1"),
        (Adam, "beta2"), (AdamW, "beta1"), (AdamW, "weight_decay"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [1.0, -0.1, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(rule, name, value):
    with pytest.raises(ArgumentError, match=f"^{name}: must be at least 0 and below 1, received"):
        rule(**{name: value})


@pytest.mark.parametrize("rule", [AdaGrad, RMSprop, Adam, AdamW])
def test_an_eps_of_zero_is_refused(rule):
    with pytest.raises(ArgumentError, match=r"^eps: must be a finite number above 0, received 0"):
        rule(eps=0.0)


def test_a_parameter_without_gradient_is_named_and_none_is_updated():
    first, second, rule = Parameter(np.ones(2)), Parameter(np.ones(2)), Adam()
    first.grad = np.ones(2)
    with pytest.raises(
        NumericsError, match=r"^Adam: 'fc\.weight' has no gradient; run backward first\.$"
    ):
        rule.step({"conv.weight": first, "fc.weight": second})
    assert first.data.tolist() == [1, 1]
    assert rule.t == 0


def test_the_memory_of_another_rule_is_refused():
    p, adam = Parameter(np.ones(2)), Adam()
    p.grad = np.ones(2)
    adam.step({"w": p})
    with pytest.raises(
        StateDictError,
        match=r"^optimizer state: '[mv]\.w' is nothing that SGD remembers \(nothing\)\. Resu",
    ):
        SGD().load_state_dict(adam.state_dict())
    with pytest.raises(StateDictError, match=r"is nothing that Nesterov remembers \(v\)"):
        Nesterov().load_state_dict({"t": np.asarray(1), "m.w": np.ones(2)})


@pytest.mark.parametrize(
    ("state", "lacking"),
    [({}, "'t'"), ({"t": np.asarray(1), "m.a": np.ones(2), "v.b": np.ones(2)}, "'m.b', 'v.a'")],
)
def test_a_state_that_is_not_whole_is_refused_with_what_it_lacks(state, lacking):
    with pytest.raises(StateDictError, match=rf"^optimizer state: lacks {lacking}\. Resume"):
        Adam().load_state_dict(state)


def test_a_refused_state_changes_nothing():
    p, rule = Parameter(np.ones(2)), Momentum()
    p.grad = np.ones(2)
    rule.step({"w": p})
    before = rule.state_dict()
    with pytest.raises(StateDictError, match="remembers"):
        rule.load_state_dict({"t": np.asarray(9), "v.w": np.zeros(2), "h.w": np.zeros(2)})
    after = rule.state_dict()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", optim.RULES)
def test_config_and_repr_build_the_same_rule(name):
    rule = by_name(name, lr=0.123)
    assert type(rule)(**rule.config()).config() == rule.config()
    again = eval(repr(rule), vars(optim))
    assert again.config() == rule.config()
    assert re.match(rf"{type(rule).__name__}\(lr=0\.123", repr(rule))


def test_a_rule_without_a_formula_says_so():
    class Empty(Optimizer):
        pass

    p = Parameter(np.ones(1))
    p.grad = np.ones(1)
    with pytest.raises(NotImplementedError, match="Empty has no update yet"):
        Empty().step({"w": p})
