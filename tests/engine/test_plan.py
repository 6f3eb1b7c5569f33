"""A plan stands for its model: any number of images up to its batch, other modes, other types."""

from __future__ import annotations

import copy
import os
import subprocess
import sys

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import data, engine, models, nn
from pellucid.engine.steps import PlainStep
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


def test_images_and_gradients_are_never_written_to():
    plan = engine.compile(_network(), (1, 8, 8), 4)
    x, dy = _images(4), np.ones((4, 10), np.float32)
    x.setflags(write=False)
    dy.setflags(write=False)
    plan(x)
    plan.backward(dy)


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
    assert_agrees(plan(_images(5)), model(_images(5)))


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
    fast, plain = RULES[rule](lr=0.1), RULES[rule](lr=0.1)
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
    fast, plain = _trained("fast"), _trained("reference")
    fast.fit()
    plain.fit()
    np.testing.assert_allclose(fast.history.losses, plain.history.losses, rtol=1e-3)
    one, two = (t.history.epochs[-1].test_accuracy for t in (fast, plain))
    assert one == pytest.approx(two, abs=0.01)
    assert one > 0.8
    assert evaluate(fast.model, fast.test).accuracy == one


def test_a_fast_training_resumes_bit_for_bit():
    whole, first, second = (_trained("fast") for _ in range(3))
    whole.fit()
    first.epochs = 1
    first.fit()
    second.load_state(first.state())
    second.fit()
    assert second.history.losses == whole.history.losses


def test_an_unknown_engine_is_refused():
    with pytest.raises(ArgumentError, match=r"engine: must be .* or 'fast', received 'gpu'"):
        _trained("gpu")


PROGRAM = """
import hashlib, sys
import numpy as np
from pellucid import data, models
from pellucid.training import Trainer
train, _ = data.digits()
model = models.by_name("simple", (1, 8, 8), 10, rng=np.random.default_rng(0))
trainer = Trainer(model, train.take(230), epochs=1, batch_size=50, engine="fast")
trainer.fit()
weights = b"".join(w.tobytes() for w in model.state_dict().values())
print(hashlib.sha256(weights).hexdigest(), *trainer.history.losses)
"""


def _in_a_process(**environment):
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    bits, *losses = process.stdout.split()
    return bits, [float(loss) for loss in losses]


def test_one_thread_and_two_give_the_same_bits():
    assert _in_a_process(NUMBA_NUM_THREADS="1") == _in_a_process(NUMBA_NUM_THREADS="2")


@pytest.mark.skipif(sys.platform == "darwin", reason="names an x86 processor")
def test_a_machine_with_narrower_vectors_trains_to_the_same(tmp_path):
    narrow = _in_a_process(NUMBA_CPU_NAME="haswell", NUMBA_CACHE_DIR=str(tmp_path))
    assert narrow[1] == pytest.approx(_in_a_process()[1], rel=1e-3)
