"""Each pointwise step equals its layer, in any layout, for any number of images up to its batch."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.steps.activations import (
    CELUStep,
    ClipStep,
    ELUStep,
    ErfStep,
    GELUStep,
    HardsigmoidStep,
    HardswishStep,
    MishStep,
    SELUStep,
    SoftplusStep,
)
from pellucid.engine.cpu.steps.pointwise import (
    DropoutStep,
    LeakyReLUStep,
    ReLUStep,
    SigmoidStep,
    SoftmaxStep,
    TanhStep,
)
from pellucid.engine.cpu.steps.stochastic_depth import StochasticDepthStep
from pellucid.errors import ArgumentError
from pellucid.image_random import ImageRandom
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads

BATCH = 9
SHAPES = [(1,), (40,), (3, 6, 5), (1, 4, 4), (5, 1, 1), (17, 2, 3)]
STEPS = {
    "ReLU": (ReLUStep, nn.ReLU()),
    "LeakyReLU": (LeakyReLUStep, nn.LeakyReLU(0.2)),
    "LeakyReLU with a negative slope": (LeakyReLUStep, nn.LeakyReLU(-0.5)),
    "Sigmoid": (SigmoidStep, nn.Sigmoid()),
    "Tanh": (TanhStep, nn.Tanh()),
    "Clip": (ClipStep, nn.Clip(-1, 0.5)),
    "Clip of the upper side": (ClipStep, nn.Clip(high=0.5)),
    "ReLU6": (ClipStep, nn.ReLU6()),
    "Hardsigmoid": (HardsigmoidStep, nn.Hardsigmoid(0.2, 0.4)),
    "Hardswish": (HardswishStep, nn.Hardswish()),
    "GELU": (GELUStep, nn.GELU()),
    "GELU by tanh": (GELUStep, nn.GELU("tanh")),
    "ELU": (ELUStep, nn.ELU(0.7)),
    "CELU": (CELUStep, nn.CELU(0.7)),
    "SELU": (SELUStep, nn.SELU()),
    "Erf": (ErfStep, nn.Erf()),
    "Softplus": (SoftplusStep, nn.Softplus(2.5)),
    "Mish": (MishStep, nn.Mish()),
    "Softmax": (SoftmaxStep, nn.Softmax()),
    "Dropout": (DropoutStep, nn.Dropout(0.4, rng=np.random.default_rng(5))),
    "Dropout of nothing": (DropoutStep, nn.Dropout(0.0, rng=np.random.default_rng(5))),
    "Dropout evaluating": (DropoutStep, nn.Dropout(0.4).eval()),
    "StochasticDepth": (
        StochasticDepthStep,
        nn.StochasticDepth(0.4, rng=np.random.default_rng(5)),
    ),
    "StochasticDepth evaluating": (StochasticDepthStep, nn.StochasticDepth(0.4).eval()),
    "book's Dropout": (DropoutStep, nn.Dropout(0.4, "book", rng=np.random.default_rng(5))),
    "book's Dropout evaluating": (DropoutStep, nn.Dropout(0.4, "book").eval()),
}


def _drawn(n, shape, seed=0):
    x = np.random.default_rng(seed).normal(scale=2, size=(n, *shape)).astype(np.float32)
    x.setflags(write=False)
    return x


def _to_last(x):
    """Turn images into channels-last; the rest stays as it is."""
    return np.array(x.transpose(0, 2, 3, 1) if x.ndim == 4 else x, order="C")


def _to_first(x):
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_its_layer(name, shape):
    kind, layer = STEPS[name]
    layer = copy.deepcopy(layer)
    plain = copy.deepcopy(layer)
    step = kind("here", layer, shape, BATCH)
    assert (step.name, step.output_shape, step.multiply_adds) == ("here", shape, 0)
    assert step.kernel == type(layer).__name__.lower()
    for n in (BATCH, 1, 4):
        x, dy = _drawn(n, shape, n), _drawn(n, shape, n + 1)
        here, dy_here = _to_last(x), _to_last(dy)
        y = step.forward(here)
        assert_agrees(_to_first(y), plain(x), within=1e-6)
        dx = step.backward(dy_here, need_dx=True)
        assert_agrees(_to_first(dx), plain.backward(dy), within=2e-6)
        for result in (y, dx):
            assert (result.dtype, result.shape) == (np.float32, here.shape)
            assert result.flags.c_contiguous
        np.testing.assert_array_equal(here, _to_last(x))
        np.testing.assert_array_equal(dy_here, _to_last(dy))
        assert step.backward(dy_here, need_dx=False) is None


@pytest.mark.parametrize("kind", [ReLUStep, LeakyReLUStep, SigmoidStep, TanhStep])
def test_what_acts_on_every_number_takes_any_layout(kind):
    assert kind.channels_last is None
    layer = getattr(nn, kind.__name__.removesuffix("Step"))()
    step = kind("here", layer, (3, 6, 5), BATCH)
    x, dy = _drawn(4, (3, 6, 5)).copy(), _drawn(4, (3, 6, 5), 1).copy()
    assert_agrees(step.forward(x), layer(x), within=1e-6)
    assert_agrees(step.backward(dy, need_dx=True), layer.backward(dy), within=1e-6)


@pytest.mark.parametrize("kind", [SoftmaxStep, DropoutStep])
def test_what_looks_at_channels_wants_them_last(kind):
    assert kind.channels_last is True


@pytest.mark.parametrize(
    ("dim", "shape", "takes"),
    [
        (1, (8,), True), (-1, (8,), True), (0, (8,), False), (1, (3, 4, 4), True),
        (-3, (3, 4, 4), True), (-1, (3, 4, 4), False), (2, (3, 4, 4), False),
    ],
)  # fmt: skip
def test_a_softmax_along_another_axis_is_left_to_its_layer(dim, shape, takes):
    assert SoftmaxStep.takes(nn.Softmax(dim), shape) is takes


@pytest.mark.parametrize("shape", [(70_000,), (40, 30, 30), (2, 5, 4), (6,)], ids=str)
def test_dropout_draws_what_the_layer_draws(shape):
    layer = nn.Dropout(0.3, rng=np.random.default_rng(1))
    plain = copy.deepcopy(layer)
    step = DropoutStep("drop", layer, shape, 5)
    for n in (5, 2, 5):
        x = np.ones((n, *shape), np.float32)
        y = step.forward(_to_last(x))
        np.testing.assert_array_equal(_to_first(y), plain(x))
    assert layer.rng.bit_generator.state == plain.rng.bit_generator.state


def test_dropout_reads_its_layer_at_each_call():
    layer = nn.Dropout(0.5, rng=np.random.default_rng(1))
    step, x = DropoutStep("drop", layer, (1000,), 1), np.ones((1, 1000), np.float32)
    assert set(step.forward(x).ravel()) == {0, 2}
    layer.eval()
    assert set(step.forward(x).ravel()) == {1}
    assert step.backward(x, need_dx=True).sum() == 1000
    layer.train()
    layer.p, layer.rng = 0.75, np.random.default_rng(2)
    y = step.forward(x).copy()
    assert set(y.ravel()) == {0, 4}
    np.testing.assert_array_equal(step.backward(x, need_dx=True), y)
    np.testing.assert_array_equal(y.ravel() > 0, np.random.default_rng(2).random(1000) >= 0.75)


def test_a_probability_that_leaves_nothing_is_refused():
    layer = nn.Dropout(0.5, rng=np.random.default_rng(1))
    step = DropoutStep("drop", layer, (4,), 1)
    layer.p = 1.0
    with pytest.raises(ArgumentError, match=r"p: must be a probability .* received 1\.0"):
        step.forward(np.ones((1, 4), np.float32))


def test_the_slope_may_change():
    layer = nn.LeakyReLU(0.5)
    step, x = LeakyReLUStep("leaky", layer, (2,), 1), np.array([[-2, 3]], np.float32)
    np.testing.assert_array_equal(step.forward(x), [[-1, 3]])
    layer.negative_slope = 0.25
    np.testing.assert_array_equal(step.forward(x), [[-0.5, 3]])
    np.testing.assert_array_equal(step.backward(x, need_dx=True), [[-0.5, 3]])


@pytest.mark.parametrize("name", ["Sigmoid", "Softmax", "Dropout"])
def test_the_bits_do_not_depend_on_the_threads(name):
    kind, layer = STEPS[name]
    before, results = get_num_threads(), []
    x, dy = _drawn(BATCH, (40, 40, 12)).copy(), _drawn(BATCH, (40, 40, 12), 1).copy()
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            step = kind("here", copy.deepcopy(layer), (12, 40, 40), BATCH)
            y, dx = step.forward(x), step.backward(dy, need_dx=True)
            results.append(y.tobytes() + dx.tobytes())
    finally:
        set_num_threads(before)
    assert results[0] == results[1] == results[2]


def test_which_images_stochastic_depth_zeroes_depends_neither_on_their_order_nor_on_the_batch():
    layer, x = nn.StochasticDepth(0.5), np.ones((20, 3), np.float32)
    plan = engine.compile(layer, (3,), 20)
    layer.rng = ImageRandom(0, "depth")
    numbers = np.arange(20)
    layer.rng.at(2, numbers)
    together = layer(x)[:, 0] > 0
    assert 3 < together.sum() < 17
    for run in (layer, plan):
        layer.rng.at(2, numbers[::-1])
        assert np.array_equal(run(x)[:, 0] > 0, together[::-1])
        layer.rng.at(2, [3, 17])
        assert np.array_equal(run(x[:2])[:, 0] > 0, together[[3, 17]])
