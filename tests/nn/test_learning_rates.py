"""Rates of parts of a network."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import models, nn
from pellucid.errors import ArgumentError


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("conv1", ["conv1.weight", "conv1.bias"]),
        ("conv*", ["conv1.weight", "conv1.bias"]),
        ("*.bias", ["conv1.bias", "affine1.bias", "affine2.bias"]),
        ("affine?", ["affine1.weight", "affine1.bias", "affine2.weight", "affine2.bias"]),
        ("affine1.weight", ["affine1.weight"]),
    ],
)
def test_a_pattern_is_a_layer_with_all_inside_or_a_parameter(pattern, keys):
    model = models.SimpleConvNet()
    nn.freeze(model, pattern)
    assert [key for key, p in model.parameters().items() if not p.rate] == keys


def test_a_block_is_frozen_with_all_that_is_inside():
    model = models.ResNet20()
    nn.freeze(model, "layer1")
    frozen = {key.split(".")[0] for key, p in model.parameters().items() if not p.rate}
    assert frozen == {"layer1"}


def test_later_patterns_win():
    model = models.SimpleConvNet()
    nn.set_rates(model, {"*": 0.5, "affine*": 0.25, "affine2": 1})
    rates = {key: p.rate for key, p in model.parameters().items()}
    assert rates["conv1.weight"] == 0.5
    assert rates["affine1.bias"] == 0.25
    assert rates["affine2.bias"] == 1


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"conv1": 0, "cnov*": 0}, r"rates: 'cnov\*' matches no layer with parameters.*conv1"),
        ({"conv1": 0, "relu1": 0}, r"'relu1' matches no layer with parameters"),
        ({"conv1": 0, "affine1": -1}, r"rates: must be finite and 0 or more, received -1 for"),
        ({"conv1": 0, "affine1": np.nan}, r"must be finite and 0 or more, received nan"),
    ],
)
def test_a_refusal_changes_nothing(rates, message):
    model = models.SimpleConvNet()
    with pytest.raises(ArgumentError, match=message):
        nn.set_rates(model, rates)
    assert all(p.rate == 1 for p in model.parameters().values())
