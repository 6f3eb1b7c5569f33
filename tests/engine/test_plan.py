"""A plan stands for its model: any number of images up to its batch, other modes, other types."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from engine.networks import IMAGE, NETWORKS, by_the_layers, draw_images, everything
from ops.witness import assert_agrees
from pellucid import data, engine, models, nn
from pellucid.engine.cpu.steps.plain import PlainStep
from pellucid.errors import ArgumentError, ShapeError
from pellucid.optim import RULES
from pellucid.training import Trainer, evaluate


def _network(seed=0):
    return models.by_name("simple", (1, 8, 8), 10, weight_init=0.1, rng=np.random.default_rng(seed))


def _images(n):
    return np.random.default_rng(n).random((n, 1, 8, 8), dtype=np.float32)


def test_a_plan_prints_its_steps():
    text = str(engine.compile(_network(), (1, 8, 8), 50))
    assert "conv1    convolution + relu + max 2x2  30x4x4" in text
    assert "affine2  product " in text


@pytest.mark.parametrize("n", [1, 3, 17, 50])
def test_fewer_images_than_the_batch_give_what_they_give_alone(n):
    model = _network()
    plan = engine.compile(model, (1, 8, 8), 50)
    plan(_images(50))
    plan.backward(np.ones((50, 10), np.float32))
    x = _images(n)
    assert_agrees(plan(x), model(x))
    dy = np.random.default_rng(1).normal(size=(n, 10)).astype(np.float32)
    dx = plan.backward(dy, need_dx=True)
    got = {name: p.grad.copy() for name, p in model.parameters().items()}
    assert_agrees(dx, model.backward(dy))
    for name, p in model.parameters().items():
        assert_agrees(got[name], p.grad)


@pytest.mark.parametrize("shape", [(51, 1, 8, 8), (5, 1, 9, 8), (5, 64)])
def test_images_that_the_plan_was_not_made_for_are_refused(shape):
    plan = engine.compile(_network(), (1, 8, 8), 50)
    with pytest.raises(ShapeError, match=r"^Plan: was made for at most 50 images \(1, 8, 8\)"):
        plan(np.zeros(shape, np.float32))


@pytest.mark.parametrize("backward", [(0, 10), (3, 10), (5, 9), (5, 1, 10)])
def test_a_gradient_that_is_not_the_outputs_is_refused(backward):
    plan = engine.compile(_network(), (1, 8, 8), 5)
    plan(_images(5))
    with pytest.raises(ShapeError, match=r"^Plan: expects .* like its last output, \(5, 10\), rec"):
        plan.backward(np.zeros(backward, np.float32))


def test_no_images_have_no_gradients():
    model = _network()
    plan = engine.compile(model, (1, 8, 8), 5)
    plan(_images(5))
    plan.backward(np.ones((5, 10), np.float32))
    y = plan(_images(0))
    assert y.shape == (0, 10)
    assert plan.backward(y, need_dx=True).shape == (0, 1, 8, 8)
    assert plan.backward(y) is None
    assert not any(p.grad.any() for p in model.parameters().values())


@pytest.mark.parametrize("name", NETWORKS)
def test_images_and_gradients_are_never_written_to(name):
    rng = np.random.default_rng(0)
    plan = engine.compile(NETWORKS[name](rng), (1, *IMAGE), 4)
    x, dy = (rng.normal(size=s).astype(np.float32) for s in ((4, 1, *IMAGE), (4, 10)))
    before = x.copy(), dy.copy()
    y = plan(x).copy()
    dx = plan.backward(dy, need_dx=True).copy()
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(dy, before[1])
    x.setflags(write=False)
    dy.setflags(write=False)
    np.testing.assert_array_equal(plan(x), y)
    np.testing.assert_array_equal(plan.backward(dy, need_dx=True), dx)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_of_one(name):
    rng = np.random.default_rng(1)
    model = NETWORKS[name](rng)
    x = draw_images(model, (1, *IMAGE), 1, rng)
    dy = rng.normal(size=(1, 10)).astype(np.float32)
    plan = engine.compile(model, (1, *IMAGE), 1)
    y = plan(x)
    got = everything(model, y, plan.backward(dy, need_dx=True))
    for key, value in by_the_layers(model, x, dy, np.float64).items():
        assert_agrees(got[key], value, within=2e-5, what=key)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_seen_and_spoils_no_other_image(name, bad):
    rng = np.random.default_rng(2)
    model = NETWORKS[name](rng)
    plan = engine.compile(model, (1, *IMAGE), 4)
    x, dy = (rng.normal(size=s).astype(np.float32) for s in ((4, 1, *IMAGE), (4, 10)))
    clean = plan(x).copy()
    x[2, 0, 5, 5] = bad
    with np.errstate(invalid="ignore"):
        expected = np.isfinite(model(x))
    y = plan(x).copy()
    assert not np.isfinite(y[~expected]).any()
    np.testing.assert_array_equal(np.delete(y, 2, axis=0), np.delete(clean, 2, axis=0))
    dy[1, 3] = np.nan
    dx = plan.backward(dy, need_dx=True)
    assert np.isnan(dx[1]).any()
    assert np.isfinite(dx[[0, 3]]).all()
    assert np.isnan(model["affine2"].weight.grad[3]).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_denormal_numbers_are_no_more_than_zeros(name):
    results = []
    for tiny in (0, 1e-40):
        rng = np.random.default_rng(3)
        model = NETWORKS[name](rng)
        plan, rule = engine.compile(model, (1, *IMAGE), 4), RULES["momentum"](lr=0.01)
        x = rng.normal(size=(4, 1, *IMAGE)).astype(np.float32)
        x[rng.random(x.shape) < 0.5] = tiny
        for _ in range(3):
            y = plan(x)
            dy = np.where(abs(y) > 0.5, y, np.float32(tiny))
            dx = plan.backward(dy, need_dx=True)
            engine.update(rule, model.parameters())
        results.append([y.copy(), dx.copy(), *model.state_dict().values()])
    for zeros, denormals in zip(*results, strict=True):
        np.testing.assert_allclose(denormals, zeros, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("name", NETWORKS)
def test_frozen_filters_are_packed_once_and_again_when_frozen_again(name):
    rng = np.random.default_rng(4)
    model = NETWORKS[name](rng).eval()
    plan = engine.compile(model, (1, *IMAGE), 3)
    x = rng.normal(size=(3, 1, *IMAGE)).astype(np.float32)
    filters = {key: p for key, p in model.parameters().items() if key.startswith("conv")}
    plan.freeze()
    first = plan(x).copy()
    assert_agrees(first, model(x), within=2e-5)
    for p in filters.values():
        p.data += rng.normal(size=p.data.shape).astype(np.float32)
    np.testing.assert_array_equal(plan(x), first)
    assert abs(model(x) - first).max() > 0.01
    plan.freeze()
    assert_agrees(plan(x), model(x), within=2e-5)


def test_new_weights_are_used_at_once():
    model, other = _network(), _network(1)
    plan = engine.compile(model, (1, 8, 8), 5)
    model.load_state_dict(other.state_dict())
    assert_agrees(plan(_images(5)), other(_images(5)))


def test_a_model_in_float64_runs_its_own_layers():
    model = _network().astype(np.float64)
    plan = engine.compile(model, (1, 8, 8), 5)
    kinds = {step.name: type(step) for step in plan.steps}
    assert kinds["conv1"] is kinds["affine1"] is PlainStep
    assert_agrees(plan(_images(5)), model(_images(5).astype(np.float64)))


def test_the_mode_of_the_model_decides():
    model = nn.Sequential(drop=nn.Dropout(0.5, rng=np.random.default_rng(0)))
    plan = engine.compile(model, (6,), 200)
    x = np.ones((200, 6), np.float32)
    assert set(np.unique(plan(x))) == {0.0, 2.0}
    model.eval()
    assert set(np.unique(plan(x))) == {1.0}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_an_update_is_that_of_the_rule(rule):
    parameters = {"w": nn.Parameter(_images(9).ravel()), "b": nn.Parameter(np.zeros(3, np.float32))}
    expected = copy.deepcopy(parameters)
    fast, plain = RULES[rule](lr=0.1), RULES[rule](lr=0.1)
    for step in range(5):
        for own, other in zip(parameters.values(), expected.values(), strict=True):
            own.grad = other.grad = np.cos(step + np.arange(own.data.size, dtype=np.float32))
        engine.update(fast, parameters)
        plain.step(expected)
    assert fast.t == plain.t
    for name, p in expected.items():
        assert_agrees(parameters[name].data, p.data, within=1e-6)


@pytest.mark.parametrize("rule", ["adam", "momentum"])
def test_what_is_remembered_never_ends_in_denormal_numbers(rule):
    parameters = {"w": nn.Parameter(np.ones(100, np.float32))}
    expected = copy.deepcopy(parameters)
    fast, plain = RULES[rule](lr=0.05), RULES[rule](lr=0.05)
    for step in range(1200):
        for own, other in zip(parameters.values(), expected.values(), strict=True):
            own.grad = other.grad = np.full(100, np.float32(step == 0))
        engine.update(fast, parameters)
        plain.step(expected)
    smallest = np.finfo(np.float32).tiny
    denormal = [((a != 0) & (abs(a) < smallest)).any() for a in fast.memory["w"].values()]
    assert not any(denormal)
    assert any(((a != 0) & (abs(a) < smallest)).any() for a in plain.memory["w"].values())
    assert_agrees(parameters["w"].data, expected["w"].data, within=1e-6)


def _trained(engine_name, **options):
    train, test = data.digits()
    return Trainer(_network(), train, test, epochs=3, batch_size=50, engine=engine_name, **options)


def test_both_engines_train_to_the_same():
    fast, plain = _trained("compiled"), _trained("numpy")
    fast.fit()
    plain.fit()
    np.testing.assert_allclose(fast.history.losses, plain.history.losses, rtol=1e-3)
    one, two = (t.history.epochs[-1].test_accuracy for t in (fast, plain))
    assert one == pytest.approx(two, abs=0.01)
    assert one > 0.8
    assert evaluate(fast.model, fast.validation).accuracy == one


def test_a_fast_training_resumes_bit_for_bit():
    whole, first, second = (_trained("compiled") for _ in range(3))
    whole.fit()
    first.epochs = 1
    first.fit()
    second.load_state(first.state())
    second.fit()
    assert second.history.losses == whole.history.losses


def test_an_unknown_engine_is_refused():
    with pytest.raises(ArgumentError, match=r"engine: must be 'compiled', .*, received 'gpu'"):
        _trained("gpu")
