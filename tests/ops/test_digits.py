"""Means far from zero and sums over many numbers cost no digits of a float32."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees, tensor
from pellucid import nn, ops
from pellucid.ops.sums import mean, total

FAR = [(100, 1), (1e4, 1), (1e4, 1e-2), (-1e6, 1), (3e-3, 1e-4)]


def _far(loc, scale, shape=(16, 3, 20, 20)):
    rng = np.random.default_rng(0)
    x = (loc + scale * rng.normal(size=shape)).astype(np.float32)
    return x, (rng.normal(size=shape) + 0.5).astype(np.float32)


def _norms(**options):
    """Return the same batch norm in float32 and in float64."""
    single, double = nn.BatchNorm2d(3, **options), nn.BatchNorm2d(3, **options)
    for norm in (single, double):
        norm.weight.data[:], norm.bias.data[:] = [1, -2, 3], [0.5, 0, 1]
    return single, double.astype(np.float64)


@pytest.mark.parametrize(("loc", "scale"), FAR)
def test_a_batch_norm_in_float32_says_what_one_in_float64_says(loc, scale):
    x, dy = _far(loc, scale)
    single, double = _norms()
    y, expected = single(x), double(x.astype(np.float64))
    assert_agrees(y, expected, within=1e-6)
    dx, dexpected = single.backward(dy), double.backward(dy.astype(np.float64))
    assert_agrees(dx, dexpected, within=1e-6)
    assert (y.dtype, dx.dtype, single.weight.grad.dtype) == (np.float32,) * 3
    for name, p in single.parameters().items():
        assert_agrees(p.grad, double.parameters()[name].grad, within=2e-6)
    for name, buffer in single.buffers().items():
        assert_agrees(buffer.data, double.buffers()[name].data, within=1e-6)


@pytest.mark.parametrize(("loc", "scale"), FAR)
def test_in_evaluation_too(loc, scale):
    x, dy = _far(loc, scale)
    single, double = _norms()
    for norm in (single.eval(), double.eval()):
        norm.running_mean.data[:], norm.running_var.data[:] = loc, np.float32(scale**2)
    double.running_var.data[:] = single.running_var.data
    assert_agrees(single(x), double(x.astype(np.float64)), within=1e-6)
    assert_agrees(single.backward(dy), double.backward(dy.astype(np.float64)), within=1e-6)


@pytest.mark.parametrize("momentum", [0, 0.1, 1])
def test_running_averages_are_torchs(momentum, torch):
    x, _ = _far(0.3, 1e-4)  # a variance of 1e-8, kept where there was a 1
    norm, theirs = nn.BatchNorm2d(3, momentum=momentum), torch.nn.BatchNorm2d(3, momentum=momentum)
    for part in np.split(x, 4):
        norm(part)
        theirs(tensor(torch, part))
    assert_agrees(norm.running_mean.data, theirs.running_mean.numpy(), within=1e-6)
    assert_agrees(norm.running_var.data, theirs.running_var.numpy(), within=1e-6)


@pytest.mark.parametrize(("loc", "scale"), FAR)
def test_normalize_subtracts_all_digits_of_a_mean(loc, scale):
    x, _ = _far(loc, scale)
    means, deviations = x.mean(axis=(0, 2, 3), dtype=float), x.std(axis=(0, 2, 3), dtype=float)
    layer = nn.Normalize(means, deviations)
    y = layer(x)
    assert y.dtype == np.float32
    assert_agrees(y, layer(x.astype(np.float64)), within=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_a_sum_over_a_million_numbers_in_any_layout(turned):
    a = np.full((1024, 1024), np.float32(0.1))
    a = a.T if turned else a
    for axis in (0, 1):
        assert_agrees(total(a, axis), np.full(1024, 102.4), within=1e-7)
        assert_agrees(mean(a, axis), np.full(1024, 0.1), within=1e-7)
    assert total(a).dtype == mean(a).dtype == np.float32
    assert total(np.ones(300, np.uint8)) == 300
    assert mean(np.array([1, 2])) == 1.5


def test_pooling_and_biases_add_up_images_that_lie_channels_last():
    x = (1e3 + np.random.default_rng(0).normal(size=(2, 300, 300, 3))).astype(np.float32)
    images = x.transpose(0, 3, 1, 2)
    exact = images.astype(np.float64).mean(axis=(2, 3), keepdims=True)
    whole = ops.pool2d_windows((3, 300, 300), 300)
    assert abs(ops.global_avg_pool2d(images) - exact).max() < 1e-4
    assert abs(ops.avg_pool2d(images, whole) - exact).max() < 1e-4
    w = np.ones((3, 3, 1, 1), np.float32)
    _, _, db = ops.conv2d_backward(images, images, w)
    assert_agrees(db, images.sum(axis=(0, 2, 3), dtype=np.float64), within=1e-7)


def test_losses_of_float16_do_not_overflow():
    scores = np.zeros((40000, 4), np.float16)
    labels = np.zeros(40000, int)
    assert ops.softmax_cross_entropy(scores, labels)[0] == pytest.approx(np.log(4), rel=1e-3)
    assert ops.multiclass_hinge(scores, labels)[0] == 3
    assert ops.mean_squared_error(scores + 1, scores) == 1


def test_probabilities_of_many_classes_in_float16_are_of_all_of_them():
    y = ops.softmax(np.zeros((1, 8192), np.float16))
    assert y.dtype == np.float16
    assert y.sum(dtype=float) == pytest.approx(1)
    assert ops.log_softmax(np.zeros((1, 8192), np.float16))[0, 0] == pytest.approx(-9.01, abs=0.01)


def test_a_deviation_of_hundreds_in_float16_does_not_overflow():
    x = np.array([-700, -100, 100, 700], np.float16).reshape(4, 1)
    mean, var = ops.batch_statistics(x)
    assert (mean.item(), var.item()) == (0, 2.5e5)
    norm = nn.BatchNorm2d(1).astype(np.float16)
    y = norm(x)
    assert y.dtype == np.float16
    assert_agrees(y.astype(float), x.astype(float) / 500, within=1e-3)
