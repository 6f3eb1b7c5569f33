"""Arithmetic in 8-bit integers, against sums of whole numbers and against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

import naive
from ops.strategies import Convolution, convolutions
from pellucid import ops
from pellucid.errors import ArgumentError


def test_codes_are_those_of_pytorch(torch):
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    scale, zero_point = 0.0234375, 130
    given = torch.from_numpy(x)
    theirs = torch.fake_quantize_per_tensor_affine(given, scale, zero_point, 0, 255)
    q = ops.quantize(x, scale, zero_point)
    np.testing.assert_array_equal(ops.dequantize(q, scale, zero_point), theirs.numpy())


def test_halves_are_rounded_to_even_and_what_lies_beyond_is_clipped():
    x = np.array([0.5, 1.5, 2.5, -1, 300, np.inf, -np.inf, np.nan])
    assert ops.quantize(x, 1.0, 0).tolist() == [0, 2, 2, 0, 255, 255, 0, 0]
    assert ops.quantize(-x[:3], 1.0, 10).tolist() == [10, 8, 8]


def test_each_filter_has_a_scale_of_its_own_that_its_largest_weight_fills():
    sizes = np.array([1, 9, 0, 1e-9, 3]).reshape(5, 1, 1, 1)
    w = np.random.default_rng(0).normal(size=(5, 3, 2, 2)) * sizes
    codes, scales = ops.quantize_weights(w)
    assert abs(codes.reshape(5, -1).astype(int)).max(axis=1).tolist() == [127, 127, 0, 127, 127]
    assert np.abs(codes * scales.reshape(-1, 1, 1, 1) - w).max() <= scales.max() * 0.5001
    with pytest.raises(ArgumentError, match="expects finite weights"):
        ops.quantize_weights(np.array([[np.nan]]))


@settings(max_examples=30)
@given(case=convolutions())
def test_a_quantized_convolution_adds_integers_and_scales_them_once(case: Convolution):
    x, filters, b, _ = case.arrays()
    w, t = ops.quantize_weights(filters)
    y = ops.quantized_conv2d(x, w, t, b, scale=0.02, zero_point=113, **case.options)
    q = ops.quantize(x, 0.02, 113).astype(int) - 113
    sums = naive.convolution(q, w.astype(int), **case.naive)
    exact = sums * (np.float32(0.02) * t.astype(float)).reshape(-1, 1, 1) + b.reshape(-1, 1, 1)
    np.testing.assert_allclose(y, exact, rtol=1e-6, atol=1e-6 * max(1, abs(exact).max()))


def test_a_quantized_product_of_rows_is_that_of_its_integers():
    rng = np.random.default_rng(0)
    x, b = rng.normal(size=(3, 2, 50)), rng.normal(size=7)
    w, t = ops.quantize_weights(rng.normal(size=(7, 50)))
    y = ops.quantized_linear(x, w, t, b, scale=0.03, zero_point=100)
    q = ops.quantize(x, 0.03, 100).astype(int) - 100
    exact = (q @ w.T.astype(int)) * (np.float32(0.03) * t.astype(float)) + b
    np.testing.assert_allclose(y, exact, rtol=1e-5, atol=1e-6)
    assert y.dtype == np.float32
