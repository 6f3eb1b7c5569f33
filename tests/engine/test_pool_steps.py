"""Each pooling step equals its layer, for every geometry and any number of images."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.strategies import poolings
from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.steps.pool import (
    AvgPoolStep,
    GlobalAvgPoolStep,
    GlobalMaxPoolStep,
    LpPoolStep,
    MaxPoolStep,
)
from pellucid.errors import ArgumentError
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads


def _last(x):
    return np.array(np.moveaxis(x, 1, -1), dtype=np.float32, order="C")


def _first(x):
    return np.moveaxis(x, -1, 1)


def _agree(kind, layer, x, dy=None, *, batch=None):
    """Run the step and the layer on the same images (N, C, H, W); return the step."""
    step = kind("pool", layer, x.shape[1:], batch or len(x))
    assert (step.name, step.output_shape) == ("pool", layer.output_shape(x.shape[1:]))
    assert step.channels_last is True
    for images in (x, x[:1]):
        here = _last(images)
        y, expected = step.forward(here), copy.deepcopy(layer)(images.astype(float))
        # A mean of numbers that cancel is as exact as they are large.
        assert_agrees(_first(y), expected, magnitude=[np.abs(x).max()])
        some = np.random.default_rng(1).normal(size=expected.shape) if dy is None else dy[: len(y)]
        there, plain = _last(some), copy.deepcopy(layer)
        plain(images.astype(float))
        dx = step.backward(there, need_dx=True)
        assert_agrees(_first(dx), plain.backward(np.float64(np.float32(some))))
        for result in (y, dx):
            assert (result.dtype, result.flags.c_contiguous) == (np.float32, True)
        np.testing.assert_array_equal(here, _last(images))
        np.testing.assert_array_equal(there, _last(some))
        assert step.backward(there, need_dx=False) is None
    return step


def _options(geometry, *names):
    options = {"stride": geometry.stride, "padding": geometry.padding, "misfit": geometry.misfit}
    return {name: getattr(geometry, name) for name in names} | options


@given(case=poolings())
def test_max_pooling(case):
    layer = nn.MaxPool2d(case.geometry.window, **_options(case.geometry, "dilation"))
    _agree(MaxPoolStep, layer, *case.arrays(np.float32))


@given(case=poolings(most_dilation=1), include=st.booleans())
def test_average_pooling(case, include):
    options = _options(case.geometry)
    layer = nn.AvgPool2d(case.geometry.window, **options, count_include_pad=include)
    _agree(AvgPoolStep, layer, *case.arrays(np.float32))


@given(
    case=poolings(),
    p=st.sampled_from([1, 2, 3, 2.5, np.float64(4)]),
)
def test_lp_pooling(case, p):
    geometry = case.geometry
    layer = nn.LpPool2d(p, geometry.window, geometry.stride, misfit=geometry.misfit)
    image = np.maximum(geometry.image, geometry.window)  # it knows no padding
    x = np.random.default_rng(case.seed).normal(size=(case.n, case.c, *image)).astype(np.float32)
    _agree(LpPoolStep, layer, x)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 5), (20, 1, 9), (17, 20, 30)], ids=str)
@pytest.mark.parametrize(
    ("kind", "layer"),
    [(GlobalAvgPoolStep, nn.GlobalAvgPool2d()), (GlobalMaxPoolStep, nn.GlobalMaxPool2d())],
)
def test_global_pooling(kind, layer, shape):
    _agree(kind, layer, np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        (MaxPoolStep, nn.MaxPool2d(3, 2, 1)), (MaxPoolStep, nn.MaxPool2d(20, 10)),
        (MaxPoolStep, nn.MaxPool2d(2)),
        (AvgPoolStep, nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
        (LpPoolStep, nn.LpPool2d(2, 3, 2)), (LpPoolStep, nn.LpPool2d(3, 2)),
        (GlobalAvgPoolStep, nn.GlobalAvgPool2d()), (GlobalMaxPoolStep, nn.GlobalMaxPool2d()),
    ],
    ids=repr,
)  # fmt: skip
def test_large_images_and_batches_give_the_same_bits_on_any_threads(kind, layer):
    x = np.random.default_rng(0).normal(size=(3, 24, 60, 61)).astype(np.float32)
    seen, before = [], get_num_threads()
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            step = _agree(kind, layer, x, batch=5)
            y = step.forward(_last(x))
            seen.append((y.tobytes(), step.backward(y.copy(), need_dx=True).tobytes()))
    finally:
        set_num_threads(before)
    assert seen[1:] == seen[:-1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        (MaxPoolStep, nn.MaxPool2d(2)), (AvgPoolStep, nn.AvgPool2d(3, 2, 1)),
        (LpPoolStep, nn.LpPool2d(2, 2)), (LpPoolStep, nn.LpPool2d(3, 2)),
        (GlobalAvgPoolStep, nn.GlobalAvgPool2d()), (GlobalMaxPoolStep, nn.GlobalMaxPool2d()),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_not_finite_is_seen_where_the_layer_sees_it(kind, layer, bad):
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 6)).astype(np.float32)
    x[1, 3, 2, 2] = bad
    step, plain = kind("pool", layer, x.shape[1:], 2), copy.deepcopy(layer)
    y, expected = step.forward(_last(x)), plain(x)
    np.testing.assert_array_equal(np.isnan(_first(y)), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(_first(y)), np.isinf(expected))
    dy = np.ones_like(expected)
    dy[0, 2, 0, 0] = bad
    dx = step.backward(_last(dy), need_dx=True)
    with np.errstate(invalid="ignore"):
        expected = plain.backward(dy)
    np.testing.assert_array_equal(np.isfinite(_first(dx)), np.isfinite(expected))


def test_average_pooling_reads_at_each_call_whether_padding_counts():
    layer = nn.AvgPool2d(3, 2, 1)
    x = np.ones((1, 1, 5, 5), np.float32)
    step = AvgPoolStep("pool", layer, (1, 5, 5), 1)
    assert step.forward(_last(x)).min() < 1
    layer.count_include_pad = False
    assert_agrees(step.forward(_last(x)), np.ones((1, 3, 3, 1)))
    assert_agrees(
        _first(step.backward(np.ones((1, 3, 3, 1), np.float32), need_dx=True)), _dx(layer, x)
    )


def _dx(layer, x):
    plain = copy.deepcopy(layer)
    return plain.backward(np.ones_like(plain(x.astype(float))))


def test_lp_pooling_reads_its_norm_at_each_call():
    layer = nn.LpPool2d(2, 2)
    step, x = LpPoolStep("pool", layer, (1, 2, 2), 1), np.float32([3, 4, 0, 0]).reshape(1, 2, 2, 1)
    assert step.forward(x).item() == 5
    layer.norm_type = 1
    assert step.forward(x).item() == 7
    dx = step.backward(np.ones((1, 1, 1, 1), np.float32), need_dx=True)
    assert dx.ravel().tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("p", [np.inf, 0.5, np.nan])
def test_lp_pooling_refuses_the_norms_that_the_layer_refuses(p):
    layer = nn.LpPool2d(2, 2)
    step, x = LpPoolStep("pool", layer, (1, 2, 2), 1), np.ones((1, 2, 2, 1), np.float32)
    layer.norm_type = p
    with pytest.raises(ArgumentError, match="must be a norm of at least 1 and finite") as error:
        step.forward(x)
    with pytest.raises(ArgumentError) as expected:
        layer(_first(x))
    assert str(error.value) == str(expected.value)


@pytest.mark.parametrize("p", [2, 3])
def test_a_window_of_zeros_has_no_gradient(p):
    step = LpPoolStep("pool", nn.LpPool2d(p, 2), (2, 4, 4), 2)
    x, dy = np.zeros((2, 4, 4, 2), np.float32), np.ones((2, 2, 2, 2), np.float32)
    step.forward(x + np.nan)
    step.backward(dy, need_dx=True)  # which leaves NaN in every buffer
    step.forward(x)
    np.testing.assert_array_equal(step.backward(dy, need_dx=True), x)


def test_inference_finds_no_argmax_until_a_gradient_is_wanted():
    model = nn.Sequential(nn.MaxPool2d(3, 2)).eval()
    plan = engine.compile(model, (20, 9, 8), 3)
    (step,) = (step for step in plan.steps if isinstance(step, MaxPoolStep))
    x = np.random.default_rng(0).normal(size=(3, 20, 9, 8)).astype(np.float32)
    y = plan(x).copy()
    assert not step._argmax.any()
    late = plan.backward(y, need_dx=True).copy()
    assert step._argmax.any()
    model.train()
    np.testing.assert_array_equal(plan(x), y)
    np.testing.assert_array_equal(plan.backward(y, need_dx=True), late)
    assert abs(late).sum() > 0
