"""Optimizers: names, hyperparameters, and what they refuse."""

from __future__ import annotations

import copy
import json
import pickle
import re

import numpy as np
import pytest

from pellucid import optim
from pellucid.errors import ArgumentError, NumericsError, StateDictError
from pellucid.nn import Parameter
from pellucid.optim import LAMB, LARS, SGD, AdaGrad, Adam, AdamW, Optimizer, RMSprop, by_name

EVERY = [SGD, AdaGrad, RMSprop, Adam, AdamW, LARS, LAMB]


@pytest.mark.parametrize("rule", EVERY)
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
@pytest.mark.parametrize("rule", EVERY)
def test_a_learning_rate_that_leads_nowhere_is_refused(rule, lr):
    with pytest.raises(
        ArgumentError, match=rf"^lr: must be a finite number above 0, received {lr}"
    ):
        rule(lr=lr)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (SGD, "momentum"), (LARS, "momentum"), (RMSprop, "alpha"),
        *((rule, f"betas[{k}]") for rule in (Adam, AdamW, LAMB) for k in (0, 1)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [1.0, -0.1, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(rule, name, value):
    options = {name: value}
    if name.startswith("betas"):
        options = {"betas": (value, 0.9) if name == "betas[0]" else (0.9, value)}
    refusal = rf"^{re.escape(name)}: must be at least 0 and below 1, received"
    with pytest.raises(ArgumentError, match=refusal):
        rule(**options)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "1"])
@pytest.mark.parametrize("rule", EVERY)
def test_a_weight_decay_that_makes_weights_grow_is_refused(rule, value):
    with pytest.raises(ArgumentError, match=r"^weight_decay: must be a finite number, 0 or more"):
        rule(weight_decay=value)


@pytest.mark.parametrize("betas", [0.9, (0.9,), (0.9, 0.99, 0.999), None])
def test_betas_are_two(betas):
    with pytest.raises(ArgumentError, match=r"^betas: must be two numbers.*\(0\.9, 0\.999\); rec"):
        Adam(betas=betas)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(
        ArgumentError, match=r"^nesterov: needs a momentum above 0: give momentum=0\.9"
    ):
        SGD(nesterov=True)


@pytest.mark.parametrize("rule", EVERY)
def test_parameters_given_to_an_optimizer_are_refused_with_what_to_write(rule):
    p = {"w": Parameter(np.ones(2))}
    for given in (p, p.values(), iter(p.values()), [Parameter(np.ones(2))]):
        for write in (lambda x: rule(x, lr=0.1), lambda x: rule(params=x), rule):
            with pytest.raises(
                ArgumentError, match=rf"^{rule.__name__}: takes no param.*{rule.__name__}\(lr="
            ):
                write(given)


@pytest.mark.parametrize(
    ("rule", "name", "here"),
    [
        (SGD, "learning_rate", "lr"), (Adam, "epsilon", "eps"), (RMSprop, "decay_rate", "alpha"),
        (RMSprop, "rho", "alpha"), (Adam, "beta1", r"betas=\(beta1, beta2\)"),
        (AdamW, "beta_2", r"betas=\(beta1, beta2\)"),
    ],
)  # fmt: skip
def test_a_constant_by_the_name_it_has_elsewhere_is_told_its_name_here(rule, name, here):
    with pytest.raises(ArgumentError, match=f"^{name}: is called {here} here"):
        rule(**{name: 0.5})
    with pytest.raises(TypeError, match="unexpected keyword argument 'warmth'"):
        rule(warmth=0.5)


def test_the_rate_of_a_step_may_be_given_with_it():
    rule, p = SGD(lr=1.0), Parameter(np.zeros(1))
    p.grad = np.ones(1)
    rule.step({"w": p}, lr=0.25)
    assert (p.data[0], rule.lr) == (-0.25, 1.0)
    with pytest.raises(ArgumentError, match=r"^lr: must be a finite number, 0 or more"):
        rule.step({"w": p}, lr=-1)


def test_a_formula_sees_the_rate_and_the_step_of_its_weights_and_the_optimizer_stays_as_it_is():
    seen = []

    class Looks(Optimizer):
        def update(self, w, g, lr, t):
            seen.append((lr, t, self.lr, self.t))

    rule, parameters = Looks(0.5), {k: Parameter(np.ones(1)) for k in "ab"}
    for k, p in enumerate(parameters.values()):
        p.grad, p.rate = np.ones(1), 1.0 / (1 + k)
    rule.step(parameters)
    rule.step(parameters, lr=2)
    assert seen == [(0.5, 1, 0.5, 1), (0.25, 1, 0.5, 1), (2.0, 2, 0.5, 2), (1.0, 2, 0.5, 2)]


def test_a_momentum_that_is_set_later_begins_with_no_velocity_and_one_of_zero_keeps_none():
    rule, p = SGD(1.0), Parameter(np.zeros(1))
    p.grad = np.ones(1)
    rule.step({"w": p})
    rule.momentum = 0.5
    for _ in range(2):
        rule.step({"w": p})
    assert p.data[0] == -1 - 1 - 1.5
    assert rule.state_dict().keys() == {"t", "v.w"}
    rule.momentum = 0.0
    assert rule.state_dict().keys() == {"t"}
    rule.step({"w": p})
    assert p.data[0] == -4.5


@pytest.mark.parametrize("fast", [False, True])
def test_a_failed_step_forgets_the_velocity_it_began(fast):
    class Fails(SGD):
        def update(self, w, g, lr, t, v=None):
            super().update(w, g, lr, t, v)
            raise ValueError("enough")

    rule, p = Fails(1.0), Parameter(np.zeros(1))
    p.grad = np.ones(1)
    rule.momentum = 0.5
    with pytest.raises(ValueError, match="enough"):
        rule.step({"w": p}, kernel=(lambda _, steps: steps) if fast else None)
    assert (p.data[0], rule.t, rule.memory, rule.counts) == (0, 0, {}, {})


@pytest.mark.parametrize("rule", [AdaGrad, RMSprop, Adam, AdamW, LAMB])
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
        match=r"^optimizer state: '[mv]\.w' is not part of the memory of SGD\(.* \(nothing\)\. R",
    ):
        SGD().load_state_dict(adam.state_dict())
    with pytest.raises(StateDictError, match=r"is not part of the memory of SGD\(.*\) \(v\)"):
        by_name("nesterov").load_state_dict({"t": np.asarray(1), "m.w": np.ones(2)})


@pytest.mark.parametrize(
    ("state", "lacking"),
    [({}, "'t'"), ({"t": np.asarray(1), "m.a": np.ones(2), "v.b": np.ones(2)}, "'m.b', 'v.a'")],
)
def test_a_state_that_is_not_whole_is_refused_with_what_it_lacks(state, lacking):
    with pytest.raises(StateDictError, match=rf"^optimizer state: lacks {lacking}\. Resume"):
        Adam().load_state_dict(state)


def test_a_refused_state_changes_nothing():
    p, rule = Parameter(np.ones(2)), by_name("momentum")
    p.grad = np.ones(2)
    rule.step({"w": p})
    before = rule.state_dict()
    with pytest.raises(StateDictError, match="is not part of the memory"):
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


def _stepped(rule: Optimizer, *names: str, dtype: type = np.float64, g: float = 0.5) -> dict:
    parameters = {name: Parameter(np.ones(3, dtype)) for name in names}
    for p in parameters.values():
        p.grad = np.full(3, g, dtype)
    rule.step(parameters)
    return parameters


@pytest.mark.parametrize(("name", "twin"), [("adam", "Adam"), ("adamw", "AdamW")])
def test_a_parameter_that_learns_later_begins_with_its_own_first_step(name, twin, torch):
    ours = {key: Parameter(np.ones(3)) for key in "ab"}
    theirs = [torch.ones(3, dtype=torch.float64, requires_grad=True) for _ in ours]
    rule, other = by_name(name, lr=0.01), getattr(torch.optim, twin)(theirs, lr=0.01)
    for k in range(12):
        ours["b"].rate = float(k >= 5 and k != 8)
        for p, q in zip(ours.values(), theirs, strict=True):
            p.grad = np.full(3, 0.5 + 0.1 * k)
            q.grad = torch.as_tensor(p.grad) if p.rate else None
        rule.step(ours)
        other.step()
        if k == 6:
            state, rule = rule.state_dict(), by_name(name, lr=0.01)
            rule.load_state_dict(state)
    for p, q in zip(ours.values(), theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-12)
    assert rule.t == 12
    assert {key: int(n) for key, n in rule.state_dict().items() if key[:2] == "t."} == {"t.b": 6}


def test_a_parameter_that_is_first_given_later_begins_with_its_own_first_step():
    rule = Adam(0.01)
    first = _stepped(rule, "a")
    second = Parameter(np.ones(3))
    second.grad = np.full(3, 0.5)
    rule.step(first | {"b": second})
    assert second.data == pytest.approx(0.99, abs=1e-7)


def test_a_state_with_more_steps_of_a_parameter_than_in_all_is_refused():
    rule = Adam()
    _stepped(rule, "a")
    state = rule.state_dict() | {"t.a": np.asarray(3)}
    with pytest.raises(StateDictError, match=r"has 3 steps of 'a' after 1 in all. Resume"):
        Adam().load_state_dict(state)


@pytest.mark.parametrize("name", sorted(optim.RULES.keys() - {"sgd"}))
def test_what_was_learned_on_one_network_is_not_used_on_another(name):
    rule = by_name(name)
    own = _stepped(rule, "a", "b")
    with pytest.raises(ArgumentError, match=r"^optimizer: has the memory of another netw"):
        _stepped(rule, "a", "b")
    rule.step(own)  # the one it belongs to goes on
    rule.step({"a": own["a"]})
    del own
    with pytest.raises(
        ArgumentError, match=rf"after 3 steps.*Create a new one: `{type(rule).__name__}"
    ):
        _stepped(rule, "a")
    state = rule.state_dict()
    rule.load_state_dict(state)
    _stepped(rule, "a")  # a loaded memory is that of who steps with it


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda rule: pickle.loads(pickle.dumps(rule))])
def test_the_copy_of_an_optimizer_goes_on_with_a_copy_of_the_network(copied):
    rule = Adam()
    parameters = _stepped(rule, "a")
    twins, twin = copy.deepcopy(parameters), copied(rule)
    rule.step(parameters)
    twin.step(twins)
    assert np.array_equal(twins["a"].data, parameters["a"].data)


def test_a_loaded_memory_of_another_shape_is_refused_before_the_step():
    rule, p = Adam(), Parameter(np.ones((2, 2)))
    rule.load_state_dict({"t": np.asarray(1), "m.a": np.zeros(3), "v.a": np.zeros(3)})
    p.grad = np.ones((2, 2))
    with pytest.raises(
        StateDictError, match=r"has memory for 'a' of shape \(3,\), the model has \(2, "
    ):
        rule.step({"a": p})


@pytest.mark.parametrize("g", [0.0, 1e-4, 300.0])
@pytest.mark.parametrize("name", optim.RULES)
def test_float16_learns_as_float32_does(name, g):
    narrow, wide = (by_name(name, lr=0.01) for _ in range(2))
    g = float(np.float16(g))
    p, q = (_stepped(r, "a", dtype=d, g=g) for r, d in ((narrow, np.float16), (wide, np.float32)))
    narrow.step(p)
    wide.step(q)
    assert p["a"].data.dtype == np.float16
    np.testing.assert_allclose(p["a"].data, q["a"].data, rtol=2e-3)


@pytest.mark.parametrize("rule", [AdaGrad, RMSprop, Adam, AdamW, LAMB])
def test_an_eps_that_is_zero_in_float32_is_refused(rule):
    with pytest.raises(ArgumentError, match=r"^eps: must be at least 1.18e-38, received 1e-50"):
        rule(eps=1e-50)


@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf"), np.ones(2)])
def test_a_rate_that_was_changed_into_none_is_refused_before_the_step(lr):
    rule = SGD(momentum=0.9)
    parameters = _stepped(rule, "a")
    before, rule.lr = parameters["a"].data.copy(), lr
    with pytest.raises(ArgumentError, match=r"^lr: must be a finite number, 0 or more; it was set"):
        rule.step(parameters)
    assert np.array_equal(parameters["a"].data, before)
    assert rule.t == 1


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.array])
def test_numbers_of_numpy_are_constants_as_those_of_python(kind):
    rule = SGD(momentum=0.9)
    rule.lr, rule.momentum = kind(0.5), kind(0.25)
    assert json.dumps(rule.config()) == (
        '{"lr": 0.5, "momentum": 0.25, "nesterov": false, "weight_decay": 0.0}'
    )
    assert _stepped(rule, "a", g=1.0)["a"].data.tolist() == [0.5] * 3


@pytest.mark.parametrize("key", ["t", "t.a"])
@pytest.mark.parametrize("value", [[1, 2], 1.5, -3, float("nan"), "x", True])
def test_steps_that_are_no_number_of_steps_are_refused(key, value):
    rule = Adam()
    _stepped(rule, "a")
    before = rule.state_dict()
    with pytest.raises(StateDictError, match=rf"for '{key}', which must be a whole number of ste"):
        rule.load_state_dict(before | {key: np.asarray(value)})
    assert rule.state_dict().keys() == before.keys()


@pytest.mark.parametrize("value", [np.zeros(3, complex), np.zeros(3, int), np.full(3, np.nan)])
def test_a_memory_that_is_no_real_numbers_is_refused(value):
    rule = Adam()
    _stepped(rule, "a")
    with pytest.raises(StateDictError, match=r"for 'm.a', which must be real numbers. Resume"):
        rule.load_state_dict(rule.state_dict() | {"m.a": value})


@pytest.mark.parametrize("weights", [np.float16, np.float32, np.float64])
def test_a_memory_with_fewer_digits_goes_on_with_those_of_the_weights(weights):
    rule = Adam()
    p = _stepped(rule, "a", dtype=weights)
    narrow = {k: v.astype(np.float16) if k[1:] == ".a" else v for k, v in rule.state_dict().items()}
    again = Adam()
    again.load_state_dict(narrow)
    again.step(p)
    assert {a.dtype for a in again.memory["a"].values()} == {
        np.dtype(np.promote_types(weights, np.float32))
    }
