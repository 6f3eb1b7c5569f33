"""Frozen layers: no gradient is computed for them, and none further down than anyone needs."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks import NETWORKS
from ops.witness import assert_agrees
from pellucid import engine, models, nn, optim

RNG = np.random.default_rng(0)


def _backward(model, shape, n=6):
    """Return the plan after a step forward and back, and whether each step's backward was run."""
    plan = engine.compile(model, shape, n)
    model.train()
    x = np.random.default_rng(1).normal(size=(n, *shape)).astype(np.float32)
    scores = plan(x)
    plan.backward(np.random.default_rng(2).normal(size=scores.shape).astype(np.float32))
    return plan, x


def _gradients(model):
    return {key: None if p.grad is None else p.grad.copy() for key, p in model.parameters().items()}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("patterns", ["conv*", "affine*", ["conv*", "affine1"], "affine1.weight"])
def test_the_gradients_of_all_others_are_what_they_are_without_freezing(name, patterns):
    def build():
        return NETWORKS[name](np.random.default_rng(3))

    model, whole = build(), build()
    nn.freeze(model, patterns)
    _backward(model, (1, 12, 12))
    _backward(whole, (1, 12, 12))
    got, expected = _gradients(model), _gradients(whole)
    for key, p in model.parameters().items():
        if p.rate:
            np.testing.assert_array_equal(got[key], expected[key], err_msg=key)
    layers = {key.rpartition(".")[0] for key, p in model.parameters().items() if p.rate}
    for key, gradient in got.items():
        if key.rpartition(".")[0] not in layers:
            assert gradient is None, f"{key} is frozen, and a gradient was computed"


def test_nothing_runs_backward_below_the_first_layer_that_learns():
    model = models.DeepConvNet(rng=RNG)
    nn.freeze(model, "conv*")
    plan, _ = _backward(model, (1, 28, 28))
    ran = {step.name: step.seconds[1] > 0 for step in plan.steps if step.name}
    assert ran["affine1"]
    assert not any(done for name, done in ran.items() if name.startswith("conv"))


def test_what_is_frozen_is_not_asked_for_kernels_of_its_gradient():
    model = models.SimpleConvNet(rng=RNG)
    before = engine.kernels_of(engine.compile(model, (1, 28, 28), 10), training=True)
    nn.freeze(model, "conv*")
    after = engine.kernels_of(engine.compile(model, (1, 28, 28), 10), training=True)
    assert len(after) < len(before)


def test_a_plan_follows_when_layers_are_frozen_or_set_free_later():
    model = models.SimpleConvNet((1, 12, 12), rng=np.random.default_rng(4))
    plan, x = _backward(model, (1, 12, 12))
    everything = _gradients(model)
    dy = np.random.default_rng(2).normal(size=(6, 10)).astype(np.float32)
    nn.freeze(model, "conv1")
    for p in model.parameters().values():
        p.grad = None
    plan(x)
    plan.backward(dy)
    assert model["conv1"].weight.grad is None
    nn.set_rates(model, {"*": 1})
    plan(x)
    plan.backward(dy)
    for key, gradient in _gradients(model).items():
        np.testing.assert_array_equal(gradient, everything[key])


def test_the_inputs_gradient_is_there_on_request_even_if_all_is_frozen():
    model = models.SimpleConvNet((1, 12, 12), rng=np.random.default_rng(4))
    nn.freeze(model)
    plan = engine.compile(model, (1, 12, 12), 3)
    x = RNG.random((3, 1, 12, 12), dtype=np.float32)
    dy = RNG.normal(size=(3, 10)).astype(np.float32)
    plan(x)
    dx = plan.backward(dy, need_dx=True)
    model(x)
    assert_agrees(dx, model.backward(dy))


@pytest.mark.parametrize("fast", [False, True], ids=["layers", "engine"])
def test_a_frozen_batch_norm_uses_its_averages_in_training_and_leaves_them(fast):
    model = nn.Sequential(
        conv=nn.Conv2d(2, 4, 3, rng=np.random.default_rng(5)),
        norm=nn.BatchNorm2d(4),
        relu=nn.ReLU(),
        flatten=nn.Flatten(),
        fc=nn.Linear(64, 3, rng=np.random.default_rng(6)),
    )
    x = RNG.normal(3, 2, (8, 2, 6, 6)).astype(np.float32)
    for _ in range(3):
        model.train()(x)
    nn.freeze(model, "norm")
    kept = model.state_dict()
    expected = model.eval()(x)
    model.train()
    run = engine.compile(model, (2, 6, 6), 8) if fast else model
    assert_agrees(run(x), expected)
    dy = RNG.normal(size=(8, 3)).astype(np.float32)
    run.backward(dy)
    got = model["conv"].weight.grad.copy()
    model.eval()(x)
    model.backward(dy)
    assert_agrees(got, model["conv"].weight.grad)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, kept[key], err_msg=key)
    nn.set_rates(model, {"norm": 1})
    run = model.train()
    run(x)
    assert (model["norm"].running_mean.data != kept["norm.running_mean"]).any()


@pytest.mark.parametrize("rule", sorted(optim.RULES))
@pytest.mark.parametrize("fast", [False, True], ids=["layers", "engine"])
def test_a_rate_multiplies_the_optimizers_and_nothing_moves_at_rate_0(rule, fast):
    def trained(lr, rates):
        p = {key: nn.Parameter(np.linspace(-1, 1, 9, dtype=np.float32)) for key in "abc"}
        for key, rate in rates.items():
            p[key].rate = rate
        optimizer = optim.by_name(rule, lr)
        for step in range(3):
            for key in p:
                p[key].grad = np.linspace(1, 2, 9, dtype=np.float32) * (step + 1)
            if rates.get("c") == 0:
                p["c"].grad = None
            if fast:
                engine.update(optimizer, p)
            else:
                optimizer.step(p)
        assert optimizer.lr == lr
        return {key: q.data for key, q in p.items()}

    lr = 0.001 * (100 if rule == "lars" else 1)  # of which a thousandth of the weights is taken
    slow, mixed = trained(lr, {}), trained(10 * lr, {"b": 0.1, "c": 0})
    np.testing.assert_allclose(mixed["b"], slow["b"], rtol=1e-6)
    np.testing.assert_array_equal(mixed["c"], np.linspace(-1, 1, 9, dtype=np.float32))
    assert abs(mixed["a"] - slow["a"]).max() > 1e-4
