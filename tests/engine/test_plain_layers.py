"""Layers without kernels run inside a plan as they are, between layers that have some."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.steps.plain import PlainStep

LAYERS = {
    "LocallyConnected2d": lambda rng: nn.LocallyConnected2d(4, 3, 8, 3, padding=1, rng=rng),
    "ConvTranspose2d": lambda rng: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2, rng=rng),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_without_a_kernel_is_a_plain_step_of_a_plan(name):
    rng = np.random.default_rng(0)
    first = nn.Conv2d(2, 4, 3, padding=1, rng=rng)
    model = nn.Sequential(conv=first, relu=nn.ReLU(), own=LAYERS[name](rng))
    plain = copy.deepcopy(model).astype(np.float64)
    x = rng.normal(size=(3, 2, 8, 8)).astype(np.float32)
    plan = engine.compile(model, x.shape[1:], len(x))
    assert [type(step) for step in plan.steps].count(PlainStep) == 1
    y = plan(x)
    assert_agrees(y, plain(x.astype(np.float64)))
    dy = rng.normal(size=y.shape).astype(np.float32)
    assert_agrees(plan.backward(dy, need_dx=True), plain.backward(dy.astype(np.float64)))
    for key, parameter in plain.parameters().items():
        assert_agrees(model.parameters()[key].grad, parameter.grad)
