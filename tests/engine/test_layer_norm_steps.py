"""The steps of PReLU, layer normalisation and ChannelLinear: blocks, threads, ranks, frozen layers."""  # noqa: E501

from __future__ import annotations

import copy

import numpy as np
import pytest

from engine.shares import shares, total
from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.steps import activations
from pellucid.engine.cpu.steps.activations import PReLUStep
from pellucid.engine.cpu.steps.layer_norm import LayerNormStep
from pellucid.kernels import layer_norm
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads

BATCH = 7


def _drawn(shape, seed=0, *, loc=0.0):
    return np.random.default_rng(seed).normal(loc, size=shape).astype(np.float32)


def _given(layer):
    """Return a layer with parameters that are not those of the start."""
    rng = np.random.default_rng(3)
    for parameter in layer.parameters().values():
        parameter.data[...] = rng.uniform(0.2, 2, parameter.data.shape)
    return layer


# Of each: how the step is built, and the shape of an image as the step takes it.
SUMMING = {
    "PReLU": (PReLUStep, lambda: _given(nn.PReLU(6)), (6, 9, 8), (9, 8, 6)),
    "PReLU of one slope": (PReLUStep, lambda: _given(nn.PReLU()), (6, 9, 8), (9, 8, 6)),
    "LayerNorm2d": (LayerNormStep, lambda: _given(nn.LayerNorm2d(6)), (6, 9, 8), (9, 8, 6)),
    "LayerNorm": (LayerNormStep, lambda: _given(nn.LayerNorm(8)), (6, 9, 8), (6, 9, 8)),
    "LayerNorm of images": (
        LayerNormStep, lambda: _given(nn.LayerNorm((6, 9, 8))), (6, 9, 8), (6, 9, 8),
    ),
}  # fmt: skip
every_sum = pytest.mark.parametrize("name", SUMMING)


@pytest.fixture(params=[60, 10**6], ids=["many blocks", "one block"])
def block(request, monkeypatch):
    monkeypatch.setattr(activations, "BLOCK", request.param)
    monkeypatch.setattr(layer_norm, "ROWS_BLOCK", request.param)


def _run(step, layer, x, dy):
    """Return what forward and backward give, and the gradients of the parameters."""
    if step.share.alone:
        step.share.begin(len(x))
    y = step.forward(x).copy()
    dx = step.backward(dy, need_dx=True)
    return [y, dx, *(p.grad.copy() for p in layer.parameters().values())]


@every_sum
@pytest.mark.usefixtures("block")
def test_the_bits_depend_neither_on_the_threads_nor_on_the_ranks(name):
    kind, build, shape, here = SUMMING[name]
    layer, before, results = build(), get_num_threads(), []
    x, dy = _drawn((2 * BATCH, *here)), _drawn((2 * BATCH, *here), 1)
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            results.append(_run(kind("here", layer, shape, 2 * BATCH), layer, x, dy))
    finally:
        set_num_threads(before)
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)
    for ranks in (2, 3):
        parts = []
        for share in shares(ranks):
            cut, step = share.begin(len(x)), kind("here", layer, shape, len(x))
            step.divide(share, len(x))
            parts.append(_run(step, layer, x[cut], dy[cut]))
        sums = zip(*(part[2:] for part in parts), strict=True)
        for one, several in zip(results[0][2:], sums, strict=True):
            np.testing.assert_array_equal(total(several, ranks), one)


@pytest.mark.parametrize("loc", [100, -3000])
@pytest.mark.parametrize("c", [1, 5, 40, 300])
def test_a_mean_far_from_zero_costs_layer_norm_no_digits(c, loc):
    layer = _given(nn.LayerNorm2d(c, eps=1e-3))
    plain = copy.deepcopy(layer).astype(np.float64)
    step = LayerNormStep("norm", layer, (c, 5, 4), BATCH)
    for n in (BATCH, 2):
        x, dy = _drawn((n, 5, 4, c), loc=loc), _drawn((n, 5, 4, c), 1)
        step.share.begin(n)
        y, dx = step.forward(x), step.backward(dy, need_dx=True)
        assert_agrees(np.moveaxis(y, -1, 1), plain(np.moveaxis(x, -1, 1).astype(float)))
        expected = plain.backward(np.moveaxis(dy, -1, 1).astype(float))
        assert_agrees(np.moveaxis(dx, -1, 1), expected, magnitude=abs(dy).max() * 2)
        for key, parameter in layer.parameters().items():
            theirs = plain.parameters()[key].grad
            assert_agrees(parameter.grad, theirs, magnitude=abs(dy).sum() / c * 2)


def test_equal_numbers_are_normalised_to_the_shift():
    layer = _given(nn.LayerNorm2d(3))
    step = LayerNormStep("norm", layer, (3, 2, 2), 1)
    y = step.forward(np.full((1, 2, 2, 3), 7.3, np.float32))
    np.testing.assert_allclose(y[0, 0, 0], layer.bias.data, atol=1e-6)


@every_sum
def test_a_frozen_layer_gets_no_gradient_and_passes_one_on(name):
    kind, build, shape, here = SUMMING[name]
    layer = build()
    for parameter in layer.parameters().values():
        parameter.rate = 0.0
    step = kind("here", layer, shape, BATCH)
    x, dy = _drawn((BATCH, *here)), _drawn((BATCH, *here), 1)
    step.share.begin(BATCH)
    step.forward(x)
    assert np.isfinite(step.backward(dy, need_dx=True)).all()
    assert all(p.grad is None for p in layer.parameters().values())


def _blocks(kind):
    rng = np.random.default_rng(0)
    first = nn.Conv2d if kind == "convolution" else nn.ChannelLinear
    window = (1,) if kind == "convolution" else ()
    return nn.Sequential(
        a=first(5, 6, *window, rng=rng),
        norm=nn.BatchNorm2d(6),
        relu=nn.ReLU(),
        b=first(6, 4, *window, rng=rng),
        relu2=nn.ReLU(),
        pool=nn.MaxPool2d(2),
    )


def test_a_linear_of_channels_is_run_as_the_convolution_that_it_is():
    linear, convolution = _blocks("linear"), _blocks("convolution")
    for key, parameter in convolution.parameters().items():
        mine = linear.parameters()[key]
        mine.data[...] = parameter.data.reshape(mine.data.shape)
    plans = [engine.compile(model, (5, 6, 4), 3) for model in (linear, convolution)]
    x, dy = _drawn((3, 5, 6, 4)), _drawn((3, 4, 3, 2), 1)
    assert [step.kernel for step in plans[0].steps] == [step.kernel for step in plans[1].steps]
    for frozen in (False, True):
        for model, plan in zip((linear, convolution), plans, strict=True):
            model.train(not frozen)
            if frozen:  # the batch norm is folded into the filters
                plan.freeze()
        np.testing.assert_array_equal(plans[0](x), plans[1](x))
        dxs = [plan.backward(dy, need_dx=True) for plan in plans]
        np.testing.assert_array_equal(*dxs)
        for key, parameter in convolution.parameters().items():
            mine = linear.parameters()[key]
            np.testing.assert_array_equal(mine.grad.reshape(parameter.grad.shape), parameter.grad)
            assert mine.grad.shape == mine.data.shape
    assert abs(plans[0].gradients).sum() > 0
    np.testing.assert_array_equal(plans[0].gradients, plans[1].gradients)


def test_a_frozen_linear_of_channels_learns_nothing():
    model = _blocks("linear")
    nn.freeze(model, ["a", "norm"])
    plan = engine.compile(model, (5, 6, 4), 3)
    plan(_drawn((3, 5, 6, 4)))
    plan.backward(_drawn((3, 4, 3, 2), 1))
    learned = [name for name, p in model.parameters().items() if p.rate]
    assert learned == ["b.weight", "b.bias"]
    assert all(model.parameters()[name].grad is not None for name in learned)
