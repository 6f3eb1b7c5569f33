"""Every fast step equals its layers: forward, input gradient, parameter gradients, to 1e-5."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings

from engine.networks import few_tiles
from ops.strategies import convolutions, poolings
from ops.witness import assert_agrees, relative_error
from pellucid import engine, nn
from pellucid.engine.cpu.steps.conv import ConvStep
from pellucid.engine.cpu.steps.layout import LayoutStep
from pellucid.engine.cpu.steps.linear import LinearStep
from pellucid.engine.cpu.steps.plain import PlainStep
from pellucid.engine.cpu.steps.pool import MaxPoolStep
from pellucid.kernels.convolution import tiles

pytestmark = pytest.mark.all_tiles

rng = np.random.default_rng(0)


def agree(model, x, dy=None):
    """Run a plan and the layers themselves; return the plan."""
    plain = copy.deepcopy(model).astype(np.float64)
    plan = engine.compile(model, x.shape[1:], len(x))
    y, expected = plan(x), plain(x.astype(np.float64))
    assert_agrees(y, expected)
    dy = np.random.default_rng(1).normal(size=y.shape).astype(np.float32) if dy is None else dy
    dx = plan.backward(dy, need_dx=True)
    assert_agrees(dx, plain.backward(dy.astype(np.float64)))
    for name, p in plain.parameters().items():
        got = model.parameters()[name].grad
        assert got.shape == p.grad.shape
        # A bias gradient is a plain sum, which may cancel: judged by the size of its terms.
        scale = np.abs(dy).sum() / dy.shape[1] if name.endswith("bias") else None
        assert relative_error(got, p.grad, scale) < 1e-5, name
    return plan


def kinds(plan):
    """Return the classes of the steps, but for those that only turn the images."""
    return [type(step) for step in plan.steps if not isinstance(step, LayoutStep)]


@settings(max_examples=150, deadline=None)
@given(case=convolutions(depths=((1, 1), (1, 2), (3, 2)), most_window=3, most_beyond=9))
def test_convolutions_of_every_geometry(case):
    x, w, b, dy = case.arrays(np.float32)
    layer = nn.Conv2d(
        x.shape[1], len(w), w.shape[2:], case.geometry.stride, case.geometry.padding,
        case.geometry.dilation, case.groups, misfit=case.geometry.misfit,
    )  # fmt: skip
    layer.weight.data, layer.bias.data = w.copy(), b.copy()
    with pytest.MonkeyPatch.context() as patch:
        few_tiles(patch)
        plan = agree(nn.Sequential(conv=layer), x, dy)
    assert kinds(plan) == [ConvStep]


@pytest.mark.parametrize(
    ("image", "filters", "options", "pool"),
    [
        ((1, 28, 28), 30, {"kernel_size": 5}, 2),
        ((1, 8, 8), 30, {"kernel_size": 3, "padding": 1}, 2),
        ((3, 19, 17), 16, {"kernel_size": 3, "padding": "same", "bias": False}, 2),
        ((36, 14, 15), 40, {"kernel_size": (3, 5), "groups": 2, "padding": 2}, 3),
        ((3, 35, 35), 8, {"kernel_size": 11, "stride": 4}, 1),
        ((2, 23, 20), 6, {"kernel_size": 3, "stride": 2, "padding": 1}, 2),
        ((6, 12, 12), 20, {"kernel_size": 3, "dilation": 2, "stride": (2, 1)}, 1),
        ((2, 21, 15), 6, {"kernel_size": 3, "stride": (2, 1), "padding": (0, 1)}, 2),
        ((8, 9, 9), 8, {"kernel_size": 3, "groups": 8, "padding": 1}, 1),
    ],
)
@pytest.mark.parametrize("relu", [False, True])
def test_chains_of_convolution_relu_and_pooling_are_one_step(image, filters, options, pool, relu):
    layers = {"conv": nn.Conv2d(image[0], filters, **options, rng=rng)}
    if layers["conv"].bias is not None:
        layers["conv"].bias.data[:] = rng.normal(size=filters)
    if relu:
        layers["relu"] = nn.ReLU()
    if pool > 1:
        layers["pool"] = nn.MaxPool2d(pool)
    x = rng.normal(size=(5, *image)).astype(np.float32)
    plan = agree(nn.Sequential(**layers), x)
    assert kinds(plan) == [ConvStep]


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("filters", [3, 5, 7, 9, 13, 17])
def test_groups_whose_filters_fill_no_whole_number_of_tiles(filters, groups, monkeypatch):
    few_tiles(monkeypatch)
    monkeypatch.setattr(tiles, "WIDTHS", (1, 2))
    monkeypatch.setattr(tiles, "PIXEL_WIDTHS", (1, 2))
    layer = nn.Conv2d(filters * groups, filters * groups, 3, groups=groups, rng=rng)
    agree(
        nn.Sequential(conv=layer), rng.normal(size=(3, filters * groups, 6, 6)).astype(np.float32)
    )


def test_a_bias_that_is_a_strided_view_is_read_right():
    conv, linear = nn.Conv2d(2, 4, 3, rng=rng), nn.Linear(16, 3, rng=rng)
    conv.bias.data = rng.normal(size=8).astype(np.float32)[::2]
    linear.bias.data = rng.normal(size=6).astype(np.float32)[::2]
    model = nn.Sequential(conv=conv, pool=nn.MaxPool2d(2), flatten=nn.Flatten(), linear=linear)
    agree(model, rng.normal(size=(5, 2, 6, 6)).astype(np.float32))


@settings(max_examples=40)
@given(case=poolings())
def test_max_pooling_of_every_geometry(case):
    x, dy = case.arrays(np.float32)
    geometry = case.geometry
    pool = nn.MaxPool2d(
        geometry.window,
        geometry.stride,
        geometry.padding,
        geometry.dilation,
        misfit=geometry.misfit,
    )
    assert kinds(agree(nn.Sequential(pool=pool), x, dy)) == [MaxPoolStep]


@pytest.mark.parametrize(("n", "inputs", "outputs"), [(1, 3, 2), (9, 40, 7), (32, 100, 64)])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_linear_layers(n, inputs, outputs, relu, bias):
    layers = {"linear": nn.Linear(inputs, outputs, bias, rng=rng)}
    if relu:
        layers["relu"] = nn.ReLU()
    plan = agree(nn.Sequential(**layers), rng.normal(size=(n, inputs)).astype(np.float32))
    assert kinds(plan) == [LinearStep]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Sigmoid(), nn.BatchNorm2d(3), nn.LocalResponseNorm(3), nn.AvgPool2d(2), nn.ReLU(),
        nn.LpPool2d(2, 2), nn.GlobalAvgPool2d(), nn.MaxPool2d(3, 2), nn.Dropout(0.5).eval(),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_every_other_layer_runs_too(layer):
    agree(nn.Sequential(layer=layer), rng.normal(size=(4, 3, 8, 8)).astype(np.float32))


def test_a_layer_of_ones_own_is_a_plain_step():
    class Double(nn.Layer):
        def forward(self, x):
            return 2 * x

        def backward(self, dy):
            return 2 * dy

    model = nn.Sequential(flatten=nn.Flatten(), double=Double(), linear=nn.Linear(12, 3, rng=rng))
    plan = agree(model, rng.normal(size=(4, 3, 2, 2)).astype(np.float32))
    assert PlainStep in kinds(plan)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_seen_where_the_layers_see_it(bad):
    model = nn.Sequential(
        conv=nn.Conv2d(1, 10, 3, rng=rng), relu=nn.ReLU(), pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(), linear=nn.Linear(90, 4, rng=rng),
    )  # fmt: skip
    x = rng.normal(size=(3, 1, 8, 8)).astype(np.float32)
    x[1, 0, 4, 4] = bad
    with np.errstate(invalid="ignore"):
        expected = np.isfinite(model(x))
    assert not expected.all()
    np.testing.assert_array_equal(np.isfinite(engine.compile(model, (1, 8, 8), 3)(x)), expected)
