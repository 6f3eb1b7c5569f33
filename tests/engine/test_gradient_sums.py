"""In backward a convolution adds another gradient of its input as it writes its own."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.runs import Runs

N = 3


def conv(channels, size=3, filters=None, **how):
    how = {"padding": size // 2, "rng": np.random.default_rng(0), **how}
    return nn.Conv2d(channels, filters or channels, size, **how)


def images(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=(N, *shape)).astype(np.float32)


@pytest.fixture
def passes(monkeypatch):
    """Return the list of values whose gradients were added by a pass of their own."""
    found, add = [], Runs.sum
    monkeypatch.setattr(Runs, "sum", lambda self, k, *two: found.append(k) or add(self, k, *two))
    return found


def assert_gradients_agree(model, x):
    """Fail unless all gradients are the layers', also without Python between the kernels."""
    plan = engine.compile(model, x.shape[1:], N)
    plan.poison = True
    for step in range(5):
        plan.poison = step < 2
        dy = images(*model.output_shape(x.shape[1:]), seed=step)
        plan(x)
        dx = plan.backward(dy, need_dx=True).copy()
        got = {key: p.grad.copy() for key, p in model.parameters().items()}
        model(x)
        assert_agrees(dx, model.backward(dy), within=1e-5)
        for key, p in model.parameters().items():
            assert_agrees(got[key], p.grad, within=1e-5, what=key)
    return plan


# The first layer of a residual block, and the shape of its images.
ADDING = {
    "direct": (lambda: conv(32, 7), (32, 9, 7)),
    "winograd": (lambda: conv(20), (20, 9, 7)),
    "winograd in groups": (lambda: conv(48, groups=3), (48, 9, 7)),
    "wide": (lambda: conv(184), (184, 6, 7)),
    "product": (lambda: conv(37, 1), (37, 5, 7)),
    "behind a relu": (lambda: nn.Sequential(conv(20), nn.ReLU()), (20, 9, 7)),
}


@pytest.mark.parametrize("name", ADDING)
def test_the_sum_of_a_blocks_gradients_takes_no_pass(name, passes):
    make, (channels, *image) = ADDING[name]
    model = nn.Sequential(conv(channels, 1), nn.Residual(make()), nn.LeakyReLU())
    plan = assert_gradients_agree(model, images(channels, *image))
    assert not passes
    assert not plan._memory._sum_arrays


def test_a_strided_block_adds_the_gradient_of_its_projection(passes):
    block = nn.Residual(conv(32, 3, 64, stride=2), shortcut=conv(32, 1, 64, stride=2))
    assert_gradients_agree(nn.Sequential(conv(32, 1), block), images(32, 8, 8))
    assert not passes


def test_all_branches_but_the_last_add(passes):
    branches = [conv(20), conv(20, 1), nn.Sequential(conv(20, 1), conv(20)), nn.LeakyReLU()]
    model = nn.Sequential(conv(20, 1), nn.Branches(*branches))
    assert_gradients_agree(model, images(20, 9, 7))
    assert not passes


PASSES = {
    "depthwise": lambda: nn.Residual(conv(32, groups=32)),
    "every other pixel": lambda: nn.Residual(conv(32, 1, stride=2), shortcut=conv(32, 3, stride=2)),
    "no convolution": lambda: nn.Residual(nn.BatchNorm2d(32)),
}


@pytest.mark.parametrize("name", PASSES)
def test_where_no_kernel_adds_a_pass_does(name, passes):
    assert_gradients_agree(nn.Sequential(conv(32, 1), PASSES[name]()), images(32, 8, 8))
    assert passes


def test_a_few_channels_are_added_by_a_pass(passes):
    assert_gradients_agree(nn.Sequential(conv(3, 1), nn.Residual(conv(3))), images(3, 8, 8))
    assert passes


def test_a_value_that_is_also_an_output_begins_with_what_the_caller_gives(passes):
    nodes = {"a": (conv(20), "x"), "b": (conv(20), "a"), "c": (nn.LeakyReLU(), "b")}
    model = nn.Graph(nodes, output=("a", "c"))
    x = images(20, 9, 7)
    plan = engine.compile(model, x.shape[1:], N)
    for seed in range(5):  # the last ones without Python between the kernels
        dy = images(20, 9, 7, seed=seed), images(20, 9, 7, seed=10 + seed)
        plan(x)
        dx = plan.backward(dy, need_dx=True).copy()
        model(x)
        assert_agrees(dx, model.backward(dy), within=1e-5)
    assert not passes
