"""Residual blocks and branches run step by step, and give what the layers give."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks import by_the_layers
from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.steps.join import AddStep, ConcatStep
from pellucid.engine.cpu.steps.layout import LayoutStep
from pellucid.engine.cpu.steps.plain import PlainStep

SHAPE, BATCH = (3, 7, 6), 5


def conv(channels, filters, size=3, rng=None, **how):
    return nn.Conv2d(channels, filters, size, padding=size // 2, rng=rng, **how)


def identity(rng):
    return nn.Sequential(
        conv(3, 4, rng=rng),
        nn.Residual(conv(4, 8, rng=rng), nn.ReLU(), conv(8, 4, rng=rng)),
        nn.ReLU(),
        conv(4, 2, rng=rng),
    )


def projection(rng):
    block = nn.Residual(
        conv(3, 6, rng=rng, stride=2, bias=False),
        nn.BatchNorm2d(6),
        shortcut=conv(3, 6, 1, rng=rng, stride=2),
    )
    return nn.Sequential(block, nn.Flatten(), nn.Linear(6 * 4 * 3, 4, rng=rng))


def two_norms(rng):
    """Return a block with a batch norm on both paths, before one whose second path has one."""
    both = nn.Residual(
        conv(3, 5, rng=rng, bias=False),
        nn.BatchNorm2d(5),
        shortcut=nn.Sequential(conv(3, 5, 1, rng=rng, bias=False), nn.BatchNorm2d(5)),
    )
    second = nn.Residual(conv(5, 5, rng=rng), shortcut=nn.BatchNorm2d(5))
    model = nn.Sequential(both, nn.ReLU(), second, conv(5, 2, rng=rng))
    for p in model.parameters().values():
        p.data += rng.normal(size=p.data.shape).astype(np.float32) / 4
    return model


def padded(rng):
    chain = (conv(3, 8, rng=rng, stride=(2, 3)), nn.ReLU(), conv(8, 8, rng=rng))
    return nn.Residual(*chain, shortcut=nn.ZeroPadShortcut(3, 8, (2, 3)))


def in_each_other(rng):
    inner = nn.Residual(nn.Residual(conv(3, 3, rng=rng)), nn.Tanh(), conv(3, 3, rng=rng))
    return nn.Sequential(inner, nn.Residual(nn.Sigmoid()), conv(3, 3, rng=rng))


def inception(rng):
    return nn.Sequential(
        conv(3, 4, rng=rng),
        nn.ReLU(),
        nn.Branches(
            nn.Sequential(conv(4, 3, 1, rng=rng), nn.ReLU()),
            nn.Sequential(conv(4, 2, 1, rng=rng), nn.ReLU(), conv(2, 5, rng=rng), nn.ReLU()),
            nn.MaxPool2d(3, 1, 1),
        ),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
    )


def of_rows(rng):
    return nn.Sequential(
        nn.Flatten(),
        nn.Branches(nn.Linear(126, 3, rng=rng), nn.Linear(126, 4, rng=rng)),
        nn.Residual(nn.Linear(7, 7, rng=rng), nn.ReLU()),
    )


def a_branch_that_wants_channels_first(rng):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(126, 5, rng=rng))
    pooled = nn.Sequential(nn.GlobalMaxPool2d(), nn.Flatten())
    return nn.Sequential(conv(3, 3, rng=rng), nn.ReLU(), nn.MaxPool2d(1), nn.Branches(flat, pooled))


MODELS = (
    identity, projection, two_norms, padded, in_each_other, inception, of_rows,
    a_branch_that_wants_channels_first,
)  # fmt: skip


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("n", [1, BATCH])
def test_a_plan_gives_what_the_layers_give(make, n):
    rng = np.random.default_rng(0)
    model = make(rng)
    x = rng.normal(size=(n, *SHAPE)).astype(np.float32)
    dy = rng.normal(size=(n, *model.output_shape(SHAPE))).astype(np.float32)
    kept = dy.copy()
    expected = by_the_layers(model, x, dy, np.float64)
    plan = engine.compile(model, SHAPE, BATCH)
    assert not any(isinstance(step, PlainStep) for step in plan.steps)
    for need_dx in (True, False, True):
        assert_agrees(plan(x), expected["y"], within=1e-5)
        dx = plan.backward(dy, need_dx=need_dx)
        if need_dx:
            assert_agrees(dx, expected["dx"], within=1e-5)
        for name, p in model.parameters().items():
            assert_agrees(p.grad, expected[f"{name}.grad"], within=1e-5, what=name)
    np.testing.assert_array_equal(dy, kept)


@pytest.mark.parametrize("make", [projection, two_norms])
def test_a_sum_applies_the_batch_norms_before_it_in_every_mode(make):
    rng = np.random.default_rng(0)
    model, x = make(rng), rng.normal(size=(BATCH, *SHAPE)).astype(np.float32)
    plan = engine.compile(model, SHAPE, BATCH)
    norms = [layer for _, layer in model.layers() if isinstance(layer, nn.BatchNorm2d)]
    norms[0].weight.rate = norms[0].bias.rate = 0  # in fine-tuning: no sums of its gradient
    dy = rng.normal(size=(BATCH, *model.output_shape(SHAPE))).astype(np.float32)
    for mode in (model.train, model.eval, plan.freeze):
        mode()
        for n in (BATCH, 2, BATCH, BATCH):  # the third call of a frozen plan is replayed
            assert_agrees(plan(x[:n]), model(x[:n]), within=1e-5)
        wanted = by_the_layers(model, x, dy, np.float64)
        assert_agrees(plan.backward(dy, need_dx=True), wanted["dx"], within=1e-5)
    assert all(step.skipped for step in plan.steps if step.kernel == "batch norm")


def test_the_relu_behind_a_sum_goes_with_it():
    plan = engine.compile(identity(np.random.default_rng(0)), SHAPE, BATCH)
    (step,) = (step for step in plan.steps if isinstance(step, AddStep))
    assert step.kernel == "sum + relu"
    assert len(step.reads) == 2
    assert not any("relu" in step.kernel.split()[:1] for step in plan.steps)


def test_images_are_turned_once_for_all_ways():
    plan = engine.compile(inception(np.random.default_rng(0)), SHAPE, BATCH)
    turns = [
        step for step in plan.steps if isinstance(step, LayoutStep) and "channels" in step.kernel
    ]
    assert len(turns) == 1
    (stack,) = (step for step in plan.steps if isinstance(step, ConcatStep))
    assert len(stack.reads) == 3


def test_a_block_with_a_forward_of_its_own_is_called_as_it_is():
    class Halved(nn.Residual):
        def forward(self, x):
            return super().forward(x) / 2

    model = nn.Sequential(Halved(conv(3, 3, rng=np.random.default_rng(0))))
    plan = engine.compile(model, SHAPE, 2)
    assert any(isinstance(step, PlainStep) for step in plan.steps)
    x = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype(np.float32)
    assert_agrees(plan(x), model(x))


def test_any_number_of_inputs_is_joined():
    rng, depths = np.random.default_rng(0), (3, 17, 1, 64, 5, 2)
    shapes = tuple((c, 4, 3) for c in depths)
    step = ConcatStep("join", nn.Concat(), shapes, 2)
    x = [rng.normal(size=(2, 4, 3, c)).astype(np.float32) for c in depths]
    y = step.forward(*x)
    np.testing.assert_array_equal(y, np.concatenate(x, axis=-1))
    for dx, a in zip(step.backward(y.copy(), need_dx=True), x, strict=True):
        np.testing.assert_array_equal(dx, a)
