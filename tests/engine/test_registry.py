"""Steps register themselves, those of a user's own layer too."""

import numpy as np
import pytest

from pellucid import engine, nn
from pellucid.engine.cpu.steps.base import STEPS
from pellucid.engine.cpu.steps.plain import PlainStep
from pellucid.engine.cpu.steps.pointwise import ReLUStep
from pellucid.engine.registry import StepRegistry
from pellucid.errors import ArgumentError


class Scale(nn.Layer):
    """Multiply all numbers by one that is learned."""

    def __init__(self) -> None:
        self.gain = nn.Parameter(np.full(1, 2, dtype=np.float32))

    def forward(self, x):
        self.remember(x)
        return x * self.gain.data

    def backward(self, dy):
        (x,) = self.recall()
        self.gain.grad = np.vdot(dy, x).reshape(1)
        return dy * self.gain.data


class ScaleStep(engine.Step):
    """The same, which may absorb a Tanh, and links up with what makes its input."""

    kernel = "scale"

    def __init__(self, name, layer, input_shape, batch, *, tanh=False):
        super().__init__(name, input_shape)
        self.layer, self.tanh, self.producer = layer, tanh, None

    @classmethod
    def takes(cls, layer, input_shape):
        return len(input_shape) == 3

    @classmethod
    def absorbs(cls, layer, follower, shape, absorbed):
        return {"tanh": True} if type(follower) is nn.Tanh and not absorbed else None

    def link(self, producer):
        self.producer = producer

    def forward(self, x):
        self._x, y = x, x * self.layer.gain.data
        self._y = np.tanh(y) if self.tanh else y
        return self._y

    def backward(self, dy, *, need_dx):
        dy = dy * (1 - self._y**2) if self.tanh else dy
        self.layer.gain.grad = np.vdot(dy, self._x).reshape(1)
        return dy * self.layer.gain.data if need_dx else None


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(STEPS, "by_layer", dict(STEPS.by_layer))
    engine.serves(Scale)(ScaleStep)


def model() -> nn.Sequential:
    rng = np.random.default_rng(0)
    layers = [nn.Conv2d(2, 3, 3, rng=rng), Scale(), nn.Tanh(), nn.Tanh()]
    return nn.Sequential(*layers, nn.Flatten(), Scale(), nn.Linear(48, 4, rng=rng))


def steps_of(network, kind):
    return [step for step in engine.compile(network, (2, 6, 6), 5).steps if type(step) is kind]


def test_a_step_of_ones_own_runs_where_it_takes_the_shape(served):
    network = model()
    (step,) = steps_of(network, ScaleStep)
    (other,) = steps_of(network, PlainStep)
    assert (step.layer, other.layer) == (network[1], network[5])


def test_it_absorbs_what_it_says_once_and_meets_its_producer(served):
    (step,) = steps_of(model(), ScaleStep)
    assert step.tanh
    assert step.producer.kernel == "convolution"
    kernels = [s.kernel for s in engine.compile(model(), (2, 6, 6), 5).steps]
    assert kernels.count("tanh") == 1


def test_it_computes_and_learns_what_the_layer_does(served):
    network, plain = model(), model()
    x = np.random.default_rng(1).normal(size=(5, 2, 6, 6)).astype(np.float32)
    dy = np.random.default_rng(2).normal(size=(5, 4)).astype(np.float32)
    plan = engine.compile(network, (2, 6, 6), 5)
    y, dx = plan(x).copy(), plan.backward(dy, need_dx=True)
    expected_y = plain(x)
    expected_dx = plain.backward(dy)
    np.testing.assert_allclose(y, expected_y, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-4, atol=1e-5)
    for key, p in network.parameters().items():
        np.testing.assert_allclose(p.grad, plain.parameters()[key].grad, rtol=1e-4, atol=1e-4)


def test_without_a_step_the_layer_itself_runs():
    assert len(steps_of(model(), PlainStep)) == 2


def test_a_subclass_is_not_served_by_the_step_of_its_parent():
    class Own(nn.ReLU):
        pass

    assert STEPS.find(nn.ReLU(), (4,)) is ReLUStep
    assert STEPS.find(Own(), (4,)) is None


def test_the_last_step_registered_for_a_class_counts():
    steps = StepRegistry()
    steps.serves(nn.ReLU, nn.Tanh)(ReLUStep)
    steps.serves(nn.ReLU)(ScaleStep)
    assert steps.by_layer == {nn.ReLU: ScaleStep, nn.Tanh: ReLUStep}


@pytest.mark.parametrize("kind", [nn.ReLU(), "relu", int, None])
def test_what_is_not_a_class_of_layers_is_refused(kind):
    with pytest.raises(ArgumentError, match=r"serves: takes layer classes, received .*@serves"):
        engine.serves(kind)


@pytest.mark.parametrize("step", [nn.ReLU, ReLUStep("", nn.ReLU(), (2,), 1), len])
def test_what_is_not_a_class_of_steps_is_refused(step):
    with pytest.raises(ArgumentError, match=r"serves: decorates a class derived from Step"):
        engine.serves(Scale)(step)


def test_a_decorator_without_a_class_of_layers_is_refused():
    with pytest.raises(ArgumentError, match=r"serves: .*@serves\(MyLayer\)"):
        engine.serves(ScaleStep)
    with pytest.raises(ArgumentError, match=r"serves: .*@serves\(MyLayer\)"):
        engine.serves()(ScaleStep)
