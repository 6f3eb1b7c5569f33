"""Steps that resize, pad, shuffle and permute: large enough for all paths of their kernels."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.resampling import Resampling
from pellucid.ops import resample2d, resample2d_backward


@pytest.mark.parametrize("channels", [1, 17, 64, 70, 131])
def test_resampling_equals_the_product_with_both_matrices(channels):
    rng = np.random.default_rng(channels)
    rows, columns = rng.normal(size=(9, 7)), rng.normal(size=(5, 11))
    rows[rows < 0.5] = 0
    rows[3] = 0  # a row that reads nothing
    columns[columns < 0] = 0
    x = rng.normal(size=(3, channels, 7, 11)).astype(np.float32)
    dy = rng.normal(size=(3, channels, 9, 5)).astype(np.float32)
    resampling = Resampling(rows, columns)
    y, dx = (
        np.full((3, 9, 5, channels), 9, np.float32),
        np.full((3, 7, 11, channels), 9, np.float32),
    )
    resampling.forward(_last(x), y)
    resampling.backward(_last(dy), dx)
    assert_agrees(y, _last(resample2d(x, rows, columns)))
    assert_agrees(dx, _last(resample2d_backward(dy, rows, columns)))


LAYERS = {
    "upsample": (nn.Upsample(scale_factor=2, mode="bilinear"), (70, 24, 24)),
    "adaptive": (nn.AdaptiveAvgPool2d((5, 40)), (33, 31, 33)),
    "reflect": (nn.Pad2d((1, 2, 3, 4), "reflect"), (65, 20, 20)),
    "constant": (nn.Pad2d((1, -2, 3, 0), value=2.5), (20, 40, 40)),
    "shuffle": (nn.PixelShuffle(3), (45, 40, 40)),
    "unshuffle": (nn.PixelUnshuffle(2, "DCR"), (12, 80, 80)),
    "channels": (
        nn.Sequential(nn.Reshape(3, 22, 30, 30), nn.Permute(0, 2, 1, 3, 4), nn.Reshape(66, 30, 30)),
        (66, 30, 30),
    ),
    "slice": (nn.Slice(1, 3, 50, 2), (66, 30, 30)),
    "mean": (nn.Mean((-1, -2), keepdims=False), (66, 30, 30)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_many_bands_on_many_threads_give_what_the_layer_gives(kind):
    layer, shape = LAYERS[kind]
    rng = np.random.default_rng(0)
    plan = engine.compile(layer, shape, 5)
    assert "plain NumPy" not in [step.kernel for step in plan.steps]
    for n in (5, 2):
        x = rng.normal(size=(n, *shape)).astype(np.float32)
        y = plan(x)
        assert_agrees(y, layer(x))
        dy = rng.normal(size=y.shape).astype(np.float32)
        dx = plan.backward(dy, need_dx=True)
        assert_agrees(dx, layer.backward(dy))


def test_a_permutation_between_the_two_layouts_moves_nothing():
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        conv=nn.Conv2d(3, 8, 3, rng=rng),
        last=nn.Permute(0, 2, 3, 1),
        reshape=nn.Reshape(36, 8),
        again=nn.Reshape(6, 6, 8),
        first=nn.Permute(0, 3, 1, 2),
        conv2=nn.Conv2d(8, 4, 3, rng=rng),
    )
    plan = engine.compile(model, (3, 8, 8), 4)
    kernels = [step.kernel for step in plan.steps if step.kernel != "channels last"]
    assert kernels == ["convolution", *["view"] * 4, "convolution"]
    x = rng.normal(size=(4, 3, 8, 8)).astype(np.float32)
    assert_agrees(plan(x), model(x))
    dy = rng.normal(size=(4, 4, 4, 4)).astype(np.float32)
    assert_agrees(plan.backward(dy, need_dx=True), model.backward(dy))


def test_a_channel_shuffle_stays_between_convolutions_without_a_change_of_layout():
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        conv=nn.Conv2d(3, 8, 3, rng=rng),
        split=nn.Reshape(2, 4, 6, 6),
        swap=nn.Permute(0, 2, 1, 3, 4),
        join=nn.Reshape(8, 6, 6),
        conv2=nn.Conv2d(8, 4, 3, rng=rng),
    )
    plan = engine.compile(model, (3, 8, 8), 4)
    kernels = [step.kernel for step in plan.steps][-3:]
    assert kernels == ["convolution", "channel shuffle", "convolution"]


def test_the_value_of_a_constant_border_may_change_between_two_calls():
    layer = nn.Pad2d(1, value=2.0)
    plan = engine.compile(layer, (1, 2, 2), 1)
    x = np.zeros((1, 1, 2, 2), np.float32)
    assert plan(x).sum() == 24
    layer.value = 0.0
    assert plan(x).sum() == 0


def _last(a):
    return np.ascontiguousarray(np.moveaxis(a, 1, -1))
