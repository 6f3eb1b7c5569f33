"""SimpleConvNet: the shapes of the book, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import gradcheck
from pellucid.errors import ArgumentError, ShapeError
from pellucid.models import SimpleConvNet
from pellucid.nn import SoftmaxCrossEntropy


def test_the_books_parameters_have_the_books_shapes():
    state = SimpleConvNet((1, 28, 28)).state_dict()
    assert {key: array.shape for key, array in state.items()} == {
        "conv1.weight": (30, 1, 5, 5),
        "conv1.bias": (30,),
        "affine1.weight": (100, 4320),  # the book's (4320, 100), the other way round as PyTorch's
        "affine1.bias": (100,),
        "affine2.weight": (10, 100),
        "affine2.bias": (10,),
    }
    assert all(not state[key].any() for key in state if key.endswith("bias"))
    assert all(state[key].std() == pytest.approx(0.01, rel=0.1) for key in state if "weight" in key)


def test_the_layers_come_in_the_books_order():
    names = [name for name, _ in SimpleConvNet().children()]
    assert names == ["conv1", "relu1", "pool1", "flatten", "affine1", "relu2", "affine2"]
    assert repr(SimpleConvNet()["pool1"]) == "MaxPool2d(2, stride=2)"


def test_every_key_of_conv_param_reaches_the_convolution_and_the_rest_stays_the_books():
    conv = SimpleConvNet((3, 17, 17), {"filter_num": 4, "filter_size": 3, "pad": 1, "stride": 2})[
        "conv1"
    ]
    assert repr(conv) == "Conv2d(3, 4, 3, stride=2, padding=1, weight_init=0.01)"
    assert repr(SimpleConvNet(conv_param={"filter_num": 7})["conv1"]).startswith(
        "Conv2d(1, 7, 5, w"
    )


def test_an_unknown_key_suggests_the_nearest():
    with pytest.raises(
        ArgumentError,
        match=r"^conv_param: has no key 'filters'\. Did you mean 'filter_\w+'\? Known: ",
    ):
        SimpleConvNet(conv_param={"filters": 30})


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 0), (1, 28.0, 28), (1, 1, 28, 28)])
def test_images_that_are_none_are_refused(shape):
    with pytest.raises(
        ArgumentError, match=r"^input_dim: must be \(channels, height, width\), three"
    ):
        SimpleConvNet(shape)


def test_filters_that_do_not_fit_are_refused_by_the_layer():
    with pytest.raises(
        ShapeError, match=r"^Conv2d 'conv1': a window of 5 is larger than the input's h"
    ):
        SimpleConvNet((1, 4, 8))


def test_pooling_that_does_not_fit_is_refused_by_the_layer():
    with pytest.raises(
        ShapeError, match=r"^MaxPool2d 'pool1': a window of 2 is larger than the input"
    ):
        SimpleConvNet((1, 5, 5))


def test_the_same_generator_gives_the_same_network():
    first, again, other = (
        SimpleConvNet((1, 8, 8), rng=np.random.default_rng(seed)).state_dict() for seed in (0, 0, 1)
    )
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert all(not np.array_equal(first[key], other[key]) for key in first if "weight" in key)
    assert not np.array_equal(first["affine1.weight"][:5, :5], first["affine2.weight"][:5, :5])


@pytest.mark.parametrize("std", ["he", "xavier", 0.5])
def test_the_deviation_reaches_every_layer(std):
    model = SimpleConvNet((1, 8, 8), weight_init_std=std)
    assert [model[name].weight_init for name in ("conv1", "affine1", "affine2")] == [std] * 3


def test_scores_come_out_in_float32_and_the_images_are_known():
    model = SimpleConvNet((3, 9, 10), hidden_size=8, output_size=4)
    y = model(np.zeros((2, 3, 9, 10), dtype=np.float32))
    assert (y.shape, y.dtype) == ((2, 4), np.float32)
    assert model.input_shape == (3, 9, 10)
    assert model.output_shape((3, 9, 10)) == (4,)


def test_its_config_builds_it_again():
    model = SimpleConvNet((1, 9, 9), {"filter_num": 3}, 7, 4, "he")
    again = SimpleConvNet(**model.config())
    assert again.config() == model.config()
    assert repr(again) == repr(model)


def test_its_gradients_are_right():
    rng = np.random.default_rng(0)
    model = SimpleConvNet((1, 8, 8), {"filter_num": 3}, 9, 5, weight_init_std="he", rng=rng)
    report = gradcheck(
        model, rng.normal(size=(3, 1, 8, 8)), np.array([0, 4, 2]), SoftmaxCrossEntropy()
    )
    assert report.worst < 1e-6
