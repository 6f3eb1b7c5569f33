"""In inference a convolution adds the other path of a residual block as it writes its output."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.steps.conv import ConvStep
from pellucid.engine.cpu.steps.join import AddStep

N = 3


def rng():
    return np.random.default_rng(0)


def conv(channels, size=3, filters=None, **how):
    how = {"padding": size // 2, "rng": rng(), **how}
    return nn.Conv2d(channels, filters or channels, size, **how)


def norm(channels):
    made = nn.BatchNorm2d(channels)
    made.weight.data[:] = rng().normal(size=channels)
    made.running_mean.data[:] = rng().normal(size=channels)
    return made


def images(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=(N, *shape)).astype(np.float32)


def compiled(model, shape):
    """Return a frozen plan of a model in inference, and the step of its sum."""
    plan = engine.compile(model.eval(), shape, N)
    plan.freeze()
    plan.poison = True
    (step,) = (step for step in plan.steps if isinstance(step, AddStep))
    return plan, step


# A model of one sum, the shape of its images, and what the convolution is.
BODIES = {
    "direct": (lambda: conv(4), (4, 7, 6), "convolution"),
    "winograd": (lambda: conv(20), (20, 9, 7), "Winograd"),
    "wide": (lambda: conv(184), (184, 6, 7), "Winograd"),
    "product": (lambda: conv(37, 1), (37, 5, 7), "product"),
    "one number": (lambda: conv(1, 1), (1, 1, 1), "convolution"),
}


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("name", BODIES)
def test_the_sum_is_what_the_layers_give(name, relu):
    make, (channels, *image), kernel = BODIES[name]
    body = nn.Sequential(make(), norm(channels))
    block = nn.Residual(body)
    model = nn.Sequential(conv(channels, 1), block, *[nn.ReLU()] * relu, conv(channels, 1))
    x = images(channels, *image)
    plan, step = compiled(model, x.shape[1:])
    for n in (N, 1, 2, 2, 2, 2):  # the last ones without Python between the kernels
        assert_agrees(plan(x[:n]), model(x[:n]), within=1e-5)
    assert step.folded
    assert kernel in step.source.kernel


def test_the_bits_are_those_of_a_sum_by_itself():
    # Without a batch norm to fold, freezing changes only where the sum is made.
    model = nn.Sequential(conv(20), nn.Residual(conv(20)), nn.ReLU()).eval()
    x = images(20, 9, 7)
    apart = engine.compile(model, x.shape[1:], N)(x).copy()
    plan, step = compiled(model, x.shape[1:])
    np.testing.assert_array_equal(plan(x), apart)
    assert step.folded


def test_of_two_convolutions_the_one_that_runs_last_adds():
    block = nn.Residual(nn.Sequential(conv(4), norm(4)), shortcut=nn.Sequential(conv(4, 1)))
    model = nn.Sequential(block, nn.ReLU())
    x = images(4, 7, 6)
    plan, step = compiled(model, x.shape[1:])
    convolutions = [one for one in plan.steps if isinstance(one, ConvStep)]
    assert step.source is convolutions[-1]
    assert [one.sum for one in convolutions] == [None, step]
    assert_agrees(plan(x), model(x), within=1e-5)


UNFOLDED = {
    "depthwise": lambda: nn.Residual(conv(4, groups=4)),
    "an activation before it": lambda: nn.Residual(nn.Sequential(conv(4), nn.ReLU())),
    "an activation after its norm": lambda: nn.Residual(
        nn.Sequential(conv(4), norm(4), nn.ReLU6())
    ),
    "a norm of the images, left to the sum": lambda: nn.Graph(
        {"norm": (norm(4), "x"), "conv": (conv(4), "x"), "sum": (nn.Add(), "norm", "conv")}
    ),
    "the other is made later": lambda: nn.Residual(conv(4), shortcut=nn.LeakyReLU()),
}


@pytest.mark.parametrize("name", UNFOLDED)
def test_what_cannot_be_added_on_the_way_is_added_by_the_sum(name):
    model, x = nn.Sequential(UNFOLDED[name](), nn.ReLU()), images(4, 7, 6)
    plan, step = compiled(model, x.shape[1:])
    for _ in range(4):
        assert_agrees(plan(x), model(x), within=1e-5)
    assert not step.folded


def test_gradients_are_those_of_the_layers_and_training_may_follow_and_inference_again():
    model = nn.Sequential(conv(4), nn.Residual(nn.Sequential(conv(4), norm(4))), nn.ReLU())
    x = images(4, 7, 6)
    plan, step = compiled(model, x.shape[1:])
    for _ in range(4):
        y = plan(x)
    dy = images(4, 7, 6, seed=2)
    dx = plan.backward(dy, need_dx=True).copy()
    assert not step.folded
    got = {key: p.grad.copy() for key, p in model.parameters().items()}
    assert_agrees(y, model(x), within=1e-5)
    assert_agrees(dx, model.backward(dy), within=1e-5)
    for key, p in model.parameters().items():
        assert_agrees(got[key], p.grad, within=1e-5, what=key)
    model.train()
    assert_agrees(plan(x), copy.deepcopy(model)(x), within=1e-5)
    model.eval()
    plan.freeze()
    for _ in range(4):
        assert_agrees(plan(x), model(x), within=1e-5)
    assert step.folded


def test_the_memory_of_the_other_path_is_free_once_it_is_added():
    model = nn.Sequential(*[nn.Residual(conv(4)) for _ in range(4)], nn.LeakyReLU()).eval()
    x = images(4, 8, 8)
    plan = engine.compile(model, x.shape[1:], N)
    plan.freeze()
    assert_agrees(plan(x), model(x), within=1e-5)
    assert plan.memory.fullest["outputs"] == 2 * x.nbytes  # a block's input and its output
