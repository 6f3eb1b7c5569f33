"""Ranks that share a batch compute, with one more pairwise sum, the gradients of one process."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks import draw_images
from engine.shares import shares, total
from pellucid import engine, nn
from pellucid.engine.cpu.convolution.filter_gradients import (
    DirectGradient,
    PooledGradient,
    WinogradGradient,
)
from pellucid.engine.cpu.convolution.grouped import GroupedGradient
from pellucid.engine.cpu.convolution.wide_winograd import WideWinogradGradient
from pellucid.engine.cpu.steps.conv import ConvStep

N = 13


def conv(*sizes, **how):
    return nn.Conv2d(*sizes, **how, rng=np.random.default_rng(1))


CASES = {
    "direct": (conv(3, 8, 5), DirectGradient, {"relu": True}),
    "direct, groups": (conv(36, 40, (3, 2), groups=2), DirectGradient, {}),
    "few channels a group": (conv(6, 8, 3, groups=2), GroupedGradient, {}),
    "direct, 8 chunks": (conv(48, 176, (5, 3), padding=(2, 1)), DirectGradient, {}),
    "depthwise": (conv(19, 19, 3, groups=19), GroupedGradient, {"relu": True}),
    "pooled": (conv(3, 8, 5), PooledGradient, {"relu": True, "pool": 2}),
    "pooled, runs": (conv(16, 8, 3), PooledGradient, {"pool": 2}),
    "winograd": (conv(16, 24, 3, padding=1), WinogradGradient, {"relu": True}),
    # Of a rank alone, its few images would decide otherwise.
    "winograd, few patches": (conv(64, 64, 3, padding=1), WinogradGradient, {}),
    "winograd, many channels": (conv(184, 184, 3, padding=1), WideWinogradGradient, {}),
}


def gradients(step, x, dy):
    """Return the bits of the output and of the image gradient, and the filters' gradients."""
    y = step.forward(x).copy()
    dx = step.backward(dy, need_dx=True).copy()
    return y, dx, step.layer.weight.grad.copy(), step.layer.bias.grad.copy()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("ranks", [2, 3, 8])
def test_the_tree_over_ranks_gives_the_bits_of_one_process(name, ranks):
    layer, kind, how = CASES[name]
    rng, shape = np.random.default_rng(0), (layer.in_channels, 12, 12)
    images = 32 if "few" in name else N
    if kind is not WinogradGradient:
        shape = (layer.in_channels, 10, 11)
    x = rng.normal(size=(images, *shape[1:], shape[0])).astype(np.float32)
    whole = ConvStep("conv", layer, shape, images, **how)
    whole.share.begin(images)
    dy = rng.normal(size=whole.forward(x).shape).astype(np.float32)
    y, dx, dw, db = gradients(whole, x, dy)
    assert type(whole._filter_gradient) is kind

    parts = []
    for share in shares(ranks):
        own = ConvStep("conv", layer, shape, share.largest(images), **how)
        own.divide(share, images)
        cut = share.begin(images)
        parts.append(gradients(own, x[cut], dy[cut]))
        assert type(own._filter_gradient) is kind
        assert type(own._output) is type(whole._output)
        count = share.count(len(whole._filter_gradient.sums.bias))
        assert len(own._filter_gradient.sums.bias) == count
    ys, dxs, dws, dbs = zip(*parts, strict=True)
    for got, expected in (
        (np.concatenate(ys), y), (np.concatenate(dxs), dx),
        (total(dws, ranks), dw), (total(dbs, ranks), db),
    ):  # fmt: skip
        assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("batch", "chunks"), [(1, 1), (3, 4), (4, 4), (16, 16), (20, 16)])
def test_one_process_is_a_rank_of_its_own_and_has_no_chunk_to_spare(batch, chunks):
    model = nn.Sequential(conv(3, 8, 5))
    plan = engine.compile(model, (3, 8, 8), batch)
    step = next(step for step in plan.steps if isinstance(step, ConvStep))
    plan(draw_images(model, (3, 8, 8), batch, np.random.default_rng(0)))
    step.backward(np.zeros((batch, 4, 4, 8), np.float32), need_dx=False)
    assert len(step._filter_gradient.sums.bias) == chunks
