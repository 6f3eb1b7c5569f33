"""Layers in 8-bit integers: what they hold, and what they answer."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import nn
from pellucid.errors import ArgumentError


def rng():
    return np.random.default_rng(0)


CONV = nn.Conv2d(
    4, 6, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2), groups=2, misfit="pad", rng=rng()
)
LINEAR = nn.Linear(20, 7, bias=False, rng=rng())


@pytest.mark.parametrize(
    ("layer", "shape"), [(CONV, (4, 7, 8)), (LINEAR, (20,)), (LINEAR, (3, 20))]
)
def test_a_layer_in_integers_answers_as_the_layer_that_it_is_made_of(layer, shape):
    kind = nn.QuantizedConv2d if layer is CONV else nn.QuantizedLinear
    small = kind.of(layer, 0.04, 120)
    x = rng().normal(size=(3, *shape)).astype(np.float32)
    y, expected = small(x), layer(x)
    assert y.shape == (3, *layer.output_shape(shape)) == (3, *small.output_shape(shape))
    assert y.dtype == np.float32
    assert np.abs(y - expected).max() < 0.03 * np.abs(expected).max()
    assert small(x.astype(np.float64)).dtype == np.float64
    assert small.multiply_adds(shape) == layer.multiply_adds(shape)
    assert small.parameter_count() == layer.parameter_count()
    nested = nn.Sequential(nn.Sequential(small), nn.Linear(2, 3))
    assert nested.parameter_count() == layer.parameter_count() + 9
    assert nested.weight_bytes() == small.weight_bytes() + 36
    assert not small.parameters()
    assert layer.weight_bytes() / 4 < small.weight_bytes() < layer.weight_bytes()
    assert np.abs(small.dequantized() - layer.weight.data).max() <= small.weight_scale.data.max()
    assert repr(eval(repr(small), vars(nn))) == repr(small)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"input_scale": 0.0}, "input_scale: expects a finite number above 0, received 0.0"),
        ({"input_scale": float("nan")}, "input_scale: expects a finite number above 0"),
        ({"zero_point": 256}, "zero_point: must be an integer from 0 to 255, received 256"),
        ({"zero_point": 1.5}, "zero_point: must be an integer from 0 to 255, received 1.5"),
    ],
)
def test_scales_and_zero_points_are_checked(options, said):
    with pytest.raises(ArgumentError, match=said):
        nn.QuantizedLinear(3, 2, **options)


def test_a_sum_that_32_bits_might_not_hold_is_refused():
    nn.QuantizedLinear(66311, 1)
    with pytest.raises(ArgumentError, match="adds 66,312 products of bytes"):
        nn.QuantizedLinear(66312, 1)
