"""The update rules: against a computation by hand, PyTorch, and themselves after a resume."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from ops.witness import DTYPES, assert_agrees
from pellucid import engine, optim
from pellucid.nn import Parameter
from pellucid.optim import SGD, Adam, Optimizer

# Each rule and PyTorch's, with the very arguments: they mean the same.
CASES = {
    "sgd": ("sgd", "SGD", {}),
    "momentum": ("momentum", "SGD", {"momentum": 0.8}),
    "nesterov": ("nesterov", "SGD", {"momentum": 0.8, "nesterov": True}),
    "adagrad": ("adagrad", "Adagrad", {"eps": 1e-7}),
    "rmsprop": ("rmsprop", "RMSprop", {"alpha": 0.95, "eps": 1e-7}),
    "adam": ("adam", "Adam", {"betas": (0.8, 0.95), "eps": 1e-8}),
    "adamw": ("adamw", "AdamW", {"betas": (0.8, 0.95), "eps": 1e-8, "weight_decay": 0.2}),
}
# PyTorch has none of these: `test_layerwise.py` has their witness.
ALONE = {
    "lars": {"momentum": 0.8, "trust_coefficient": 0.2},
    "lamb": {"betas": (0.8, 0.95), "eps": 1e-8, "weight_decay": 0.2},
}
RULES = {
    name: partial(optim.RULES[rule], lr=0.1, **options)
    for name, (rule, _, options) in CASES.items()
} | {name: partial(optim.RULES[name], lr=0.1, **options) for name, options in ALONE.items()}
every_rule = pytest.mark.parametrize("name", RULES)


def _by_hand(name: str, w: float, gradients: list[float]) -> float:
    """Return the weight after the gradients, one number at a time, as the papers write it."""
    lr, a, rho, b1, b2, decay = 0.1, 0.8, 0.95, 0.8, 0.95, 0.2
    v = h = m = 0.0
    for t, g in enumerate(gradients, start=1):
        if name == "sgd":
            w = w - lr * g
        elif name == "momentum":
            v = a * v - lr * g
            w = w + v
        elif name == "nesterov":  # Bengio et al. 2013, eq. 7, with the old v
            w = w + a * a * v - (1 + a) * lr * g
            v = a * v - lr * g
        elif name == "adagrad":
            h = h + g**2
            w = w - lr * g / (math.sqrt(h) + 1e-7)
        elif name == "rmsprop":
            h = rho * h + (1 - rho) * g**2
            w = w - lr * g / (math.sqrt(h) + 1e-7)
        elif name == "lars":
            v = a * v + lr * (0.2 * abs(w) / abs(g)) * g
            w = w - v
        elif name == "lamb":
            m = b1 * m + (1 - b1) * g
            h = b2 * h + (1 - b2) * g**2
            u = (m / (1 - b1**t)) / (math.sqrt(h / (1 - b2**t)) + 1e-8) + decay * w
            w = w - lr * abs(w) / abs(u) * u
        else:
            w = w * (1 - lr * decay) if name == "adamw" else w
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g**2
            w = w - lr * (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + 1e-8)
    return w


@every_rule
def test_twenty_steps_equal_a_computation_by_hand(name):
    gradients = np.random.default_rng(0).normal(size=20).tolist()
    p, rule = Parameter(np.array([1.5])), RULES[name]()
    for g in gradients:
        p.grad = np.array([g])
        rule.step({"w": p})
    assert p.data[0] == pytest.approx(_by_hand(name, 1.5, gradients), rel=1e-13)
    assert rule.t == 20


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("step", [Optimizer.step, engine.update], ids=["rule", "kernel"])
@pytest.mark.parametrize("name", CASES)
def test_twenty_steps_equal_torch_under_a_rate_that_changes(name, step, weight_decay, dtype, torch):
    rng = np.random.default_rng(0)
    starts = {"a": rng.normal(size=(3, 4)).astype(dtype), "b": rng.normal(size=5).astype(dtype)}
    ours = {k: Parameter(v.copy()) for k, v in starts.items()}
    theirs = {k: torch.nn.Parameter(torch.from_numpy(v.copy())) for k, v in starts.items()}
    _, twin_name, options = CASES[name]
    options = options | {"weight_decay": weight_decay}
    rule = RULES[name](weight_decay=weight_decay)
    twin = getattr(torch.optim, twin_name)(list(theirs.values()), lr=0.1, **options)
    for k in range(20):
        for key, parameter in ours.items():
            # From the weights, as in training: an error would grow.
            g = parameter.data + rng.normal(size=parameter.data.shape).astype(dtype)
            parameter.grad = g
            theirs[key].grad = torch.from_numpy(g.copy())
        twin.param_groups[0]["lr"] = 0.1 / (1 + k)
        step(rule, ours, 0.1 / (1 + k))
        twin.step()
    within = {"float32": 1e-6, "float64": 1e-12}[dtype]
    for key, parameter in ours.items():
        assert parameter.data.dtype == dtype
        assert_agrees(
            parameter.data, theirs[key].detach().numpy(), within=within, what=f"optim {name}"
        )
    for slots in rule.memory.values():
        assert {array.dtype.name for array in slots.values()} <= {dtype}


def _step(rule, parameters, rng):
    for p in parameters.values():
        p.grad = rng.normal(size=p.data.shape).astype(np.float32)
    rule.step(parameters)


def _start():
    rng = np.random.default_rng(1)
    return {k: Parameter(rng.normal(size=4).astype(np.float32)) for k in ("conv.weight", "fc.bias")}


@every_rule
def test_a_resumed_optimizer_goes_on_bit_for_bit(name):
    parameters, rule, rng = _start(), RULES[name](), np.random.default_rng(2)
    for _ in range(5):
        _step(rule, parameters, rng)
    state = rule.state_dict()
    middle = {k: Parameter(p.data.copy()) for k, p in parameters.items()}
    draws = rng.bit_generator.state
    for _ in range(5):
        _step(rule, parameters, rng)

    resumed, rng.bit_generator.state = RULES[name](), draws
    resumed.load_state_dict(state)
    for _ in range(5):
        _step(resumed, middle, rng)
    assert resumed.t == rule.t == 10
    for key, p in parameters.items():
        assert np.array_equal(p.data, middle[key].data)


@every_rule
def test_the_state_is_a_copy_with_flat_keys(name):
    parameters, rule, rng = _start(), RULES[name](), np.random.default_rng(2)
    _step(rule, parameters, rng)
    state = rule.state_dict()
    assert set(state) == {"t"} | {f"{slot}.{key}" for slot in rule.slots for key in parameters}
    assert state["t"] == 1
    kept = {key: array.copy() for key, array in state.items()}
    _step(rule, parameters, rng)
    assert all(np.array_equal(state[key], kept[key]) for key in kept)
    if rule.slots:
        again = RULES[name]()
        again.load_state_dict(state)
        _step(again, parameters, rng)
        assert all(np.array_equal(state[key], kept[key]) for key in kept)


@every_rule
def test_weights_are_updated_in_place_and_gradients_are_not_written_to(name):
    p, rule = Parameter(np.ones(3)), RULES[name]()
    data, p.grad = p.data, np.array([1.0, -2.0, 3.0])
    p.grad.setflags(write=False)
    for _ in range(3):
        rule.step({"w": p})
    assert p.data is data
    assert np.array_equal(np.sign(1 - data), [1, -1, 1]) or name == "adamw"


@every_rule
def test_every_rule_finds_the_bottom_of_a_bowl(name):
    p, rule = Parameter(np.array([2.0, -3.0])), RULES[name]()
    rule.lr = 0.05
    for _ in range(2000):
        p.grad = 2 * p.data * [1, 4]
        rule.step({"w": p})
    assert np.abs(p.data).max() < 0.3  # AdaGrad slows down on its way


def test_the_learning_rate_may_change_between_steps():
    p, rule = Parameter(np.zeros(1)), SGD(lr=1.0)
    p.grad = np.ones(1)
    rule.step({"w": p})
    rule.lr = 0.25
    rule.step({"w": p})
    assert p.data[0] == -1.25


def test_a_new_rate_acts_on_the_speed_that_momentum_has():
    p, rule = Parameter(np.zeros(1)), SGD(lr=1.0, momentum=0.5)
    p.grad = np.ones(1)
    rule.step({"w": p})
    rule.step({"w": p}, lr=0.5)
    assert p.data[0] == -1 - 0.5 * 1.5


def test_the_first_step_of_adam_is_lr_whatever_the_gradient():
    for g in (1e-3, 1.0, 1e4):
        p, rule = Parameter(np.zeros(1)), Adam(lr=0.01)
        p.grad = np.array([g])
        rule.step({"w": p})
        assert p.data[0] == pytest.approx(-0.01, rel=1e-4)


def test_the_names_of_all_rules_are_known():
    assert set(optim.RULES) == set(RULES)
