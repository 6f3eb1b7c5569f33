"""In inference a convolution does the work of the batch norm behind it, and of the activation."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.steps import conv
from pellucid.kernels.convolution.activation import SILU, Activation

SHAPE = (2, 7, 6)


def network(bias=True, relu=True, groups=1):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        conv=nn.Conv2d(2, 4, 3, padding=1, bias=bias, groups=groups, rng=rng),
        norm=nn.BatchNorm2d(4),
        **({"relu": nn.ReLU()} if relu else {}),
        last=nn.Conv2d(4, 3, 3, rng=rng),
    )
    norm = model["norm"]
    norm.weight.data[:] = rng.normal(size=4)
    norm.bias.data[:] = rng.normal(size=4)
    norm.running_mean.data[:] = rng.normal(size=4)
    norm.running_var.data[:] = 0.1 + rng.random(4)
    return model.eval()


def images(n=5, seed=1):
    return np.random.default_rng(seed).normal(size=(n, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_frozen_plan_gives_what_the_layers_give(relu, bias, groups):
    model = network(bias, relu, groups)
    plan = engine.compile(model, SHAPE, 5)
    plan.freeze()
    for n in (5, 3):
        assert_agrees(plan(images(n)), model(images(n)), within=1e-5)
    (norm,) = (step for step in plan.steps if step.kernel.startswith("batch norm"))
    assert norm.folded
    assert norm.forward(plan.steps[0]._y) is plan.steps[0]._y


def test_gradients_are_those_of_the_layers_all_the_same():
    model, x = network(), images()
    plan = engine.compile(model, SHAPE, 5)
    plan.freeze()
    y = plan(x)
    dy = np.random.default_rng(2).normal(size=y.shape).astype(np.float32)
    dx = plan.backward(dy, need_dx=True).copy()
    got = {name: p.grad.copy() for name, p in model.parameters().items()}
    model(x)
    assert_agrees(dx, model.backward(dy), within=1e-5)
    for name, p in model.parameters().items():
        assert_agrees(got[name], p.grad, within=1e-5, what=name)
    assert_agrees(plan(x), model(x), within=1e-5)


def test_a_frozen_plan_may_go_back_to_training_and_come_again():
    model, x = network(), images()
    plan = engine.compile(model, SHAPE, 5)
    plan.freeze()
    plan(x)
    model.train()
    before = model["norm"].running_mean.data.copy()
    y = plan(x).copy()
    assert not np.array_equal(before, model["norm"].running_mean.data)
    assert_agrees(y, network().train()(x), within=1e-5)
    model.eval()
    plan.freeze()
    assert_agrees(plan(x), model(x), within=1e-5)


def test_an_output_that_others_read_is_not_folded():
    rng = np.random.default_rng(0)
    shared = nn.Residual(nn.BatchNorm2d(4), shortcut=nn.ReLU())
    model = nn.Sequential(nn.Conv2d(2, 4, 3, rng=rng), shared).eval()
    model[1][0].running_mean.data[:] = 1
    plan = engine.compile(model, SHAPE, 5)
    plan.freeze()
    assert_agrees(plan(images()), model(images()), within=1e-5)


def test_a_plan_that_is_not_frozen_folds_nothing():
    model = network()
    plan = engine.compile(model, SHAPE, 5)
    plan(images())
    model["norm"].running_mean.data[:] += 1
    assert_agrees(plan(images()), model(images()), within=1e-5)


@pytest.mark.parametrize("level", [100, 1e4])
def test_a_bias_and_a_mean_that_are_both_far_from_zero_cancel(level):
    model, x = network(relu=False), images()
    conv, norm = model["conv"], model["norm"]
    conv.bias.data[:] = level
    exact = copy.deepcopy(model).astype(np.float64)
    z = exact["conv"](x.astype(np.float64))
    for m in (norm, exact["norm"]):
        m.running_mean.data[:] = np.float32(z.mean(axis=(0, 2, 3)))
        m.running_var.data[:] = np.float32(z.var(axis=(0, 2, 3)))
    plan = engine.compile(model, SHAPE, 5)
    plan.freeze()
    assert_agrees(plan(x), exact(x.astype(np.float64)), within=1e-6)


ACTIVATIONS = {
    "relu6": nn.ReLU6(),
    "clip": nn.Clip(-0.5, None),
    "silu": nn.SiLU(),
    "hardswish": nn.Hardswish(),
    "hardsigmoid": nn.Hardsigmoid(0.3, 0.4),
    "sigmoid": nn.Sigmoid(),
    "gelu": nn.GELU(),
}
ALONE = ("relu6", "silu")  # also after depthwise convolutions, and without a batch norm


def activated(activation, *, groups=1, norm=True, padding=1):
    rng = np.random.default_rng(0)
    layers = {"conv": nn.Conv2d(4, 4, 3, padding=padding, groups=groups, rng=rng)}
    if norm:
        layers["norm"] = nn.BatchNorm2d(4)
        layers["norm"].running_mean.data[:] = rng.normal(size=4)
        layers["norm"].weight.data[:] = 3 * rng.normal(size=4)
    model = nn.Sequential(
        **layers, activation=copy.deepcopy(activation), last=nn.Conv2d(4, 3, 1, rng=rng)
    )
    return model.eval()


@pytest.mark.parametrize(
    ("name", "groups", "norm"),
    [
        *((name, 1, True) for name in ACTIVATIONS),
        *((name, groups, norm) for name in ALONE for groups in (1, 4) for norm in (True, False)),
    ],
)
def test_an_activation_is_applied_before_the_convolution_writes(name, groups, norm):
    model = activated(ACTIVATIONS[name], groups=groups, norm=norm)
    x = np.random.default_rng(1).normal(size=(5, 4, 7, 6)).astype(np.float32)
    plan = engine.compile(model, x.shape[1:], 5)
    unfrozen = plan(x).copy()
    assert_agrees(unfrozen, model(x), within=1e-5)
    plan.freeze()
    for n in (5, 2):
        assert_agrees(plan(x[:n]), model(x[:n]), within=1e-5)
    (*_, step) = (step for step in plan.steps if step.name in ("norm", "activation"))
    assert step.folded
    assert step.forward(plan.steps[1]._y) is plan.steps[1]._y
    if name == "silu":
        kernel = plan.steps[1]._output.kernel_for(Activation(SILU))
        assert kernel in plan.steps[1].uses(training=False)

    x = x[::-1] + np.float32(0.3)  # not the images that the plan saw before it was frozen
    y = plan(x)
    dy = np.random.default_rng(2).normal(size=y.shape).astype(np.float32)
    dx = plan.backward(dy, need_dx=True).copy()
    got = {key: p.grad.copy() for key, p in model.parameters().items()}
    model(x)
    assert_agrees(dx, model.backward(dy), within=1e-5)
    for key, p in model.parameters().items():
        assert_agrees(got[key], p.grad, within=1e-5, what=key)

    model.train()
    trained = copy.deepcopy(model)
    assert_agrees(plan(x), trained(x), within=1e-5)
    assert not step.folded


def test_winograd_leaves_an_activation_to_its_step():
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        conv=nn.Conv2d(16, 16, 3, padding=1, rng=rng), activation=nn.SiLU()
    ).eval()
    x = rng.normal(size=(2, 16, 8, 8)).astype(np.float32)
    plan = engine.compile(model, x.shape[1:], 2)
    plan.freeze()
    assert "Winograd" in plan.steps[1].kernel
    assert_agrees(plan(x), model(x), within=1e-5)
    assert not plan.steps[2].folded


@pytest.mark.parametrize("activation", [nn.ReLU6, nn.SiLU])
def test_winograd_leaves_an_activation_to_the_batch_norm_that_has_it(activation):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        conv=nn.Conv2d(16, 16, 3, padding=1, rng=rng), norm=nn.BatchNorm2d(16), last=activation()
    ).eval()
    model["norm"].weight.data[:] = 5
    x = rng.normal(size=(2, 16, 8, 8)).astype(np.float32)
    plan = engine.compile(model, x.shape[1:], 2)
    plan.freeze()
    for _ in range(4):  # the third call is replayed
        assert_agrees(plan(x), model(x), within=1e-5)
    _, winograd, norm, *_ = plan.steps
    assert "Winograd" in winograd.kernel
    assert norm.kernel == f"batch norm + {activation.__name__.lower()}"
    assert not norm.folded


def test_a_bound_that_is_changed_later_counts():
    clip = nn.Clip(-0.5, 0.5)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), clip).eval()
    plan = engine.compile(model, SHAPE, 5)
    plan(images())
    clip.high = 0.25
    assert_agrees(plan(images()), model(images()), within=1e-5)


def test_an_activation_that_the_batch_norm_has_no_convolution_for_runs_by_itself():
    model = nn.Sequential(norm=nn.BatchNorm2d(4), activation=nn.GELU()).eval()
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 5)).astype(np.float32)
    plan = engine.compile(model, x.shape[1:], 2)
    plan.freeze()
    assert_agrees(plan(x), model(x), within=1e-5)


def test_the_bias_of_an_interrupted_inference_is_not_left_to_a_training(monkeypatch):
    layer = nn.Conv2d(2, 8, 3, bias=False, rng=np.random.default_rng(0))
    model, x = nn.Sequential(layer, nn.BatchNorm2d(8)).eval(), images()
    model["1"].running_mean.data += 1
    plan, write = engine.compile(model, SHAPE, 5), conv._write
    plan.freeze()

    def interrupted(*args):
        write(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(conv, "_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            plan(x)
    for training in (True, False):
        model.train(training)
        assert_agrees(plan(x), copy.deepcopy(model)(x), within=1e-5)
