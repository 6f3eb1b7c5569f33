"""Buffers of a plan share memory unless they are in use at once; what the caller has is safe."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.arena import offsets
from pellucid.engine.lives import Life
from pellucid.errors import ArgumentError

SHAPE, BATCH = (3, 12, 12), 8


def block(rng):
    return nn.Sequential(
        nn.Conv2d(16, 16, 3, padding=1, bias=False, rng=rng),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, bias=False, rng=rng),
        nn.BatchNorm2d(16),
    )


def network():
    """Return a small network with what large ones have: a stem, residual sums, branches, pools."""
    rng = np.random.default_rng(0)
    branches = nn.Branches(nn.Conv2d(16, 8, 1, rng=rng), nn.MaxPool2d(3, 1, padding=1))
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, rng=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Residual(block(rng)),
        nn.ReLU(),
        branches,
        nn.Conv2d(24, 16, 3, padding=1, rng=rng),
        nn.SiLU(),
        nn.Residual(block(rng)),
        nn.Dropout(0.5, rng=rng),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Linear(16, 10, rng=rng),
    )


def batch(seed=1, shape=(BATCH, *SHAPE)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def results(model, plan, x, dy):
    y = plan(x).copy()
    dx = plan.backward(dy, need_dx=True)
    return [y, dx, *(p.grad.copy() for p in model.parameters().values())]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_in_use_at_one_time_never_overlaps(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 1000, 40).tolist()
    begins = rng.integers(0, 30, (40, 2))
    lives = [
        Life(tuple((int(b), int(b + rng.integers(0, 8))) for b in ours[: rng.integers(1, 3)]))
        for ours in begins
    ]
    places, total = offsets(sizes, lives)
    owner = np.full((50, total), -1)
    for k, (size, life) in enumerate(zip(sizes, lives, strict=True)):
        assert places[k] % 64 == 0
        for begin, end in life.spans:
            own = owner[begin : end + 1, places[k] : places[k] + size]
            assert ((own == -1) | (own == k)).all()
            own[...] = k
    at_once = max((row >= 0).sum() for row in owner)
    assert at_once <= total <= 1.3 * (at_once + 40 * 63)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("repeatable", [True, False])
def test_nothing_is_read_after_its_time(training, repeatable):
    model = network()
    model.training = training
    for _, layer in model.layers():
        layer.training = training
    x, dy = batch(), batch(2, (BATCH, 10))
    twins = [copy.deepcopy(model) for _ in range(2)]
    plans = [engine.compile(m, SHAPE, BATCH, repeatable=repeatable) for m in twins]
    plans[1].poison = True  # what is not in use is NaN
    for n in (BATCH, 3, BATCH):
        one, two = (results(m, p, x[:n], dy[:n]) for m, p in zip(twins, plans, strict=True))
        for a, b in zip(one, two, strict=True):
            assert np.isfinite(a).all()
            np.testing.assert_array_equal(a, b)


def test_a_plan_needs_less_than_its_buffers_and_inference_less_than_training():
    model = network()
    plan = engine.compile(model, SHAPE, BATCH)
    plan.backward(np.ones_like(plan(batch())))
    training = plan.memory
    assert training.training
    assert training.total < 0.75 * sum(step.buffers() for step in plan.steps)
    assert engine.compile(model, SHAPE, BATCH, repeatable=False).memory.total < training.total
    model.eval()
    plan.freeze()
    inference = plan.memory
    assert not inference.training
    assert inference.arena < training.arena / 3
    plan(batch())
    assert plan.memory == inference


def test_the_table_of_a_plan_ends_with_its_memory():
    plan = engine.compile(network(), SHAPE, BATCH)
    last = str(plan).splitlines()[-1]
    assert last.startswith(f"memory in training: {plan.memory.total / 2**20:.1f} MiB; shared by")
    assert f"outputs {plan.memory.fullest['outputs'] / 2**20:.1f}" in last


def test_outputs_and_the_gradient_of_the_images_last_until_the_next_call():
    model = network().eval()
    plan = engine.compile(model, SHAPE, BATCH)
    y = plan(batch())
    before = y.copy()
    dx = plan.backward(np.ones_like(y), need_dx=True)
    np.testing.assert_array_equal(y, before)
    gradient = dx.copy()
    plan(batch(5))
    np.testing.assert_array_equal(dx, gradient)


def test_an_output_may_be_the_next_input():
    rng = np.random.default_rng(0)
    model = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1, rng=rng) for _ in range(3))).eval()
    plan = engine.compile(model, SHAPE, BATCH)
    y = batch()
    expected = model(model(y))
    assert_agrees(plan(plan(y)), expected, within=1e-5)


def test_a_backward_after_inference_has_all_that_it_needs():
    model, x, dy = network().eval(), batch(), batch(2, (BATCH, 10))
    plan = engine.compile(model, SHAPE, BATCH)
    plan.freeze()
    assert not plan.memory.training
    y = plan(x)
    first = y.copy()
    dx = plan.backward(dy, need_dx=True)
    assert plan.memory.training
    np.testing.assert_array_equal(y, first)  # although forward ran once more
    model(x)
    assert_agrees(dx, model.backward(dy), within=2e-5)


def test_a_second_backward_gives_the_same_or_is_refused():
    model, x, dy = network(), batch(), batch(2, (BATCH, 10))
    plan = engine.compile(model, SHAPE, BATCH)
    plan(x)
    plan.backward(dy)
    first = plan.gradients.copy()
    plan.backward(dy)
    np.testing.assert_array_equal(plan.gradients, first)
    for once in (
        engine.compile(model, SHAPE, BATCH, repeatable=False),
        pickle.loads(pickle.dumps(engine.compile(model, SHAPE, BATCH, repeatable=False))),
    ):
        once(x)
        once.backward(dy)
        with pytest.raises(ArgumentError, match=r"forward first: .* `repeatable=True` does"):
            once.backward(dy)


class Doubled(nn.Layer):
    """Twice the input, by a layer without a step, which remembers the array that it was given."""

    def forward(self, x):
        self.remember(x)
        return 2 * x

    def backward(self, dy):
        (x,) = self.recall()
        assert np.isfinite(x).all()
        return 2 * dy


def test_a_layer_without_a_step_may_keep_what_it_was_given():
    rng = np.random.default_rng(0)
    layers = [nn.Conv2d(3, 4, 3, rng=rng), Doubled(), nn.Tanh(), nn.Conv2d(4, 4, 3, rng=rng)]
    model, x = nn.Sequential(*layers), batch()
    plan = engine.compile(model, SHAPE, BATCH, repeatable=False)
    plan.poison = True
    y = plan(x)
    assert_agrees(y, model(x), within=1e-5)
    dx = plan.backward(np.ones_like(y), need_dx=True)
    assert_agrees(dx, model.backward(np.ones_like(y)), within=1e-5)


GROWTH = """
import re
import numpy as np
from pellucid import engine, nn

def resident():
    with open("/proc/self/status") as file:
        return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", file.read())[1])

def network():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        *(layer for c in (3, 16, 16, 16)
          for layer in (nn.Conv2d(c, 16, 3, padding=1, rng=rng), nn.BatchNorm2d(16), nn.ReLU()))
    )

x = np.random.default_rng(0).normal(size=(40, 3, 128, 128)).astype(np.float32)
for images in (2, 40):  # the first plan compiles
    model = network()
    plan = engine.compile(
        model, (3, 128, 128), images, repeatable=False, recompute=RECOMPUTE
    )
    before = resident()
    if TRAINING:
        dy = np.ones_like(plan(x[:images]))
        plan.backward(dy)
    else:
        model.eval()
        plan.freeze()
        dy = x[:0]
        plan(x[:images])
    again = sum(plan.memory.recomputed.values())
print(plan.memory.total + dy.nbytes, resident() - before, again)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("training", "recompute"), [(True, False), (True, True), (False, False)])
def test_a_process_grows_by_what_the_plan_says(training, recompute):
    program = GROWTH.replace("TRAINING", str(training)).replace("RECOMPUTE", str(recompute))
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    said, grown, again = map(int, done.stdout.split())
    assert said > 2e7
    assert (again > 2e7) == recompute
    assert 0.9 * said - 2**22 < grown < 1.05 * said + 2**23
