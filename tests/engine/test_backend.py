"""A backend of one's own: its steps, its memory, and what a training needs besides."""

import pickle

import numpy as np
import pytest

from pellucid import data, engine, nn
from pellucid.engine import CPU, StepRegistry
from pellucid.engine.cpu.backend import CPUBackend
from pellucid.engine.cpu.steps.plain import PlainStep
from pellucid.training import CompiledEngine, Trainer


class Counting(CPUBackend):
    """The CPU, with one step of its own, which counts what it is asked for."""

    name = "counting"

    def __init__(self):
        self.steps = StepRegistry()
        self.steps.serves(nn.ReLU)(CPU.steps.by_layer[nn.ReLU])
        self.asked = []

    def zeros(self, shape, dtype=np.float32):
        self.asked.append("zeros")
        return super().zeros(shape, dtype)

    def add(self, a, b, out):
        self.asked.append("add")
        super().add(a, b, out)

    def loss(self, loss):
        self.asked.append("loss")
        return super().loss(loss)

    def update(self, optimizer, parameters, lr=None):
        self.asked.append("update")
        super().update(optimizer, parameters, lr)

    def clip(self, parameters, max_norm):
        self.asked.append("clip")
        return super().clip(parameters, max_norm)

    def gather(self):
        self.asked.append("gather")
        return super().gather()


def network():
    rng = np.random.default_rng(0)
    branch = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, rng=rng), nn.ReLU())
    return nn.Sequential(
        nn.Conv2d(1, 1, 1, rng=rng), nn.Residual(branch), nn.Flatten(), nn.Linear(64, 10, rng=rng)
    )


def test_a_plan_runs_the_steps_of_its_backend():
    mine = Counting()
    plan = engine.compile(network(), (1, 8, 8), 5, backend=mine)
    kinds = [type(step) for step in plan.steps]
    assert kinds.count(PlainStep) == 5  # all but the ReLU, the sum of the block among them
    assert plan.backend is mine
    x, dy = np.ones((5, 1, 8, 8), np.float32), np.ones((5, 10), np.float32)
    cpu = engine.compile(network(), (1, 8, 8), 5)
    assert cpu.backend is CPU
    np.testing.assert_allclose(plan(x), cpu(x), rtol=1e-4, atol=1e-5)
    dx = plan.backward(dy, need_dx=True), cpu.backward(dy, need_dx=True)
    np.testing.assert_allclose(*dx, rtol=1e-4, atol=1e-5)
    assert {"zeros", "add"} <= set(mine.asked)


def test_a_training_asks_its_backend_for_all_it_needs():
    mine, (train, test) = Counting(), data.digits()
    one = Trainer(
        network(), train.take(40), test.take(10), epochs=1, batch_size=20, clip_norm=0.1,
        engine=CompiledEngine(mine),
    )  # fmt: skip
    losses = one.fit().losses
    for what, times in (("update", 2), ("clip", 2), ("loss", 3), ("gather", 3)):
        assert mine.asked.count(what) == times, what
    usual = Trainer(
        network(), train.take(40), test.take(10), epochs=1, batch_size=20, clip_norm=0.1
    )
    np.testing.assert_allclose(losses, usual.fit().losses, rtol=1e-4)


def test_a_copy_of_a_plan_has_the_same_kind_of_backend():
    plan = pickle.loads(pickle.dumps(engine.compile(nn.ReLU(), (4,), 3)))
    assert repr(plan.backend) == "pellucid.engine.CPU"


@pytest.mark.parametrize("name", ["steps", "zeros", "plain", "layout", "update"])
def test_the_cpu_is_a_backend(name):
    assert hasattr(CPU, name)
    assert repr(CompiledEngine(CPU)) == "CompiledEngine(backend=pellucid.engine.CPU)"
